"""What all pages share: the HTML frame, its style, drawings, and how numbers are written."""

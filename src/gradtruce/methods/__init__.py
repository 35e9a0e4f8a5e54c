"""Report-generation methods, one file each, on shared blocks."""

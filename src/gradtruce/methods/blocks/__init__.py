"""Parts that several report-generation methods share."""

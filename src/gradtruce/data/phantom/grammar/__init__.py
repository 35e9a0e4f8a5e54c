"""A grammar of radiology reports: phrases in a data file, a small engine, a plan of the report."""

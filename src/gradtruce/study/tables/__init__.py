"""The tables of a study, in the paper's layout."""

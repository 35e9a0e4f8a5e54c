"""Scores of generated reports, each with its protocol."""

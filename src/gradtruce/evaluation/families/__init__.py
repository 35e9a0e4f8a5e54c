"""Families of scores, one a file: each becomes a group of metrics.json."""

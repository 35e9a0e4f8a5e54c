"""Weights that others trained: read safely, renamed, and loaded strictly."""

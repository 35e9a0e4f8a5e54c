"""Gradient dynamics of one finished run, or of two side by side."""

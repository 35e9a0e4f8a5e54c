"""Readers of predictions, references and reports as other systems lay them out."""

"""Synthetic images for real text: a phantom study for a report that has lost its radiographs."""

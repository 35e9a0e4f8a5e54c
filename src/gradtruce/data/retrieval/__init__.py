"""A bank of training reports as vectors, and the reports nearest to a study's images."""

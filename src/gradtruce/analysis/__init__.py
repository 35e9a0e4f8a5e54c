"""What the gradients and the attention of a run show."""

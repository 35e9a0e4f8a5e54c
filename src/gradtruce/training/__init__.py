"""One run: configuration, loop, checkpoints, run log."""

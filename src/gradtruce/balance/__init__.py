"""Multi-task optimizers, one file each."""

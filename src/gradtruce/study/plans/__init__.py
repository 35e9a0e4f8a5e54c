"""Plans of studies: what is trained, and what all runs share."""

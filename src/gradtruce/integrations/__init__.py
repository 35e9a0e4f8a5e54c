"""The engine in the loops and libraries that others wrote; each needs no more than torch itself."""

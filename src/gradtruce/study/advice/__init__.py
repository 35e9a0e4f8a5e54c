"""The adviser: a short pilot, and what its conflict suggests."""

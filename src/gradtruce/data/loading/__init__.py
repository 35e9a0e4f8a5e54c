"""From rows of a prepared set to batches: order, reading, processes, tokens."""

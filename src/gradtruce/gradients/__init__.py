"""The engine: from K losses to one update. Knows nothing of images or text."""

"""Making a retrieval bank: image encoders into the space of report features, and their file."""

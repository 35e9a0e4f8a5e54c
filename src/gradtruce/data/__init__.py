"""Studies: reading them, keeping them, making synthetic ones, and serving them in batches."""

"""Programs that run in another Python, which need not have this package."""

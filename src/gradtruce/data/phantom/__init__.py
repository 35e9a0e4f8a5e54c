"""A seeded generator of synthetic chest radiograph studies of which everything is known."""

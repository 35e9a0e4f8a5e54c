"""Search over settings for the best trade of validation scores."""

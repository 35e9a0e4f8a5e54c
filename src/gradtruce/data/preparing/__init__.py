"""From a source to a prepared set: plan, workers, shards, resuming, problems, cards."""

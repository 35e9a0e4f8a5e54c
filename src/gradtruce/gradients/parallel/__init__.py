"""Several processes: replicas and shards of a model that act as one."""

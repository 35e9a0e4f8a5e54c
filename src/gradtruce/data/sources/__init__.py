"""Where studies come from: one module a download, all behind the interface of `base`.

A source lists its studies without reading a pixel (`records`), and builds one study from one record
in a worker process (`build`). `gradtruce.data.preparing` does the rest: splits, shards, workers,
resuming, problems.
"""

"""Prepare the source in a folder: a process that tests kill."""

import resource
import sys
from pathlib import Path

from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources.base import Settings
from tests.data.preparing.folder_source import Folder

if __name__ == "__main__":
    source, target, workers, largest_file = sys.argv[1:]
    if int(largest_file):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest_file), int(largest_file)))
    try:
        prepare(
            Folder(Path(source)),
            target,
            settings=Settings(48),
            shard_rows=8,
            workers=int(workers),
            on_error="skip",
        )
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)

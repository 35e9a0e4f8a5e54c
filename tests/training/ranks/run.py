"""One of several processes: `python -m tests.training.ranks.run FOLDER NAMES`, as torchrun does."""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

from gradtruce.training.joining import joined
from tests.training.ranks.cases import CASES


def main(folder: Path, names: list[str]) -> None:
    """Run cases and write what they return."""
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    with joined() as world:
        for name in names:
            try:
                results[name] = CASES[name](world, folder / "set")
            except Exception:
                results[name] = traceback.format_exc()
    torch.save(results, folder / f"{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))

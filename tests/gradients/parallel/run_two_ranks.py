"""One of two processes: `python -m tests.gradients.parallel.run_two_ranks RANK FOLDER [CASES]`.

CASES is a list of names as JSON; all but the slow ones where not given.
"""

import json
import os
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.gradients.parallel import two_ranks_alike, two_ranks_rules
from tests.gradients.parallel.two_ranks import CASES, RANKS, SINGLE

ORDER = (two_ranks_alike, two_ranks_rules)  # imported for the cases that they register


def main(rank: int, folder: Path, wanted: str = "[]") -> None:
    """Run the cases whose names are given and write their results."""
    torch.set_num_threads(1)
    names = json.loads(wanted) or [name for name in CASES if name not in two_ranks_alike.SLOW]
    results: dict[str, Any] = {}
    single: dict[str, Any] = {}
    for name in names:
        try:
            single[name] = SINGLE[name]() if name in SINGLE else None
        except Exception:
            single[name] = None
            results[name] = traceback.format_exc()
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the name of the host may lead nowhere
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meeting'}",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=30),
    )
    for name in names:
        if name not in results:
            try:
                results[name] = CASES[name](rank, single[name])
            except Exception:
                results[name] = traceback.format_exc()
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])

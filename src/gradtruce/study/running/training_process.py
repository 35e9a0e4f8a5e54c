"""`python -m gradtruce.study.running.training_process FOLDER LIFE < config.toml`: one training.

It ends when whoever started it ends, however that happens: LIFE is the descriptor of a pipe whose
other end the starter has open. So a run is never trained by a process that nobody knows of.
"""

import os
import shutil
import sys
import threading
import tomllib
from pathlib import Path
from typing import Final

import torch

from gradtruce.training.alone import training_alone
from gradtruce.training.config import RunConfig
from gradtruce.training.config_difference import differences
from gradtruce.training.config_file import check, load_config, with_absolute_paths, write_config
from gradtruce.training.loop import train

ORPHANED: Final = 3
"""Exit status of a training whose starter is gone."""


def main() -> int:
    """Train by the configuration on standard input; what a user can mend is one line, status 2."""
    folder, life = Path(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=_end_with_starter, args=(life,), daemon=True).start()
    torch.set_num_threads(1)
    try:
        config = check(tomllib.loads(sys.stdin.read()), RunConfig, where=str(folder))
        train_or_resume(config, folder)
    except (ValueError, TypeError, OSError, ArithmeticError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    return 0


def train_or_resume(config: RunConfig, folder: Path) -> None:
    """Train; go on from the last checkpoint where there is one, or begin again where there is none.

    Args:
        config: Everything the run depends on.
        folder: The run folder; what a killed training left there without a checkpoint is removed.
            Data may lie elsewhere than before, if the study was moved with them.

    Raises:
        BlockingIOError: If another process trains in the folder.
        ValueError: If the folder's run has another configuration.
    """
    config = with_absolute_paths(config)
    with training_alone(folder):
        is_begun = folder.exists()
        if is_begun and not has_checkpoint(folder):
            shutil.rmtree(folder)
            is_begun = False
        if is_begun:
            _follow_files(config, folder)
    train(config, folder, resume=is_begun)


def has_checkpoint(folder: Path) -> bool:
    """Return whether a run folder holds something to go on from, if only a former checkpoint.

    >>> has_checkpoint(Path("no-such-run"))
    False
    """
    kept = folder / "checkpoints"
    if not (folder / "config.toml").is_file() or not kept.is_dir():
        return False
    names = {entry.name for entry in kept.iterdir()}
    return any(name.lstrip(".").startswith("last") and "partial" not in name for name in names)


def _follow_files(config: RunConfig, folder: Path) -> None:
    """Take over where the data lie, where a study was moved with them."""
    path = folder / "config.toml"
    former: RunConfig = load_config(path)
    if former != config and not differences(former.model_dump(), config.model_dump()):
        write_config(config, path)


def _end_with_starter(life: int) -> None:
    """Wait until the other end of the pipe is closed, then end without a word."""
    while os.read(life, 1):
        pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())

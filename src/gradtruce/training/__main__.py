"""`python -m gradtruce.training FOLDER [--resume] < config.toml`: one training as a process."""

import sys
import tomllib
from pathlib import Path

import torch

from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import check
from gradtruce.training.loop import train


def main() -> int:
    """Train by the configuration on standard input; an error is one line and status 2.

    With `--resume`, a run that is there goes on; where it is not, it begins.
    """
    torch.set_num_threads(1)
    folder, resume = Path(sys.argv[1]), sys.argv[2:] == ["--resume"]
    try:
        config = check(tomllib.loads(sys.stdin.read()), RunConfig, where=str(folder))
        train(config, folder, resume=resume and folder.exists())
    except (ValueError, TypeError, OSError, ArithmeticError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

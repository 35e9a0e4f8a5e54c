"""`python -m gradtruce.training FOLDER < config.toml`: one training as a process of its own."""

import sys
import tomllib
from pathlib import Path

import torch

from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import check
from gradtruce.training.loop import train


def main() -> int:
    """Train by the configuration on standard input; an error is one line and status 2."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    try:
        config = check(tomllib.loads(sys.stdin.read()), RunConfig, where=str(folder))
        train(config, folder)
    except (ValueError, TypeError, OSError, ArithmeticError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

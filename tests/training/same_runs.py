"""Whether two run folders are equal to the bit in all but the time that it took."""

import json
from pathlib import Path
from typing import Any

import torch

from gradtruce.training.checkpoint import load_trainer

_TIMED = ("seconds", "seconds_left")
_ASIDE = (
    "log",  # its size, which changes with the digits of seconds
    "python",  # random numbers, of which beartype draws some at every check of a shape
)


def log_of(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a log without what depends on the clock, or tells of resuming."""
    lines = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        {key: value for key, value in line.items() if key not in _TIMED}
        for line in lines
        if not line.get("text", "").startswith(("resumed", "stopped", "a checkpoint was not"))
    ]


def same_values(one: Any, other: Any) -> bool:
    """Return whether two states hold the same to the bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            key in _ASIDE or same_values(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_values, one, other))
    return one == other or (one != one and other != other)


def differences(one: Path, other: Path) -> list[str]:
    """Return what differs between two finished runs; nothing where all is equal to the bit."""
    found = [
        name
        for name in ("predictions.jsonl", "metrics.json", "config.toml")
        if (one / name).read_bytes() != (other / name).read_bytes()
    ]
    for name in ("best", "last"):
        folders = [run / "checkpoints" / name for run in (one, other)]
        if folders[0].resolve().name != folders[1].resolve().name:
            found.append(f"{name} is of another step")
        weights, others = (folder / "model.safetensors" for folder in folders)
        if weights.read_bytes() != others.read_bytes():
            found.append(f"weights of {name}")
    state, other_state = (load_trainer(run / "checkpoints" / "last") for run in (one, other))
    found += [
        f"state {key!r}"
        for key in state
        if key not in _ASIDE and not same_values(state[key], other_state[key])
    ]
    if log_of(one) != log_of(other):
        found.append("log")
    return found

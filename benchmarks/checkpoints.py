"""What a checkpoint takes: bytes, seconds to write and to check, beside a plain write of the files.

    python -m benchmarks.checkpoints [--folder DISK] [--repeats 5]

Weights and the optimizer's two means of R2Gen, as every training writes them. "plain" writes the
same files without flushing or hashing. The smallest time of some repeats, on the disk of the
folder.
"""

import argparse
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.methods.registry import Method, build
from gradtruce.methods.weights.saved_method import TRAINER_FILE
from gradtruce.training.assembly import build_optimizer
from gradtruce.training.checkpoint import Checkpoints
from gradtruce.training.config import MethodConfig, TrainingConfig

WORDS = 1_000
"""About as many as R2Gen's vocabulary of IU X-Ray has."""


def method_and_state(preset: str) -> tuple[Method, dict[str, Any]]:
    """Return a method and the state of its optimizer after a step."""
    text = " ".join(f"word{number}" for number in range(WORDS))
    method = build("r2gen", build_tokenizer([text], 1), MethodConfig(preset=preset).options)
    optimizer = build_optimizer(TrainingConfig(), method)
    for parameter in method.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return method, {"optimizer": optimizer.state_dict()}


def write_plain(folder: Path, method: Method, state: Mapping[str, Any]) -> None:
    """Write the files as they are."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    method.save_pretrained(folder)
    torch.save(state, folder / TRAINER_FILE)


def least_seconds(repeats: int, work: Callable[[int], object]) -> float:
    """Return the smallest time of some repeats."""
    times = []
    for number in range(1, repeats + 1):
        start = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/checkpoint-benchmark"))
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    print("| method | MB | of it weights | plain s | checkpoint s | found and checked s |")
    print("|---|---|---|---|---|---|")
    for preset in ("r2gen-tiny", "r2gen-paper"):
        print(row(preset, chosen.folder / preset, chosen.repeats))
    shutil.rmtree(chosen.folder)


def row(preset: str, folder: Path, repeats: int) -> str:
    """Return the line of a size."""
    method, state = method_and_state(preset)
    shutil.rmtree(folder, ignore_errors=True)
    checkpoints = Checkpoints(folder / "checkpoints")
    plain = least_seconds(repeats, lambda _: write_plain(folder / "plain", method, state))

    def save(step: int) -> None:
        checkpoints.save([method.save_pretrained], state, step=step, best_step=step)

    saved = least_seconds(repeats, save)
    found = least_seconds(repeats, lambda _: checkpoints.newest())
    files = list((folder / "plain").iterdir())
    size = sum(path.stat().st_size for path in files) / 1e6
    weights = (folder / "plain" / "model.safetensors").stat().st_size / 1e6
    return f"| {preset} | {size:.1f} | {weights:.1f} | {plain:.3f} | {saved:.3f} | {found:.3f} |"


if __name__ == "__main__":
    main()

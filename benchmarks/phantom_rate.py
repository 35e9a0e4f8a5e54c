"""How many phantom studies a core draws in a minute.

Run with `OMP_NUM_THREADS=1 python benchmarks/phantom_rate.py` on an idle machine. Prints a line a
size: studies a minute by wall clock and by processor time, two views each, the mix of findings of
the level. The processor's count does not suffer from neighbours on a shared machine.
"""

import argparse
import time

from gradtruce.data.phantom.generate import generate


def measure(level: str, size: int, studies: int) -> tuple[float, float]:
    """Return studies a minute by wall clock and by processor time."""
    next(generate(level, 1, size=size))
    wall, processor = time.perf_counter(), time.process_time()
    for _ in generate(level, studies, size=size, seed=1):
        pass
    return (
        60 * studies / (time.perf_counter() - wall),
        60 * studies / (time.process_time() - processor),
    )


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", default="standard")
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 128, 256])
    parser.add_argument("--studies", type=int, default=100)
    options = parser.parse_args()
    for size in options.sizes:
        wall, processor = measure(options.level, size, options.studies)
        print(f"{size:4d} px: {wall:6.0f} studies a minute, {processor:6.0f} of processor time")


if __name__ == "__main__":
    main()

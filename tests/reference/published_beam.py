"""The beam search of R2Gen's code in lists, every prefix scored anew, always to the last step."""

from collections.abc import Callable, Sequence


def search(
    log_chances: Callable[[list[int]], Sequence[float]],
    bos: int,
    beams: int,
    steps: int,
    eos: int,
) -> list[int]:
    """Return the words of the best report, eos included where it has one."""
    running: list[tuple[float, list[int]]] = [(0.0, [])]
    done: list[tuple[float, list[int]]] = []
    for t in range(steps):
        candidates = [
            (total + chance, [*words, token])
            for total, words in running
            for token, chance in enumerate(log_chances([bos, *words]))
        ]
        candidates.sort(key=lambda candidate: -candidate[0])  # stable: beam, then token
        running = []
        for total, words in candidates[:beams]:
            has_ended = words[-1] == eos
            if has_ended or t == steps - 1:
                done.append((total, words))
            running.append((total - 1000 if has_ended else total, words))
    done.sort(key=lambda note: -note[0])
    return done[0][1]

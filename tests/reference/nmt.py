"""Prioritised tasks as a plain program: one stage after the other, a multiplier a constraint."""


def nmt(
    losses: list[list[float]], *, stage_steps: int, eta: float, epsilon: float, window: int
) -> list[list[float]]:
    """Return the coefficients of every step, all tasks active; losses[step][task]."""
    K = len(losses[0])
    reached: list[float] = []
    mu: list[float] = []
    seen: list[float] = []
    found = []
    for now in losses:
        k = len(reached) if len(reached) < K else K - 1
        shares = [1.0 if j == k else (mu[j] if j < k else 0.0) for j in range(K)]
        found.append([share / sum(shares) for share in shares])
        for j in range(k):
            mu[j] = max(0.0, mu[j] + eta * (now[j] - reached[j] - epsilon))
        if len(reached) < K:
            seen.append(now[k])
        if len(seen) == stage_steps:
            reached.append(running_mean(seen, window))
            mu.append(0.0)
            seen = []
    return found


def running_mean(values: list[float], window: int) -> float:
    mean = 0.0
    for n, value in enumerate(values, start=1):
        share = 1 / min(n, window)
        mean = (1 - share) * mean + share * value
    return mean

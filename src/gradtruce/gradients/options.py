"""Which options of the engine go together."""

from collections.abc import Sequence

from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    FeatureReader,
    GradientNoise,
    RowTransform,
    TaskSchedule,
)


def is_of_rows(balancer: Balancer) -> bool:
    """Return whether a balancer works on the gradients of every task.

    >>> from gradtruce.balance import CAMEGrad, Linear
    >>> is_of_rows(CAMEGrad()), is_of_rows(Linear())
    (True, False)
    """
    return balancer.needs != "losses" or isinstance(balancer, RowTransform | GradientNoise)


def require_options(scope: str, shared: object | None, check: str | None) -> None:
    """Refuse unknown words, and a choice of parameters that the scope contradicts.

    Raises:
        ValueError: If an option is none of those known.
    """
    if scope not in {"shared", "all", "features"}:
        raise ValueError(f"scope must be 'shared', 'all' or 'features', got {scope!r}")
    if check not in {None, "now", "deferred"}:
        raise ValueError(f"check must be 'now' or 'deferred', got {check!r}")
    if scope != "shared" and shared is not None:
        raise ValueError(f"shared=[…] contradicts scope={scope!r}; give one of them")


def require_possible(
    balancer: Balancer, *, scope: str, every: int, check: str | None, scaler: object | None
) -> None:
    """Refuse what contradicts itself, and cheaper modes that a balancer cannot go with.

    Raises:
        ValueError: If the balancer needs the rows of each step, and they would not be there; or if
            a check is asked for where a scaler decides.
    """
    if check is not None and scaler is not None:
        raise ValueError(
            f"check={check!r} contradicts scaler=: a scaler skips steps that are not finite by "
            "itself; leave check out"
        )
    mode = "scope='features'" if scope == "features" else f"every={every}" if every != 1 else ""
    rows = isinstance(balancer, RowTransform | GradientNoise | FeatureReader)
    if mode and (rows or balancer.needs == "blocks"):
        raise ValueError(
            f"balancer {balancer.name!r} needs the gradients of every task in each step, which "
            f"{mode} does without"
        )


def require_exact_rows(
    balancer: Balancer,
    sketch: int | None,
    clips: Sequence[float | None],
    is_sharded: bool,
    scope: str,
    every: int,
) -> None:
    """Refuse what rows that are sketched, or sharded by FSDP2, cannot give.

    Raises:
        ValueError: If a sketch is to serve where numbers of the mean rows are needed.
        NotImplementedError: If a sharded model is to be run backward to some parameters alone.
    """
    if sketch is not None and any(limit is not None for limit in clips):
        raise ValueError(
            "sketch= knows neither norms nor numbers of the update before it is averaged; leave "
            "clip_norm and clip_value out and clip .grad after backward"
        )
    if sketch is not None and isinstance(balancer, RowTransform):
        raise ValueError(
            f"sketch= leaves rows on their ranks, but balancer {balancer.name!r} changes the mean "
            "rows; leave one of them out"
        )
    mode = "scope='features'" if scope == "features" else f"every={every}" if every != 1 else ""
    if is_sharded and mode and scope != "all":
        raise NotImplementedError(
            f"{mode} takes backward passes to some parameters alone, which FSDP2 cannot; use DDP, "
            "or scope='all'"
        )


def require_scope_of_features(rule: str, features: object | None, *, is_whole: bool) -> None:
    """Refuse features where none are looked at, and micro-batches of them.

    Raises:
        ValueError: If so.
    """
    if features is not None and rule != "features":
        raise ValueError("features= is for an engine that was made with scope='features'")
    if not is_whole:
        raise ValueError(
            "scope='features' cannot add up micro-batches: the weights of the losses come from all "
            "of their features, and the graphs of earlier ones are gone by then"
        )


def require_seed(balancer: Balancer, seed: int | None) -> None:
    """Refuse a balancer that draws random numbers without a seed.

    Raises:
        ValueError: If it has none.
    """
    if seed is None and isinstance(balancer, RowTransform | TaskSchedule | GradientNoise):
        raise ValueError(f"balancer {balancer.name!r} draws random numbers: give seed=")


def needs_step(balancer: Balancer) -> bool:
    """Return whether a balancer sees losses again, or updates several times a batch."""
    return isinstance(balancer, AfterStep | TaskSchedule)


def require_backward(balancer: Balancer) -> None:
    """Refuse `backward` for a balancer that only `step` can drive.

    Raises:
        TypeError: If it is one.
    """
    if needs_step(balancer):
        raise TypeError(
            f"balancer {balancer.name!r} must see losses again or update several times a "
            "batch: call step(compute_losses, optimizer) in place of backward"
        )

"""The static weights of a method's tasks, and the auxiliary ones of a run scaled together."""

from functools import lru_cache

from gradtruce.training.config import MethodConfig, RunConfig


def task_weights(method: MethodConfig) -> dict[str, float]:
    """Return the weight that every task of a method has where none is given, primary first.

    >>> task_weights(MethodConfig(preset="r2gen-tiny"))
    {'report': 1.0, 'findings': 4.0}
    """
    return dict(_task_weights(method.model_dump_json()))


@lru_cache
def _task_weights(method: str) -> tuple[tuple[str, float], ...]:
    import torch  # noqa: PLC0415 # with transformers it takes seconds, and most plans need no weights

    from gradtruce.data.tokenizer import build_tokenizer  # noqa: PLC0415 # as above
    from gradtruce.methods.registry import build  # noqa: PLC0415 # as above

    config = MethodConfig.model_validate_json(method)
    with torch.device("meta"):  # the tasks follow from the options; no weight is drawn
        built = build(config.name, build_tokenizer(["clear"], 1), config.options)
    return tuple((task.name, task.weight) for task in built.tasks)


def scale_auxiliary(config: RunConfig, scale: float) -> RunConfig:
    """Return the run with the weight of every auxiliary task multiplied.

    Args:
        config: Whose `balance.weights` win over those of the method.
        scale: Above 0.

    >>> config = RunConfig(data={"path": "x"}, method={"preset": "r2gen-tiny"},
    ...                    balance={"weights": {"findings": 4.0}})
    >>> scale_auxiliary(config, 0.5).balance.weights
    {'report': 1.0, 'findings': 2.0}
    """
    own = task_weights(config.method)
    primary = next(iter(own))
    scaled = {
        task: weight if task == primary else scale * weight
        for task, weight in (own | config.balance.weights).items()
    }
    balance = config.balance.model_copy(update={"weights": scaled})
    return config.model_copy(update={"balance": balance})

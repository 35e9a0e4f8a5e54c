"""Tasks that start late or compare studies, and side effects, in the steps of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import TaskSpec
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets
from gradtruce.methods.registry import Method, build
from gradtruce.training.assembly import TrainingParts, build_engine, build_method, build_optimizer
from gradtruce.training.config import RunConfig, TrainingConfig
from gradtruce.training.spread import InOneProcess
from gradtruce.training.stepper import Stepper
from tests.methods.studies import SMALL, make_batch, make_method, make_tokenizer


class Spread(Objective):
    """How alike the studies of a batch look, from the second epoch on."""

    def __init__(self) -> None:
        spec = TaskSpec("spread", 0.5, "auxiliary", start_epoch=1, is_batch_coupled=True)
        super().__init__(spec)

    def has_targets(self, targets: Targets) -> bool:
        return len(targets.input_ids) > 1

    def count(self, targets: Targets) -> Tensor:
        return torch.tensor(len(targets.input_ids))

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Tensor:
        return outputs.visual.pooled.var(dim=0).sum() * len(targets.input_ids) / count


def make_parts(**training: Any) -> tuple[TrainingParts, TrainingConfig]:
    """Return R2Gen with one more task, two optimizer steps an epoch."""
    method: Method = make_method("r2gen")
    method.objectives["spread"] = Spread()
    config = RunConfig(
        data={"path": "none"}, training={"schedule": {"name": "constant"}, **training}
    )
    engine, optimizer = build_engine(config, method), build_optimizer(config.training, method)
    parts = TrainingParts(InOneProcess(method), engine, optimizer, steps_per_epoch=2, total_steps=4)
    return parts, config.training


def test_a_task_that_starts_late_has_no_loss_before() -> None:
    parts, config = make_parts()
    stepper, batch = Stepper(parts, config), make_batch(studies=4)
    steps = [stepper.step([batch], step)["active"] for step in range(4)]
    assert [active["spread"] for active in steps] == [False, False, True, True]
    assert stepper.seen == {"report", "findings", "spread"}


def test_side_effects_come_once_a_step_with_all_its_micro_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts, config = make_parts(accumulation=3, batch_size=2)
    calls: list[Sequence[Batch]] = []
    monkeypatch.setattr(parts.method, "on_step_end", calls.append)
    batches = [make_batch(studies=2, seed=seed) for seed in range(3)]
    Stepper(parts, config).step(batches, 0)
    assert calls == [batches]


def test_one_study_a_batch_is_refused_where_a_task_compares_studies() -> None:
    parts, config = make_parts(batch_size=1)
    with pytest.raises(ValueError, match="batch_size must be at least 2 for 'spread'"):
        Stepper(parts, config)


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    saved = build("r2gen", make_tokenizer(), SMALL["r2gen"])
    saved.save_pretrained(tmp_path)
    config = RunConfig(
        data={"path": "none"},
        method={"name": "r2gen_cmn", "options": SMALL["r2gen_cmn"], "start_from": [str(tmp_path)]},
    )
    method = build_method(config, make_tokenizer())
    first, second = saved.visual.state_dict(), method.visual.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_betas_and_epsilon_reach_the_optimizer() -> None:
    for optimizer in ("adamw", "adam_amsgrad"):
        parts, _ = make_parts(optimizer=optimizer, betas=(0.9, 0.98), epsilon=1e-9)
        assert parts.optimizer.defaults["betas"] == (0.9, 0.98)
        assert parts.optimizer.defaults["eps"] == 1e-9


def test_only_matrices_decay_where_asked() -> None:
    parts, _ = make_parts(decayed="matrices", weight_decay=0.05)
    groups = parts.optimizer.param_groups
    assert [group["name"] for group in groups] == ["backbone", "backbone", "rest", "rest"]
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0, 0.05, 0.0]
    assert all(each.ndim > 1 for group in groups[::2] for each in group["params"])
    assert all(each.ndim < 2 for group in groups[1::2] for each in group["params"])
    held = sum(len(group["params"]) for group in groups)
    assert held == len(list(parts.method.parameters()))

"""Every balancer of the package trains a method, by its name alone."""

import pytest

import gradtruce.balance
from gradtruce.gradients.balancer import Balancer
from gradtruce.training.loop import train
from gradtruce.training.runlog import read_log

OPTIONS = {"ema": {"balancer": "came_grad"}}
NAMES = sorted(
    name
    for name, kind in Balancer.known.items()
    if kind.__module__.startswith(f"{gradtruce.balance.__name__}.")
)


def balance(name):
    return {"name": name, "options": OPTIONS.get(name, {})}


@pytest.mark.parametrize("name", NAMES)
def test_a_balancer_trains_by_its_name(tiny_config, tmp_path, name):
    train(tiny_config(balance(name), steps=2, null_every=0), tmp_path / "run")
    steps = list(read_log(tmp_path / "run" / "log.jsonl", "step"))
    assert steps
    assert all(line["finite"] and set(line["coefficients"]) for line in steps)
    assert all(line["gradient_norm"] > 0 for line in steps)


def test_a_balancer_that_sees_the_batch_again_takes_it_in_one_piece(tiny_config, tmp_path):
    with pytest.raises(ValueError, match="accumulation must be 1"):
        train(tiny_config(balance("famo"), accumulation=2), tmp_path / "run")

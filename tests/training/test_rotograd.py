"""RotoGrad in a run: the balancer has the rotations made, and the method keeps them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gradtruce.evaluation.predictions import read_predictions
from gradtruce.methods.registry import load
from gradtruce.training.assembly import build_method
from gradtruce.training.config import MethodConfig, RunConfig
from gradtruce.training.data_parts import load_data
from gradtruce.training.loop import train
from gradtruce.training.prediction import predict
from gradtruce.training.runlog import read_log
from gradtruce.training.validation import decoding_of

Config = Callable[..., RunConfig]
FAST = {"name": "rotograd", "options": {"learning_rate": 0.3}}


def told(config: RunConfig) -> RunConfig:
    """Return a run whose decoder is told the scores of the findings head."""
    options = {**config.method.options, "findings_token": True}
    return config.model_copy(update={"method": MethodConfig(name="r2gen", options=options)})


def test_a_saved_method_writes_the_reports_of_its_run(tiny_config: Config, tmp_path: Path) -> None:
    config = told(tiny_config(FAST, steps=6))
    train(config, tmp_path / "run")
    method = load(tmp_path / "run" / "checkpoints" / "best")
    rotations = method.visual.rotations
    apart = rotations.matrices[0] - rotations.matrices[1]
    assert apart.norm() > 0.1
    data = load_data(config)
    found = predict(
        method, data.test, decoding_of(config), label_source=data.dataset.manifest.label_source
    )
    assert found == list(read_predictions(tmp_path / "run" / "predictions.jsonl"))
    steps = list(read_log(tmp_path / "run" / "log.jsonl", "step"))
    assert len(steps) == 6
    assert all(line["coefficients"]["report"] > 0 for line in steps)


def test_rotations_are_all_that_the_balancer_adds_at_the_start(tiny_config: Config) -> None:
    config = tiny_config({"name": "linear"})
    tokenizer = load_data(config).tokenizer
    plain = build_method(config, tokenizer)
    draw = torch.rand(1)
    method = build_method(tiny_config(FAST), tokenizer)
    assert torch.equal(torch.rand(1), draw)
    state, more = plain.state_dict(), method.state_dict()
    assert set(more) - set(state) == {"visual.rotations.angles", "visual.rotations.matrices"}
    assert all(torch.equal(more[name], value) for name, value in state.items())
    assert [each.shape for each in method.parameters()] == [
        each.shape for each in plain.parameters()
    ]


def test_a_part_of_the_features_can_be_turned(tiny_config: Config) -> None:
    config = tiny_config({"name": "rotograd", "options": {"rot_dim": 3, "by": "cayley"}})
    method = build_method(config, load_data(config).tokenizer)
    assert method.visual.rotations.matrices.shape == (2, 3, 3)
    assert method.config.rotations["by"] == "cayley"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("wcl", {}, "tasks share heads in 'wcl'; .* r2gen, r2gen_cmn, promptmrg, ddatr"),
        ("camanet", {"attention_layer": 0}, "tasks share heads in 'camanet'"),
        ("r2gen", {"findings_weight": 0.0}, "only 'report' has one in 'r2gen'"),
    ],
)
def test_a_method_without_heads_of_their_own_is_refused_at_the_start(
    tiny_config: Config, tmp_path: Path, name: str, options: dict, message: str
) -> None:
    config = tiny_config(FAST)
    method = MethodConfig(name=name, options={**config.method.options, **options})
    with pytest.raises(ValueError, match=message):
        train(config.model_copy(update={"method": method}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_runs_do_not_start_from_heads_of_rotated_features(
    tiny_config: Config, tmp_path: Path
) -> None:
    config = tiny_config(FAST)
    tokenizer = load_data(config).tokenizer
    build_method(config, tokenizer).save_pretrained(tmp_path)
    start = config.method.model_copy(update={"start_from": (str(tmp_path),)})
    build_method(config.model_copy(update={"method": start}), tokenizer)
    linear = tiny_config({"name": "linear"}).model_copy(update={"method": start})
    with pytest.raises(ValueError, match="heads see rotated features"):
        build_method(linear, tokenizer)

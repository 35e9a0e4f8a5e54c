"""Training in 16 bits: near float32, resumed to the bit, overflow skipped and told."""

import math

import pytest
import torch

from gradtruce.data.batch import Batch
from gradtruce.training import assembly
from gradtruce.training.assembly import build_training
from gradtruce.training.checkpoint import load_trainer
from gradtruce.training.data_parts import load_data
from gradtruce.training.loop import train
from gradtruce.training.null import measure_null
from gradtruce.training.precision import require_precision
from gradtruce.training.prediction import mean_losses
from gradtruce.training.runlog import read_log
from gradtruce.training.stepper import Stepper
from tests.training.test_loop import Interrupt, assert_same_weights, interrupt_at, steps_of, weights

HUGE = 2.0**34  # overflows at first, and not any more after a few halvings


@pytest.fixture
def scaled(monkeypatch):
    """Let float16 be trained on the processor, slowly, from a scale that overflows at first."""

    def scaler(precision, device):
        if precision != "fp16":
            return None
        return torch.amp.GradScaler(device.type, init_scale=HUGE, growth_interval=3)

    monkeypatch.setattr(assembly, "require_precision", lambda *_: None)
    monkeypatch.setattr(assembly, "gradient_scaler", scaler)


def stepper_of(config):
    data = load_data(config)
    parts = build_training(config, data)
    batch: Batch = next(iter(data.train))
    return Stepper(parts, config.training), parts, batch


def test_bfloat16_trains_on_the_processor_near_float32(tiny_config, tmp_path):
    for precision in ("fp32", "bf16"):
        train(tiny_config(precision=precision), tmp_path / precision)
    exact, found = (steps_of(tmp_path / precision) for precision in ("fp32", "bf16"))
    for line, other in zip(exact, found, strict=True):
        assert other["losses"] == pytest.approx(line["losses"], rel=0.02)
        assert other["losses"] != line["losses"]
        assert "scale" not in other
    assert all(value.dtype != torch.bfloat16 for value in weights(tmp_path / "bf16").values())


def test_validation_and_the_null_are_measured_as_training_computes(tiny_config):
    config = tiny_config(precision="bf16")
    data = load_data(config)
    method = build_training(config, data).method
    exact, found = (mean_losses(method, data.val, each) for each in ("fp32", "bf16"))
    assert found == pytest.approx(exact, rel=0.02)
    assert found != exact
    batch = next(iter(data.train))
    nulls = [measure_null(method, batch, precision=each) for each in ("fp32", "bf16", "fp16")]
    cosines = [each.cross_task["report|findings"] for each in nulls]
    assert len(set(cosines)) == 2
    assert cosines[1] == pytest.approx(cosines[0], abs=0.1)
    assert cosines[2] == cosines[0]


@pytest.mark.usefixtures("scaled")
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_resumed_run_equals_an_uninterrupted_one(tiny_config, tmp_path, precision):
    config = tiny_config(precision=precision, steps=20)
    train(config, tmp_path / "whole")
    with pytest.raises(Interrupt):
        train(config, tmp_path / "parts", progress=interrupt_at(15))
    train(config, tmp_path / "parts", resume=True)
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")
    assert steps_of(tmp_path / "whole") == steps_of(tmp_path / "parts")
    states = [load_trainer(tmp_path / name / "checkpoints" / "last") for name in ("whole", "parts")]
    assert states[0]["scaler"] == states[1]["scaler"]
    assert states[0]["skipped"] == states[1]["skipped"]
    assert (states[0]["skipped"] > 0) == (precision == "fp16")


@pytest.mark.usefixtures("scaled")
def test_steps_that_overflow_change_nothing_and_are_counted(tiny_config, tmp_path):
    train(tiny_config(precision="fp16", steps=20), tmp_path / "run")
    lines = list(read_log(tmp_path / "run" / "log.jsonl", "step"))
    skipped = [line for line in lines if not line["finite"]]
    assert skipped
    assert len(skipped) < len(lines)
    assert lines[-1]["skipped_steps"] == len(skipped)
    assert lines[0]["skipped_steps"] == 1
    assert lines[0]["scale"] == HUGE / 2
    assert all(line["gradient_norm"] is None and not line["clipped"] for line in skipped)


@pytest.mark.usefixtures("scaled")
@pytest.mark.parametrize("balance", ["linear", "came_grad", "famo"])
def test_a_skipped_step_leaves_weights_and_side_effects_alone(tiny_config, monkeypatch, balance):
    config = tiny_config({"name": balance}, precision="fp16", steps=30)
    stepper, parts, batch = stepper_of(config)
    calls = []
    monkeypatch.setattr(parts.method, "on_step_end", calls.append)
    before = [each.clone() for each in parts.method.parameters()]
    line = stepper.step([batch], 0)
    assert all(map(torch.equal, before, parts.method.parameters()))
    assert not calls
    assert math.isnan(line["gradient_norm"])
    step = 0
    while not line["finite"]:
        step += 1
        line = stepper.step([batch], step)
    assert len(calls) == 1
    assert not all(map(torch.equal, before, parts.method.parameters()))
    assert line["gradient_norm"] > 0


def test_clipping_sees_gradients_without_the_scale(tiny_config, monkeypatch):
    monkeypatch.setattr(assembly, "require_precision", lambda *_: None)
    norms = {}
    for precision in ("fp32", "fp16"):
        config = tiny_config(precision=precision, clip={"kind": "norm", "limit": 1e-3})
        stepper, _, batch = stepper_of(config)
        line = stepper.step([batch], 0)
        assert line["clipped"]
        norms[precision] = line["gradient_norm"]
    assert norms["fp16"] == pytest.approx(norms["fp32"], rel=0.02)


@pytest.mark.usefixtures("scaled")
def test_a_method_that_overflows_at_every_scale_is_told_of(tiny_config):
    stepper, parts, batch = stepper_of(tiny_config(precision="fp16"))
    torch.nn.init.constant_(parts.method.decoder.scores.weight, math.inf)
    for step in range(34):
        stepper.step([batch], step)
    with pytest.raises(FloatingPointError, match=r'scaled by 0\.5: .* take "bf16" or "fp32"'):
        stepper.step([batch], 34)


def test_float16_on_a_processor_is_refused_before_anything_is_trained(tiny_config, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match=r'"fp16" needs a GPU: .* take "bf16" or "fp32"'):
        train(tiny_config(precision="fp16"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_gpu_without_bfloat16_is_told_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    with pytest.raises(ValueError, match=r'Tesla T4 has no bfloat16 products; take "fp16"'):
        require_precision("bf16", torch.device("cuda"))
    require_precision("fp16", torch.device("cuda"))

"""Every example runs, and is short."""

import ast
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

import gradtruce as gt

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))

every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


@every_example
def test_an_example_runs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            name = getattr(statement, "module", None) or statement.names[0].name
            pytest.importorskip(name, reason=f"{name} is not installed")
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


@every_example
def test_an_example_has_fewer_than_forty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 40


def test_the_trainer_makes_the_updates_of_a_plain_loop(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    names = runpy.run_path(str(FOLDER / "hugging_face_trainer.py"))
    layers = [nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)]
    model = names["TwoHeads"](*layers)
    plain = names["TwoHeads"](nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    plain.load_state_dict(model.state_dict())
    rows = torch.randn(24, 4)
    options = transformers.TrainingArguments(
        str(tmp_path),
        num_train_epochs=1,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        learning_rate=0.01,
        lr_scheduler_type="constant",
        train_sampling_strategy="sequential",
        max_grad_norm=0.5,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = names["BalancedTrainer"](model, options, train_dataset=[{"x": row} for row in rows])
    trainer.train()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.01, weight_decay=0.0)
    engine = gt.TaskGradients(plain, gt.CAMEGrad(), tasks=("up", "down"))
    for batch in rows.split(8):
        engine.backward(plain(batch)["losses"])
        nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
    assert trainer.state.global_step == 3
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other)

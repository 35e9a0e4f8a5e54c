import json
from pathlib import Path

import pytest
import torch

from gradtruce.balance import CAMEGrad
from gradtruce.gradients import StepRecord, TaskGradients
from gradtruce.gradients.recorder import Recorder
from tests.gradients.toys import WEIGHTS, TwoHeads, batch


def records(count: int) -> list[StepRecord]:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    found = []
    for seed in range(count):
        found.append(engine.backward(model(batch(seed=seed))))
        model.zero_grad()
    return found


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_nothing_is_read_before_enough_records_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    plain = StepRecord.to_dict
    monkeypatch.setattr(StepRecord, "to_dict", lambda self: read.append(self.step) or plain(self))
    path = tmp_path / "steps.jsonl"
    recorder = Recorder(path, every=3)
    for count, record in enumerate(records(5), start=1):
        recorder.add(record)
        assert len(read) == len(lines(path)) == count // 3 * 3
    recorder.close()
    assert [line["step"] for line in lines(path)] == read == [1, 2, 3, 4, 5]
    recorder.close()  # once more is no error
    with pytest.raises(ValueError, match="is closed"):
        recorder.add(record)


def test_a_line_is_the_record_and_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    record = records(1)[0]
    with Recorder(path) as recorder:
        several = torch.tensor([1.0, torch.inf])
        recorder.add(record, rate=torch.tensor(0.5), split="train", lost=float("nan"), each=several)
    extra = {"rate": 0.5, "split": "train", "lost": None, "each": [1.0, None]}
    wanted = {"schema": 1, **record.to_dict(), **extra}
    assert lines(path) == [wanted]


def break_down(path: Path) -> None:
    with Recorder(path) as recorder:
        recorder.add(records(1)[0])
        raise KeyError("broken")


def test_lines_are_written_though_the_run_breaks(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    with pytest.raises(KeyError):
        break_down(path)
    with Recorder(path) as recorder:  # a resumed run goes on in the same file
        recorder.add(records(2)[1])
    assert [line["step"] for line in lines(path)] == [1, 2]


@pytest.mark.parametrize("name", ["losses", "gain", "clipped"])
def test_a_name_of_the_record_is_refused_at_once(tmp_path: Path, name: str) -> None:
    record = records(1)[0]
    recorder = Recorder(tmp_path / "steps.jsonl")
    with pytest.raises(ValueError, match=f"a {name!r} of its own"):
        recorder.add(record, **{name: 1.0})


def test_an_interval_below_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="from 1 on, got 0"):
        Recorder(tmp_path / "steps.jsonl", every=0)

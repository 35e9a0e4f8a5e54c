import json
import shutil
from pathlib import Path

import pytest
import torch

from gradtruce.data.prepared import PreparedDataset
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import read_predictions
from gradtruce.methods.registry import load
from gradtruce.training.config_file import load_config, write_config
from gradtruce.training.generation import generate
from gradtruce.training.loop import train
from gradtruce.training.runlog import read_log
from gradtruce.training.validation import decoding_of


class Interrupt(BaseException):
    """A stop from outside."""


def interrupt_at(step):
    def watch(progress):
        if progress.phase == "training" and progress.done == step:
            raise Interrupt

    return watch


def weights(run, name="last"):
    return load(run / "checkpoints" / name).state_dict()


def assert_same_weights(one, other):
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def steps_of(run):
    timed = ("seconds", "seconds_left")
    return [
        {key: value for key, value in line.items() if key not in timed}
        for line in read_log(run / "log.jsonl", "step")
    ]


@pytest.fixture(scope="module")
def finished(tiny_config, tmp_path_factory):
    """Return a finished run of `tiny_config()`, and the phases it went through."""
    phases = []
    folder = tmp_path_factory.mktemp("finished") / "run"
    result = train(tiny_config(), folder, progress=lambda progress: phases.append(progress.phase))
    return result, phases


@pytest.fixture
def run(finished):
    return finished[0].folder


def test_a_run_leaves_what_the_next_commands_read(tiny_config, tiny_set, finished, run):
    assert load_config(run / "config.toml") == tiny_config()
    assert load(run / "checkpoints" / "best").decoding == decoding_of(tiny_config())
    predictions = read_predictions(run / "predictions.jsonl")
    assert [p.id for p in predictions] == list(PreparedDataset.open(tiny_set).split("test").ids)
    assert predictions[0].labels is not None
    assert predictions[0].label_source == "made up"
    assert predictions[0].findings is not None
    assert Metrics.read(run / "metrics.json") == finished[0].metrics
    assert (run / "checkpoints" / "best" / "preprocessor_config.json").is_file()
    assert load(run / "checkpoints" / "best").tokenizer is not None


def test_the_log_tells_of_every_step(run):
    lines = steps_of(run)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert [line["epoch"] for line in lines] == [0, 0, 0, 1]
    first = lines[0]
    assert set(first["losses"]) == {"report", "findings"}
    assert set(first["cosines"]) == {"report|findings"}
    assert set(first["learning_rates"]) == {"backbone", "rest"}
    for key in ("coefficients", "norms", "joint_norm", "update_norm", "gradient_norm", "clipped"):
        assert key in first


def test_every_line_of_the_log_is_strict_json(run):
    for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_progress_goes_from_preparing_to_done(finished):
    assert list(dict.fromkeys(finished[1])) == ["preparing", "training", "generating", "done"]


def test_the_same_seed_gives_the_same_bits(tiny_config, run, tmp_path):
    train(tiny_config(), tmp_path / "again")
    assert_same_weights(run, tmp_path / "again")
    assert steps_of(run) == steps_of(tmp_path / "again")
    texts = [(folder / "predictions.jsonl").read_bytes() for folder in (run, tmp_path / "again")]
    assert texts[0] == texts[1]


def test_another_seed_gives_another_run(tiny_config, run, tmp_path):
    train(tiny_config(seed=1, steps=1), tmp_path / "other")
    assert steps_of(run)[0]["losses"] != steps_of(tmp_path / "other")[0]["losses"]


@pytest.mark.parametrize("stop", [3, 5])
def test_a_resumed_run_equals_an_uninterrupted_one(tiny_config, tmp_path, stop):
    config = tiny_config(steps=6, data={"augmentation": "crop"})
    train(config, tmp_path / "whole")
    with pytest.raises(Interrupt):
        train(config, tmp_path / "parts", progress=interrupt_at(stop))
    train(config, tmp_path / "parts", resume=True)
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")
    assert steps_of(tmp_path / "whole") == steps_of(tmp_path / "parts")
    metrics = [Metrics.read(tmp_path / name / "metrics.json") for name in ("whole", "parts")]
    assert metrics[0] == metrics[1]


def test_measuring_the_null_leaves_the_training_as_it_was(tiny_config, run, tmp_path):
    train(tiny_config(null_every=0), tmp_path / "without")
    assert_same_weights(run, tmp_path / "without")
    nulls = list(read_log(run / "log.jsonl", "null"))
    assert [line["step"] for line in nulls] == [2, 4]
    assert set(nulls[0]["within_task"]) == {"report", "findings"}
    assert set(nulls[0]["cross_task"]) == {"report|findings"}
    assert not list(read_log(tmp_path / "without" / "log.jsonl", "null"))


def test_a_micro_batch_of_one_study_has_no_null_and_the_log_says_so(tiny_config, tmp_path):
    run = train(tiny_config(batch_size=1, steps=2, null_every=1), tmp_path / "run").folder
    assert not list(read_log(run / "log.jsonl", "null"))
    assert "has no halves" in next(read_log(run / "log.jsonl", "note"))["text"]


def test_diagnostics_leave_linear_scalarization_as_it_was(tiny_config, tmp_path):
    for name, diagnostics in (("with", True), ("without", False)):
        balance = {"name": "linear", "diagnostics": diagnostics}
        train(tiny_config(balance=balance, null_every=0), tmp_path / name)
    with_rows, without = weights(tmp_path / "with"), weights(tmp_path / "without")
    for name, value in with_rows.items():
        torch.testing.assert_close(value, without[name], rtol=1e-3, atol=1e-4)
    assert "cosines" not in steps_of(tmp_path / "without")[0]


def test_micro_batches_add_up_to_the_whole_batch(tiny_config, tmp_path):
    shared = {"steps": 1, "null_every": 0}
    train(tiny_config(batch_size=4, accumulation=1, **shared), tmp_path / "whole")
    train(tiny_config(batch_size=2, accumulation=2, **shared), tmp_path / "parts")
    whole, parts = steps_of(tmp_path / "whole")[0], steps_of(tmp_path / "parts")[0]
    # Dropout and batch statistics differ between micro-batches; the scale of the losses must not.
    for task, loss in whole["losses"].items():
        assert parts["losses"][task] == pytest.approx(loss, rel=0.2)


def test_validation_marks_the_best(tiny_config, tmp_path):
    result = train(tiny_config(select="loss.report"), tmp_path / "run")
    lines = list(read_log(tmp_path / "run" / "log.jsonl", "validation"))
    assert [line["step"] for line in lines] == [2, 4]
    losses = [line["scores"]["loss.report"] for line in lines]
    assert result.best_step == (4 if losses[1] < losses[0] else 2)
    assert "clinical.micro_13.uncertain_negative.f1" in lines[0]["scores"]


def test_a_sum_of_scores_chooses_the_best_and_is_in_the_log(tiny_config, tmp_path):
    select = "nlg.bleu_1 + 0.5 * nlg.rouge_l"
    train(tiny_config(select=select), tmp_path / "run")
    scores = [each["scores"] for each in read_log(tmp_path / "run" / "log.jsonl", "validation")]
    expected = [each["nlg.bleu_1"] + 0.5 * each["nlg.rouge_l"] for each in scores]
    assert len(scores) == 2
    assert [each[select] for each in scores] == pytest.approx(expected)


def test_a_folder_that_exists_is_refused(tiny_config, tmp_path):
    with pytest.raises(FileExistsError, match=r"exists; resume it \(--resume\), remove it"):
        train(tiny_config(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_report_is_written_by_a_damaged_checkpoint(run, tiny_set, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    weights = copy / "checkpoints" / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match=r"best is damaged: model\.safetensors is not what was"):
        generate(copy, tiny_set, splits=["test"])


def test_a_run_is_gone_on_with_from_any_folder(tiny_config, tiny_set, tmp_path, monkeypatch):
    relative = tiny_config(data={"path": tiny_set.name})
    monkeypatch.chdir(tiny_set.parent)
    with pytest.raises(Interrupt):
        train(relative, tmp_path / "run", progress=interrupt_at(3))
    monkeypatch.chdir(tmp_path)
    Path("run").rename("moved")
    config = load_config(Path("moved/config.toml"))
    assert config.data.path == str(tiny_set)
    assert train(config, Path("moved"), resume=True).steps == 4
    with pytest.raises(ValueError, match="differs from the configuration given"):
        train(relative, Path("moved"), resume=True)  # another set: one beside this folder


def test_a_run_of_an_older_version_goes_on_where_it_was_begun(
    tiny_config, tiny_set, tmp_path, monkeypatch
):
    monkeypatch.chdir(tiny_set.parent)
    with pytest.raises(Interrupt):
        train(tiny_config(), tmp_path / "run", progress=interrupt_at(3))
    relative = tiny_config(data={"path": tiny_set.name})
    write_config(relative, tmp_path / "run" / "config.toml")
    assert train(relative, tmp_path / "run", resume=True).steps == 4


def test_a_data_set_that_was_moved_is_named(tiny_config, tmp_path):
    with pytest.raises(Interrupt):
        train(tiny_config(), tmp_path / "run", progress=interrupt_at(3))
    config = tiny_config(data={"path": str(tmp_path / "moved")})
    write_config(config, tmp_path / "run" / "config.toml")
    with pytest.raises(FileNotFoundError, match="moved is no prepared data set"):
        train(config, tmp_path / "run", resume=True)


def test_a_missing_data_set_leaves_no_folder(tiny_config, tmp_path):
    with pytest.raises(FileNotFoundError, match="gradtruce prepare"):
        train(tiny_config(data={"path": str(tmp_path / "none")}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        ({"name": "liner"}, "no balancer is called 'liner'; did you mean 'linear'"),
        ({"name": "came_grad", "options": {"radious": 1.0}}, "did you mean 'radius'"),
        ({"name": "linear", "weights": {"finding": 1.0}}, "did you mean 'findings'"),
    ],
)
def test_a_bad_balance_names_the_nearest_and_leaves_no_folder(
    tiny_config, tmp_path, balance, message
):
    with pytest.raises(ValueError, match=message):
        train(tiny_config(balance=balance), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_score_to_select_by_names_the_nearest(tiny_config, tmp_path):
    with pytest.raises(
        ValueError, match=r"did you mean 'clinical\.micro_13\.uncertain_negative\.f1'"
    ):
        train(tiny_config(select="clinical.micro_13.uncertain_negative.f"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_score_that_cannot_be_computed_here_says_why(tiny_config, unlabelled_set, tmp_path):
    data = {"path": str(unlabelled_set)}
    config = tiny_config(data=data, select="labeler.micro_13.uncertain_negative.f1")
    with pytest.raises(ValueError, match=r"'labeler\.micro_13\..*' can't be computed: "):
        train(config, tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_the_run_and_names_task_and_step(tiny_config, tmp_path):
    rates = {"backbone": 1e30, "rest": 1e30}
    config = tiny_config(learning_rate=rates, schedule={"name": "constant"}, clip={"kind": "none"})
    with pytest.raises(FloatingPointError, match=r"(report|findings).*step \d"):
        train(config, tmp_path / "run")
    notes = list(read_log(tmp_path / "run" / "log.jsonl", "note"))
    assert "stopped" in notes[-1]["text"]


def test_a_task_that_never_had_a_loss_is_an_error(tiny_config, unlabelled_set, tmp_path):
    config = tiny_config(data={"path": str(unlabelled_set)})
    with pytest.raises(ValueError, match="task 'findings' had no loss in any step of epoch 0"):
        train(config, tmp_path / "run")


def test_resuming_with_another_configuration_is_refused(tiny_config, run):
    with pytest.raises(ValueError, match="differs from the configuration given"):
        train(tiny_config(seed=3), run, resume=True)


def test_resuming_what_is_no_run_is_refused(tiny_config, tmp_path):
    with pytest.raises(FileNotFoundError, match="a run folder"):
        train(tiny_config(), tmp_path, resume=True)

"""The learning benchmark: its settings, its table, the whole command on a handful of studies."""

import itertools
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.learning import listed_cases, main, parsed, told_command
from benchmarks.learning_rows import Origin, Results, Row
from benchmarks.learning_runs import BALANCERS, PRESETS, Case, is_finished, made_of
from benchmarks.learning_table import page, table
from gradtruce.evaluation.significance import Score
from gradtruce.methods.registry import METHODS
from gradtruce.training.config_file import load_config, with_absolute_paths, write_config

ROOT = Path(__file__).parents[2]
DATA = Path("runs/set")
CASE = Case("phantom", "wcl", "came_grad", 8)
ORIGIN = Origin("make it", "a machine with torch")
SETS = {"phantom": "Ten studies."}
SIDES, PLACES = ("left", "right", "both"), ("base", "apex", "hilum", "lung")
THINGS = ("an opacity", "an effusion", "a nodule", "a pneumothorax", "no opacity")


def row(low: float, **changes: object) -> Row:
    """Return a row whose score has an interval from `low`, beside baselines that reach 0.1."""
    values = {
        "case": CASE,
        "score": Score(low + 0.05, low, low + 0.1),
        "baselines": {
            "all_normal": Score(0.0, 0.0, 0.0),
            "most_frequent": Score(0.0, 0.0, 0.0),
            "random_training": Score(0.05, 0.0, 0.1),
        },
        "auc": None,
        "bleu": 0.2,
        "best_step": 6,
        "seconds": 90.0,
        "processor_seconds": 60.0,
        "load": 2.0,
        "origin": ORIGIN,
    }
    return Row(**(values | changes))


def test_every_method_is_trained_with_both_balancers() -> None:
    assert set(PRESETS) <= set(METHODS)
    cases = listed_cases(parsed([]))
    assert [(case.method, case.balancer) for case in cases] == list(
        itertools.product(PRESETS, BALANCERS)
    )


def test_real_text_is_trained_with_where_its_file_is_given_and_alone_on_request() -> None:
    given = ["--annotation", "a.json", "--methods", "r2gen", "ddatr"]
    every = [(case.data, case.method, case.balancer) for case in listed_cases(parsed(given))]
    assert every[4:] == [
        ("iu-text", "r2gen", "linear"),
        ("iu-text", "r2gen", "came_grad"),
        ("iu-text", "ddatr", "linear"),
    ]
    alone = listed_cases(parsed([*given, "--sets", "iu-text"]))
    assert [(case.data, case.method, case.balancer) for case in alone] == every[4:]
    with pytest.raises(SystemExit):
        parsed(["--sets", "iu-text"])


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_takes_methods_and_adds_their_rows() -> None:
    def made(*given: str) -> list[str]:
        command = ["make", "--no-print-directory", "-n", "learn", *given]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return shlex.split(told.splitlines()[-1])[3:]

    every = parsed(made("METHODS=", "ANNOTATION=", "REPORTS="))
    assert (every.methods, every.add) == (list(PRESETS), False)
    some = parsed(made("METHODS=ddatr wcl", "ANNOTATION=a.json", "REPORTS=b.csv"))
    assert (some.methods, some.add, some.sets) == (["ddatr", "wcl"], True, ["phantom", "iu-text"])


@pytest.mark.parametrize("method", PRESETS)
def test_the_settings_of_a_case_are_those_of_its_preset_and_the_few_named(method: str) -> None:
    case = Case("phantom", method, "came_grad", 8)
    config = load_config(PRESETS[method], case.settings(DATA))
    preset = load_config(PRESETS[method], ["data.path=x"])
    assert config.method.name == method
    assert config.balance.options == {"radius": 0.5, "gain": 1.5, "fusion": 0.2}
    assert config.balance.weights == preset.balance.weights
    assert config.training.learning_rate == preset.training.learning_rate
    assert (config.training.steps, config.training.validation.every) == (8, 2)


def test_what_a_method_needs_is_built_and_given() -> None:
    command, setting = made_of(DATA)["wcl"]
    assert command[:2] == ["build", "clusters"]
    assert setting.startswith("data.clusters=")
    assert setting in CASE.settings(DATA)


def test_a_run_is_finished_when_its_times_are_written_for_the_same_settings(tmp_path: Path) -> None:
    assert not is_finished(CASE, DATA, tmp_path)
    (tmp_path / "times.json").write_text("{}")
    config = with_absolute_paths(load_config(PRESETS["wcl"], CASE.settings(DATA)))
    write_config(config, tmp_path / "config.toml")
    assert is_finished(CASE, DATA, tmp_path)
    assert not is_finished(Case("phantom", "wcl", "came_grad", 9), DATA, tmp_path)


def test_a_run_beats_the_baselines_only_when_its_interval_lies_above_theirs() -> None:
    assert row(0.11).beats_baselines
    assert not row(0.10).beats_baselines
    assert not row(0.11, score=Score(None, reason="no study")).beats_baselines


def test_the_table_has_a_line_a_run() -> None:
    origins = [Origin("", ""), ORIGIN]
    head, rule, good, bad = table([row(0.2), row(0.05)], origins).splitlines()
    assert head.count("|") == rule.count("|") == good.count("|")
    assert good == (
        "| `wcl` | `came_grad` | 0.250 [0.200, 0.300] | 0.000 [0.000, 0.000] "
        "| 0.000 [0.000, 0.000] | 0.050 [0.000, 0.100] | yes | – | 0.200 | 8, 6 | 1.5 | 1.0 | 2 |"
    )
    assert "**no**" in bad


def test_the_page_names_command_machine_and_versions() -> None:
    other = row(0.2, case=Case("phantom", "wcl", "linear", 8), origin=Origin("add it", "another"))
    text = page(Results(SETS, (row(0.2, load=None), other)))
    assert "1. `make it`: a machine with torch.\n2. `add it`: another; load 2.0 to 2.0 " in text
    assert "Ten studies." in text
    assert "IU X-Ray, images" not in text


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Results(SETS, (row(0.2), row(0.2, case=Case("phantom", "ddatr", "linear", 8))))
    results.write(tmp_path / "learning.json")
    assert Results.read(tmp_path / "learning.json") == results


def test_an_added_row_takes_the_place_of_its_run_and_no_other() -> None:
    linear = row(0.3, case=Case("phantom", "wcl", "linear", 8))
    text = row(0.1, case=Case("iu-text", "r2gen", "linear", 8))
    before = Results(SETS, (linear, row(0.2)))
    longer = row(0.4, case=Case("phantom", "wcl", "came_grad", 20), origin=Origin("add it", ""))
    after = before.with_rows({"iu-text": "Real."}, [text, longer])
    assert after.rows == (linear, longer, text)
    assert after.sets == {"phantom": "Ten studies.", "iu-text": "Real."}


def test_rows_of_another_set_are_not_added() -> None:
    with pytest.raises(ValueError, match=r"of another set .phantom.: Ten studies\. This one: Nine"):
        Results(SETS, (row(0.2),)).require_same({"phantom": "Nine studies."})


def test_nothing_is_added_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no rows to add to; leave --add out"):
        Results.read(tmp_path / "learning.json")


def test_the_command_is_told_without_folders() -> None:
    words = ["--methods", "ddatr", "--add", "--annotation", "/a/b.json", "--folder", "/tmp/x"]
    assert told_command(parsed(words)) == (
        "python -m benchmarks.learning --methods ddatr --add --steps 400 --text-steps 600 "
        "--annotation annotation.json"
    )


def test_the_committed_page_is_that_of_the_committed_rows() -> None:
    folder = ROOT / "benchmarks" / "results"
    assert page(Results.read(folder / "learning.json")) == (folder / "learning.md").read_text()


def made_up_annotation(file: Path) -> Path:
    """Write an annotation file of 60 invented reports in R2Gen's form, and return it."""
    entries = [
        {
            "id": f"CXR{number}_IM-{number:04d}",
            "report": f"There is {thing} of the {side} {place}. The heart is normal.",
            "image_path": [f"CXR{number}_IM-{number:04d}/0.png"],
        }
        for number, (side, place, thing) in enumerate(itertools.product(SIDES, PLACES, THINGS))
    ]
    splits = {"train": entries[::2], "val": entries[1::4], "test": entries[3::4]}
    named = {name: [{**each, "split": name} for each in found] for name, found in splits.items()}
    file.write_text(json.dumps(named))
    return file


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_small_run_trains_scores_and_writes_and_goes_on(tmp_path: Path) -> None:
    annotation = made_up_annotation(tmp_path / "annotation.json")
    folder, written = tmp_path / "runs", tmp_path / "learning.md"
    arguments = [
        *("--folder", str(folder), "--write", str(written), "--annotation", str(annotation)),
        *("--methods", "wcl", "xpronet", "--studies", "48", "--steps", "4", "--text-steps", "2"),
        *("--workers", "1"),
    ]
    main(arguments)
    text = written.read_text()
    assert text.count("| `wcl` | `linear` |") == text.count("| `xpronet` | `linear` |") == 2
    assert text.count("`came_grad`") == 2  # on the phantom
    assert "30 / 15 / 15 studies" in text
    before = {file: file.stat().st_mtime_ns for file in folder.glob("*/times.json")}
    assert len(before) == 6
    main(arguments)
    assert {file: file.stat().st_mtime_ns for file in folder.glob("*/times.json")} == before
    assert written.read_text() == text
    added = [*arguments, "--add"]
    added[added.index("--methods") + 1 : added.index("--studies")] = ["camanet"]
    main(added)
    assert written.read_text().count("| `wcl` | `linear` |") == 2
    assert written.read_text().count("| `camanet` | `linear` |") == 2
    assert "2. `python -m benchmarks.learning --methods camanet --add" in written.read_text()

import json

import pytest

from gradtruce.cli.app import run
from gradtruce.study.running.folder import open_study
from gradtruce.study.searching.confirmation import chosen_points, confirmed_scores, markdown
from gradtruce.study.searching.figures import draw
from gradtruce.study.searching.plan import load_search
from gradtruce.study.searching.result import front_trials, summarise
from gradtruce.study.searching.text import markdown as page_of
from gradtruce.study.searching.trial import Trial
from tests.study.conftest import SMALLER_METHOD

F1, BLEU = "clinical.micro_13.uncertain_negative.f1", "nlg.bleu_4"


def trial(number, values, outcome="finished", **more):
    settings = {"balance.options.radius": 0.1 * number}
    curve = {} if values is None else {100: values}
    return Trial(number, f"trial-{number:04d}", settings, outcome, curve, 100, **more)


@pytest.fixture
def summary(tmp_path):
    plan = load_search("came_grad")
    trials = [
        trial(0, (0.2, 0.1), published="Table D.1 wcl"),
        trial(1, (0.4, 0.2)),
        trial(2, (0.3, 0.3)),
        trial(3, (0.1, 0.05), "stopped"),
        trial(4, None, "failed", reason="no memory"),
    ]
    return summarise(plan, open_study(tmp_path / "search", plan.study), trials)


def test_the_summary_names_front_counts_and_what_it_does_not_show(summary):
    assert [each["name"] for each in front_trials(summary)] == ["trial-0001", "trial-0002"]
    assert summary["counts"] == {
        "finished": 3,
        "stopped": 1,
        "failed": 1,
        "running": 0,
        "waiting": 0,
    }
    assert summary["split"] == "validation"
    assert any("winner's curse" in caveat for caveat in summary["caveats"])
    # above (0.2, 0.1): 0.2 × 0.1 after the second, and 0.1 × 0.1 more by the third
    after = summary["hypervolume"]["after"]
    assert after == pytest.approx([0.0, 0.02, 0.03, 0.03, 0.03])


def test_the_page_has_the_front_and_every_trial(summary):
    page = page_of(summary)
    front = page[page.index("## The front") : page.index("## What is")]
    assert "trial-0001" in front
    assert "trial-0000" not in front
    assert "failed: no memory" in page
    assert "validation split" in page


def test_the_pictures_are_the_same_bytes_each_time(summary, tmp_path):
    names = draw(summary, tmp_path / "one")
    draw(summary, tmp_path / "two")
    assert set(names) == {"pareto.svg", "pareto.png", "hypervolume.svg", "hypervolume.png"}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_pictures_of_three_scores_have_a_panel_for_each_pair(summary, tmp_path):
    third = "nlg.bleu_1"
    for each in summary["trials"]:
        if each["scores"] is not None:
            each["scores"][third] = 0.5
    wider = summary | {"objectives": [F1, BLEU, third]}
    assert len(draw(wider, tmp_path)) == 4


def test_a_confirmation_tells_what_each_point_lost(summary):
    confirmed = {"trial-0001": [{F1: 0.3, BLEU: 0.1}, {F1: 0.2, BLEU: 0.2}]}
    row = next(line for line in markdown(summary, confirmed).splitlines() if "trial-0001" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    # searched 0.4, mean 0.25, from 0.2 to 0.3, lost 0.15; searched 0.2, mean 0.15, lost 0.05
    assert cells == [
        "trial-0001",
        "2",
        "0.4000",
        "0.2500",
        "0.2000",
        "0.3000",
        "0.1500",
        "0.2000",
        "0.1500",
        "0.1000",
        "0.2000",
        "0.0500",
    ]


def test_at_most_five_points_are_confirmed_with_both_ends():
    names = [point["name"] for point in chosen_points([{"name": place} for place in range(12)])]
    assert (names[0], names[-1], len(names)) == (0, 11, 5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_search_of_three_tiny_trials(phantom, tmp_path, capsys):
    folder = tmp_path / "search"
    options = ", ".join(f"{name} = {value}" for name, value in SMALLER_METHOD.items())
    settings = [
        f"data.phantom.run.data.path={str(phantom)!r}",
        "run.data.image_size=32",
        "run.data.max_tokens=16",
        f"run.method.options={{ {options} }}",
        "run.training.steps=4",
        "run.training.batch_size=4",
        "run.training.validation={ every = 2, studies = 3, beams = 1 }",
        "search.pruning.warm_up=2",
    ]
    command = ["study", "search", "came_grad", "--output", str(folder), "--workers", "2"]
    command += [part for setting in settings for part in ("--set", setting)]
    assert run([*command, "--trials", "2", "--published"]) == 0
    assert run(["study", "search", "--output", str(folder), "--trials", "3", "--confirm", "1"]) == 0
    found = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    assert len(found["trials"]) == 3
    assert all(each["published"] for each in found["trials"])
    assert {each["arm"] for each in found["references"]} == {"linear", "came_grad"}
    for each in found["trials"]:
        assert (folder / "trials" / each["name"] / "log.jsonl").is_file()
    assert (folder / "figures" / "pareto.svg").is_file()
    confirmation = open_study(folder / "confirmation")
    assert {each.seed for each in confirmation.runs} == {1}
    assert len(confirmed_scores(confirmation, found)["linear"]) == 1
    capsys.readouterr()
    assert run(["study", "search", "--output", str(folder), "--test"]) == 0
    assert "read once" in capsys.readouterr().out
    assert run(["study", "search", "--output", str(folder), "--trials", "4"]) == 2
    assert "were looked at" in capsys.readouterr().err

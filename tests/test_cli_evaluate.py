"""`gradtruce evaluate`: what goes in, what comes out."""

import csv
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gradtruce.cli.app import run
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.headline import PAPER, RELEASED_CODE
from gradtruce.evaluation.labelers.rules import RulesLabeler
from tests.evaluation.command import QUICK, REPORTS, evaluated, labels, predictions, training
from tests.evaluation.tiny_chexbert import write_chexbert

PARTS = ("precision", "recall", "f1")


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GRADTRUCE_CHEXBERT", "GRADTRUCE_BERT_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))


def values(content: dict[str, Any], group: str = "") -> dict[str, float | None]:
    return {
        name: each["value"] for name, each in content["scores"].items() if name.startswith(group)
    }


def test_scores_have_the_names_that_were_promised(tmp_path: Path) -> None:
    content = evaluated(predictions(tmp_path))
    assert content["schema"] == 1
    promised = {f"nlg.{key}" for key in ("bleu_1", "bleu_2", "bleu_3", "bleu_4")}
    promised |= {f"nlg.{key}" for key in ("rouge_l", "meteor", "cider")}
    promised |= {
        f"clinical.{averaging}_{classes}.uncertain_{policy}.{part}"
        for averaging in ("example", "macro", "micro", "weighted")
        for classes in (14, 13, 5)
        for policy in ("negative", "positive")
        for part in PARTS
    }
    promised |= {
        f"clinical.per_class.{name}.uncertain_{policy}.{part}"
        for name in OBSERVATIONS
        for policy in ("negative", "positive")
        for part in (*PARTS, "support")
    }
    assert promised <= set(content["scores"])
    for each in content["scores"].values():
        assert {"value", "low", "high"} <= set(each)
        assert (each["value"] is None) == bool(each.get("reason"))


def test_the_headlines_are_those_of_a_hand_count(tmp_path: Path) -> None:
    found = values(evaluated(predictions(tmp_path)))
    # a agrees on Cardiomegaly; b, c, d agree on nothing that is stated
    assert found[PAPER] == pytest.approx(1 / 4)
    assert found["clinical.micro_13.uncertain_negative.f1"] == pytest.approx(
        2 * 1 / (2 * 1 + 1 + 1)
    )
    assert found[RELEASED_CODE] == pytest.approx(1 / 14)


def test_every_layout_gives_the_same_scores(tmp_path: Path) -> None:
    expected = values(evaluated(predictions(tmp_path)), "nlg")
    rows = [(study, *texts) for study, texts in REPORTS.items()]
    for name in ("csv", "columns", "lines", "rexrank"):
        (tmp_path / name).mkdir()

    with (tmp_path / "csv" / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "reference", "generated"), *rows])
    for file_name, place in (("gts.csv", 1), ("res.csv", 2)):
        with (tmp_path / "columns" / file_name).open("w", newline="") as file:
            csv.writer(file).writerows([row[place]] for row in rows)
    for file_name, place in (("test_gts.txt", 1), ("test_res.txt", 2)):
        text = "".join(row[place] + "\n" for row in rows)
        (tmp_path / "lines" / file_name).write_text(text)
    studies = {
        study: {"model_prediction": generated, "reports": reference}
        for study, reference, generated in rows
    }
    (tmp_path / "rexrank" / "prediction.json").write_text(json.dumps(studies))

    for name in ("csv", "columns", "lines", "rexrank"):
        assert values(evaluated(tmp_path / name), "nlg") == expected, name
    assert values(evaluated(tmp_path / "columns", "--layout", "promptmrg"), "nlg") == expected


def test_references_from_a_file_are_scored_and_recorded(tmp_path: Path) -> None:
    path, file = predictions(tmp_path), tmp_path / "refs.csv"
    file.write_text("id,report\n" + "".join(f"{s},{t[1]}\n" for s, t in REPORTS.items()))
    content = evaluated(path, "--references", file)
    assert values(content)["nlg.rouge_l"] == pytest.approx(1)
    for card in content["protocols"].values():
        assert card["settings"]["references_from"].startswith("refs.csv (sha256 ")
    assert content["inputs"]["predictions"].startswith("predictions.jsonl (sha256 ")


def test_true_labels_are_scored_against_and_hold_the_labeler_to_account(tmp_path: Path) -> None:
    truth = {study: {"Edema": 0, "Pneumothorax": 0} for study in REPORTS} | {
        "c": {"Pneumothorax": 1}
    }
    content = evaluated(predictions(tmp_path), "--labels", labels(tmp_path, truth))
    card = content["protocols"]["clinical"]
    assert card["reference_labels"].startswith("truth.csv (sha256 ")
    assert card["scored_labels"].startswith("labeler rules ")
    assert "unavailable" not in content["protocols"]["labeler"]
    assert values(content)["clinical.per_class.Pneumothorax.uncertain_negative.support"] == 1
    assert values(content)["labeler.per_class.Pneumothorax.uncertain_negative.f1"] == 1


def test_labels_from_files_score_as_the_labeler_that_made_them(tmp_path: Path) -> None:
    path = predictions(tmp_path)
    for side in ("generated", "reference"):
        target = tmp_path / f"{side}.csv"
        assert run(["label", str(path), "--field", side, "--output", str(target)]) == 0
    by_rules = values(evaluated(path), "clinical.")
    content = evaluated(
        path, "--labeler", "file",
        "--generated-labels", tmp_path / "generated.csv",
        "--reference-labels", tmp_path / "reference.csv",
    )  # fmt: skip
    assert values(content, "clinical.") == by_rules
    assert "file generated.csv (sha256" in content["protocols"]["clinical"]["scored_labels"]


def test_chexbert_labels_and_its_vectors_come_with_hashes_and_versions(tmp_path: Path) -> None:
    files = write_chexbert(tmp_path)
    content = evaluated(
        predictions(tmp_path), "--labeler", "chexbert", "--vectors", "--chexbert", files.weights,
        "--bert-base", tmp_path, "--cache", tmp_path / "labels.sqlite",
    )  # fmt: skip
    card = content["protocols"]["clinical"]
    assert "labeler chexbert (weights sha256 " in card["scored_labels"]
    assert {"torch", "transformers"} <= set(card["versions"])
    assert -1 <= content["scores"]["chexbert_vectors.similarity"]["value"] <= 1
    again = evaluated(
        predictions(tmp_path), "--labeler", "chexbert", "--chexbert", files.weights,
        "--bert-base", tmp_path, "--cache", tmp_path / "labels.sqlite",
    )  # fmt: skip
    assert values(again, "clinical.") == values(content, "clinical.")


def test_graphs_from_files_are_matched(tmp_path: Path) -> None:
    for name in ("generated", "reference"):
        graphs = {
            study: {"text": texts[name == "generated"], "entities": {"1": {
                "tokens": texts[name == "generated"].split()[0], "label": "OBS-DP", "start_ix": 0,
                "end_ix": 0, "relations": []}}}
            for study, texts in REPORTS.items()
        }  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(graphs))
    content = evaluated(
        predictions(tmp_path), "--graphs", tmp_path / "generated.json",
        "--reference-graphs", tmp_path / "reference.json", "--graph-model", "radgraph",
    )  # fmt: skip
    same = [one.split()[0] == other.split()[0] for one, other in REPORTS.values()]
    assert values(content)["radgraph.simple.f1"] == pytest.approx(sum(same) / len(same))
    assert content["protocols"]["radgraph"]["settings"]["model"] == "radgraph"


def test_training_reports_bring_four_baselines_into_every_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    path, table = predictions(tmp_path), tmp_path / "t.md"
    content = evaluated(path, "--training", training(tmp_path), "--table", table)
    names = {"all_normal", "most_frequent", "nearest_training", "random_training"}
    assert set(content["baselines"]) == names
    for scores in content["baselines"].values():
        assert {PAPER, RELEASED_CODE, "nlg.cider", "errors.accurate"} <= set(scores)
    assert content["baselines"]["all_normal"]["degenerate.copied_share"]["value"] == 1
    assert "Nearest, oracle" in capsys.readouterr().out
    header = next(line for line in table.read_text().split("\n") if line.startswith("| |"))
    assert header.count("|") == 7


def test_several_systems_are_compared_and_corrected_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = predictions(tmp_path)
    others = [
        predictions(tmp_path / "x", a="the heart is normal ."),
        predictions(tmp_path / "y", c="there is a right pneumothorax ."),
    ]
    names = ("nlg.bleu_4", PAPER)
    arguments = [word for other in others for word in ("--against", other)]
    arguments += [word for name in names for word in ("--score", name)]
    evaluated(path, *arguments)
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert "4 tests" in content["p_holm"]
    assert list(content["against"]) == [other.as_posix() for other in others]
    for differences in content["against"].values():
        assert list(differences) == list(names)
        for each in differences.values():
            assert each["p_randomisation"] <= each["p_holm"] <= 1
            assert each["low"] <= each["value"] <= each["high"]
    assert content["against"][others[0].as_posix()][PAPER]["value"] == pytest.approx(1 / 4)
    assert f"The system minus {others[0].as_posix()}" in capsys.readouterr().out


def test_meteor_is_asked_for_once_and_not_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    path, other = predictions(tmp_path), predictions(tmp_path, "other.jsonl", a="clear .")
    arguments = ["evaluate", str(path), "--resamples", "20", "--against", str(other)]
    assert run([*arguments, "--score", "nlg.meteor", "--score", "nlg.bleu_1"]) == 0
    content = json.loads((tmp_path / "comparison.json").read_text())["against"]["other.jsonl"]
    assert content["nlg.meteor"]["value"] is None
    assert "Java" in content["nlg.meteor"]["reason"]
    assert content["nlg.bleu_1"]["value"] > 0


def test_without_java_meteor_says_so_and_the_rest_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = predictions(tmp_path)
    whole = values(evaluated(path))
    monkeypatch.setenv("PATH", "")
    assert run(["evaluate", str(path), "--resamples", "20"]) == 0
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert values(content) == whole
    assert "METEOR needs Java" in content["scores"]["nlg.meteor"]["reason"]
    assert "METEOR: not available: METEOR needs Java" in " ".join(capsys.readouterr().out.split())


def test_what_is_known_of_each_report_is_valid_json(tmp_path: Path) -> None:
    target = tmp_path / "reports.jsonl"
    evaluated(predictions(tmp_path, a=""), "--per-report", target)
    rows = [
        json.loads(line, parse_constant=pytest.fail) for line in target.read_text().splitlines()
    ]
    assert [row["id"] for row in rows] == list(REPORTS)
    for row in rows:
        assert {"bleu_4", "rouge_l", "cider"} <= set(row["nlg"])
        assert all(math.isfinite(value) for value in row["nlg"].values())
        assert row["clinical"]["generated_labels"] is not None
        assert row["errors"]["card"]["tiers"]


def test_the_error_card_can_be_tested_on_the_references(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(predictions(tmp_path), "--self-test")
    content = json.loads((tmp_path / "error_card_self_test.json").read_text())
    assert content["reports"] == len(REPORTS)
    assert "| wrong_side |" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    path, train, other = predictions(tmp_path), training(tmp_path), predictions(tmp_path, "o.jsonl")
    files = ("m.json", "r.jsonl", "t.tex", "comparison.json", "error_card_self_test.json")
    found = []
    for seed in (1, 1, 2):
        evaluated(
            path, "--output", tmp_path / "m.json", "--seed", seed, "--training", train,
            "--per-report", tmp_path / "r.jsonl", "--table", tmp_path / "t.tex",
            "--against", other, "--self-test",
        )  # fmt: skip
        found.append([(tmp_path / name).read_bytes() for name in files])
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]


def test_the_protocol_card_is_complete(tmp_path: Path) -> None:
    content = evaluated(predictions(tmp_path, d=""), "--reference-handling", "r2gen_60")
    cards = content["protocols"]
    for card in cards.values():
        assert card["reports"] == len(REPORTS)
        assert card["empty_generated"] == 1
        assert {"gradtruce", "numpy", "python"} <= set(card["versions"])
        assert "20 draws, seed 0" in card["intervals"]
    assert cards["nlg"]["references"] == "r2gen_60: references cut at 59 words"
    assert RulesLabeler().identity in cards["clinical"]["scored_labels"]
    assert len(RulesLabeler().identity.split("sha256 ")[1].split(",")[0]) == 64
    assert "0/0 is 0" in cards["clinical"]["averaging"]
    assert cards["clinical"]["uncertain"]
    assert content["scores"]["clinical.both_empty_14.uncertain_negative"]["value"] == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--empty-policy", "normal"], "empty normal"), (["--compat"], "compat")],
)
def test_options_of_the_labeler_change_its_identity(
    arguments: list[str], named: str, tmp_path: Path
) -> None:
    content = evaluated(predictions(tmp_path), *arguments)
    assert named in content["protocols"]["clinical"]["scored_labels"]


@pytest.mark.parametrize("columns", [80, 120])
def test_what_is_printed_fits_the_screen(
    columns: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(tmp_path)
    predictions(tmp_path, "o.jsonl", a="clear .")
    path = predictions(tmp_path).relative_to(tmp_path)
    evaluated(path, "--training", training(tmp_path).name, "--against", "o.jsonl")
    lines = capsys.readouterr().out.split("\n")
    assert max(map(len, lines)) <= columns
    titles = [line for line in lines if line and not line.startswith(" ") and ":" not in line]
    assert titles[0] == "Clinical efficacy"
    headings = [line for line in lines if "14 observations, uncertain" in line]
    assert [line.strip() for line in headings] == [
        "Mean over reports, 14 observations, uncertain as negative",
        "Mean over classes, 14 observations, uncertain as positive",
    ]


def test_tables_carry_their_protocol(tmp_path: Path) -> None:
    markdown, latex = tmp_path / "t.md", tmp_path / "t.tex"
    evaluated(predictions(tmp_path), "--table", markdown, "--table", latex)
    for path, sign in ((markdown, "- "), (latex, "% ")):
        lines = path.read_text().split("\n")
        assert any(line.startswith(f"{sign}generated labels: labeler rules") for line in lines)
        assert any(line.startswith(f"{sign}intervals: 95%") for line in lines)


def test_latex_compiles_where_there_is_an_engine(tmp_path: Path) -> None:
    engine = shutil.which("pdflatex") or shutil.which("tectonic")
    if engine is None:
        pytest.skip("there is no TeX here; test_tables checks the structure")
    evaluated(
        predictions(tmp_path), "--training", training(tmp_path), "--table", tmp_path / "t.tex"
    )
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{t}\\end{document}"
    )
    subprocess.run([engine, "main.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_predictions_with_probabilities_are_classified(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [
        {"id": study, "reference": texts[0], "generated": texts[1],
         "findings": {"Pneumothorax": 0.9 if study == "c" else 0.2, "Edema": 0.1}}
        for study, texts in REPORTS.items()
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    content = evaluated(path)
    assert content["scores"]["classification.auc.Pneumothorax"]["value"] == 1
    assert content["protocols"]["classification"]["threshold"] == 0.5
    assert "Fracture" in content["protocols"]["classification"]["without_auc"]


def test_degenerate_output_raises_an_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.jsonl"
    rows = [{"id": str(i), "reference": f"mass {i} .", "generated": "clear ."} for i in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    content = evaluated(path)
    assert content["alarms"]
    assert f"ALARM: {content['alarms'][0][:40]}" in capsys.readouterr().out


def test_quick_options_are_those_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in QUICK if word.startswith("--"))

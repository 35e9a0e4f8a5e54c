import hashlib
import json
import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from gradtruce.study.gradient_dynamics.analyse import analyse, require_no_loss
from gradtruce.study.gradient_dynamics.options import AnalysisOptions
from gradtruce.study.gradient_dynamics.run import open_checkpoint, open_run
from gradtruce.study.results.finished import read_results
from gradtruce.study.results.noise import read_noise
from gradtruce.study.results.outline import read_outline
from tests.study.made_study import make_study

SMALL = AnalysisOptions(batches=4, window=4, fixed_batches=1, points=3, tolerance=1e-2, reach=0.5)


@pytest.fixture(scope="module")
def both(linear, came_grad, tmp_path_factory):
    before = {run: bytes_of(run) for run in (linear, came_grad)}
    output = tmp_path_factory.mktemp("analysis")
    _, text = analyse([linear, came_grad], output, SMALL, formats=["svg", "png"])
    assert {run: bytes_of(run) for run in before} == before
    found = json.loads((output / "analysis.json").read_text(), parse_constant=pytest.fail)
    return output, found, text


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_part_of_both_runs_is_there_and_says_how_it_was_measured(both):
    _, found, _ = both
    assert (found["schema"], found["kind"]) == (1, "gradient dynamics")
    for run in found["runs"]:
        for part in ("log", "layers", "noise", "training_noise", "sharpness", "landscape"):
            assert run[part]["how"], part
        assert run["step"] == 6
        assert "report|findings" in run["log"]["conflict"]
        assert run["log"]["null_lines"] == 3
    assert found["line_between"]["how"]
    assert found["differences"] == []


def test_every_figure_is_there_in_both_formats_and_named_in_the_numbers(both):
    output, found, _ = both
    assert list(found["figures"]) == [
        "cosines",
        "conflict-by-epoch",
        "magnitude",
        "layers",
        "noise",
        "sharpness",
        "landscape-line",
        "landscape-map",
        "line-between-runs",
    ]
    for files in found["figures"].values():
        assert all((output / file).stat().st_size > 1000 for file in files)
        assert (output / files[0]).read_text().startswith("<?xml")


def test_the_summary_is_markdown_with_every_section(both):
    _, _, text = both
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "## Conflict and its null",
        "## The update",
        "## Stages of CAME-Grad",
        "## Conflict by layer",
        "## Noise of the gradient",
        "## Sharpness and landscape",
    ]
    assert "nan" not in text.lower().replace("conan", "")


def test_the_update_of_linear_is_the_joint_gradient(both):
    _, found, _ = both
    linear = found["runs"][0]
    for part in ("noise", "training_noise"):
        ratio = linear[part]["update_over_joint"]
        assert ratio["ratio"]["value"] == pytest.approx(1, rel=1e-4)
        assert ratio["gain"] == pytest.approx(1, rel=1e-4)
    assert linear["log"]["update"]["all"]["retained"]["value"] == pytest.approx(1, rel=1e-4)


def test_the_update_of_came_grad_is_no_longer_than_its_gain(both):
    _, found, _ = both
    came = found["runs"][1]
    assert came["noise"]["update_over_joint"]["gain"] <= 1.5 * (1 + 1e-5)
    assert came["log"]["stages"]["enhanced"]["magnitude"]["value"] == pytest.approx(1.5, rel=1e-4)
    retained = came["log"]["update"]["all"]["retained"]["value"]
    assert came["log"]["stages"]["fused"]["magnitude"]["value"] == pytest.approx(retained, rel=1e-4)


def test_clipping_bounds_what_the_optimizer_gets(both):
    _, found, _ = both
    for run in found["runs"]:
        limit = run["clip"]["limit"]
        moment = run["noise"]["gradients"]["update clipped"]["second_moment"]["value"]
        assert moment <= limit**2 * (1 + 1e-5)


def test_landscapes_share_their_places_and_their_middle_is_the_loss(both):
    _, found, _ = both
    lines = [run["landscape"]["line"] for run in found["runs"]]
    assert lines[0]["amounts"] == lines[1]["amounts"] == [-0.5, 0.0, 0.5]
    for run, line in zip(found["runs"], lines, strict=True):
        for name, losses in line["losses"].items():
            assert losses[1] == pytest.approx(run["sharpness"]["losses"][name])
    ends = found["line_between"]["losses"]["report"]
    assert ends[0] == pytest.approx(found["runs"][0]["sharpness"]["losses"]["report"], rel=1e-5)
    assert ends[-1] == pytest.approx(found["runs"][1]["sharpness"]["losses"]["report"], rel=1e-4)


def test_the_joint_hessian_is_found_as_well_as_asked(both):
    _, found, _ = both
    for run in found["runs"]:
        for curvature in run["sharpness"]["eigenvalues"].values():
            assert curvature["value"] > 0
            assert curvature["residual"] < 0.2


def test_the_log_alone_needs_no_checkpoint_and_no_data(linear, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.toml", "log.jsonl"):
        shutil.copy(linear / name, run / name)
    found, text = analyse([run], tmp_path / "out", AnalysisOptions(parts=("log",)))
    assert list(found["figures"]) == ["cosines", "conflict-by-epoch", "magnitude"]
    assert "negative, same batch" in text
    with pytest.raises(FileNotFoundError, match="--only log"):
        analyse([run], tmp_path / "deep", AnalysisOptions(batches=4))
    assert not (tmp_path / "deep").exists()


def test_a_study_reads_the_noise_of_pairs_of_its_runs(both, tmp_path):
    found = deepcopy(both[1])
    study = make_study(tmp_path / "study", (0, 1))
    outline = read_outline(study)
    assert read_noise(read_results(study, outline)) == ()
    place = study / "runs/r2gen/phantom/linear/seed-0/analysis/analysis.json"
    place.parent.mkdir()
    for path, count in (("../../../came_grad/seed-1", 0), ("../../../came_grad/seed-0", 1)):
        found["runs"][1]["path"] = path
        place.write_text(json.dumps(found))
        records = read_noise(read_results(study, outline))
        assert len(records) == count  # another seed is no pair
    assert (records[0].arm, records[0].seed) == ("came_grad", 0)
    at_point = found["noise_of_second_over_first"]["at_point"]
    assert records[0].update_ratio == at_point["update"]["value"]
    place.write_text("{}")
    with pytest.raises(ValueError, match=r"analysis\.json: no analysis"):
        read_noise(read_results(study, outline))


def test_the_place_of_a_run_is_told_from_that_of_its_analysis(both, linear, came_grad):
    output, found, _ = both
    places = [(output / run["path"]).resolve() for run in found["runs"]]
    assert places == [linear.resolve(), came_grad.resolve()]


def test_an_analysis_that_holds_more_is_not_written_over(both, linear, came_grad):
    output, found, _ = both
    before = (output / "analysis.json").read_bytes()
    with pytest.raises(ValueError, match=r"holds more .*layers, noise.*--output another"):
        analyse([linear, came_grad], output, AnalysisOptions(parts=("log",)))
    with pytest.raises(ValueError, match=f"holds more .*{came_grad.name}"):
        analyse([linear], output, SMALL)
    assert (output / "analysis.json").read_bytes() == before
    require_no_loss(output, [linear, came_grad], found["options"]["parts"])


def test_one_seed_gives_the_same_files_to_the_byte(came_grad, tmp_path):
    options = AnalysisOptions(parts=("log", "layers", "noise"), batches=4, window=4)
    for name in ("one", "two"):
        analyse([came_grad], tmp_path / name, options)
    one, two = (
        {Path(path).name: digest for path, digest in bytes_of(tmp_path / name).items()}
        for name in ("one", "two")
    )
    assert one == two


def test_a_run_without_null_lines_says_so(make_run, tmp_path):
    run = make_run("no-null", {"name": "linear"}, null_every=0)
    found, text = analyse([run], tmp_path / "out", AnalysisOptions(parts=("log",)))
    assert "training.null_every" in text
    assert found["runs"][0]["log"]["conflict"]["report|findings"]["excess"] is None


def test_a_run_without_diagnostics_says_what_it_lacks(make_run, tmp_path):
    run = make_run("lean", {"name": "linear", "diagnostics": False})
    found, text = analyse([run], tmp_path / "out", AnalysisOptions(parts=("log",)))
    assert "balance.diagnostics" in text
    assert found["figures"] == {}


def test_the_best_checkpoint_knows_no_training(came_grad, tmp_path):
    options = AnalysisOptions(parts=("noise",), checkpoint="best", batches=4, window=4)
    found, _ = analyse([came_grad], tmp_path / "out", options)
    run = found["runs"][0]
    assert "training_noise" not in run
    assert any("state" in text for text in run["noise"]["missing"])


def test_a_balancer_that_steps_by_itself_has_noise_of_tasks_alone_at_one_point(make_run, tmp_path):
    run = make_run("famo", {"name": "famo"})
    options = AnalysisOptions(parts=("noise",), batches=4, window=4)
    found, _ = analyse([run], tmp_path / "out", options)
    noise = found["runs"][0]["noise"]
    assert "joint" in noise["gradients"]
    assert "update" not in noise["gradients"]
    assert "famo" in noise["missing"][0]
    assert "update" in found["runs"][0]["training_noise"]["gradients"]


def test_accumulated_steps_are_measured_as_one(make_run, tmp_path):
    run = make_run("accumulated", {"name": "came_grad"}, accumulation=2, batch_size=2)
    options = AnalysisOptions(parts=("noise",), batches=4, window=4)
    found, _ = analyse([run], tmp_path / "out", options)
    ratio = found["runs"][0]["noise"]["update_over_joint"]
    assert 1.0 < ratio["gain"] <= 1.5 * (1 + 1e-5)


def test_float64_leaves_the_model_as_it_was(linear, tmp_path):
    options = AnalysisOptions(parts=("sharpness",), fixed_batches=1, batches=4, is_double=True)
    found, _ = analyse([linear], tmp_path / "out", options)
    sharpness = found["runs"][0]["sharpness"]
    assert sharpness["type"] == "float64"
    assert all(entry["residual"] < 0.1 for entry in sharpness["eigenvalues"].values())
    point = open_checkpoint(open_run(linear), "last")
    assert next(point.method.parameters()).dtype == torch.float32


def test_runs_of_different_methods_are_refused_at_once(linear, came_grad, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    text = (came_grad / "config.toml").read_text()
    (other / "config.toml").write_text(text.replace('name = "r2gen"', 'name = "wcl"'))
    shutil.copy(came_grad / "log.jsonl", other / "log.jsonl")
    with pytest.raises(ValueError, match="same method, got 'r2gen' and 'wcl'"):
        analyse([linear, other], tmp_path / "out", SMALL)


def test_too_few_batches_say_how_many_there_are(linear, tmp_path):
    with pytest.raises(ValueError, match=r"disjoint batches of 4 studies, 500 are asked for"):
        analyse([linear], tmp_path / "out", AnalysisOptions(batches=500))


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is .* a run folder"):
        analyse([tmp_path], tmp_path / "out", SMALL)

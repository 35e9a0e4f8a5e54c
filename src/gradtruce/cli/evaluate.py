"""`gradtruce evaluate`: scores of any system's reports, with their protocol."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gradtruce.cli.labeler_options import (
    Bert,
    Cache,
    Compat,
    Device,
    EmptyPolicyOption,
    LabelerName,
    Weights,
)

Cleaning = Literal["clean", "r2gen", "r2gen_mimic", "promptmrg"]

WIDTH = 100
"""Columns of what is printed where there is no terminal to ask."""

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradtruce.evaluation.assembly import Answer
    from gradtruce.evaluation.comparison import Comparison
    from gradtruce.evaluation.errors.self_test import SelfTest
    from gradtruce.evaluation.metrics import Metrics


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="JSON Lines or CSV: id, reference, generated; or --layout.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where the scores go; beside the predictions by default.")
    ] = None,
    references: Annotated[
        Path | None, typer.Option(help="References by id, in place of those of the predictions.")
    ] = None,
    layout: Annotated[
        str, typer.Option(help="auto, jsonl, csv, r2gen, promptmrg or rexrank.")
    ] = "auto",
    labels: Annotated[
        Path | None, typer.Option(help="CSV of true labels by id, to score against.")
    ] = None,
    labeler: LabelerName = "rules",
    generated_labels: Annotated[
        Path | None, typer.Option(help="Labeler 'file': labels of the generated texts.")
    ] = None,
    reference_labels: Annotated[
        Path | None, typer.Option(help="Labeler 'file': labels of the references, by id.")
    ] = None,
    empty_policy: EmptyPolicyOption = "blank",
    compat: Compat = False,
    weights: Weights = None,
    bert: Bert = None,
    device: Device = "cpu",
    cache: Cache = None,
    reference_handling: Annotated[
        str, typer.Option(help="full, r2gen_60, r2gen_100 or promptmrg; for word overlap only.")
    ] = "full",
    meteor: Annotated[bool, typer.Option(help="METEOR, which starts Java.")] = True,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Similarity of CheXbert vectors; needs its weights.")
    ] = False,
    graphs: Annotated[
        Path | None, typer.Option(help="RadGraph annotations of the generated reports.")
    ] = None,
    reference_graphs: Annotated[
        Path | None, typer.Option(help="RadGraph annotations of the references.")
    ] = None,
    graph_model: Annotated[
        str, typer.Option(help="The model that drew the graphs, such as radgraph-xl.")
    ] = "",
    training: Annotated[
        Path | None,
        typer.Option(help="Prepared data set or file of training reports: adds baselines."),
    ] = None,
    cleaning: Annotated[
        Cleaning | None, typer.Option(help="How the references were cleaned, for training reports.")
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Another system's predictions; may be repeated.")
    ] = None,
    scores: Annotated[
        list[str] | None, typer.Option("--score", help="Compare by this score; may be repeated.")
    ] = None,
    table: Annotated[
        list[Path] | None, typer.Option(help="Write the tables: .md or .tex; may be repeated.")
    ] = None,
    per_report: Annotated[
        Path | None, typer.Option(help="Write what is known of each report, as JSON Lines.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Test the error card on known errors, too.")
    ] = False,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of all random draws.")] = 0,
) -> None:
    """Score generated reports: words, clinical efficacy, errors, findings; with intervals.

    Works on any system's output. What can't be computed says why. Nothing is downloaded.
    """
    from gradtruce.evaluation.assembly import answer
    from gradtruce.evaluation.labelers.choice import LabelerChoice
    from gradtruce.evaluation.nlg.references import handling_of
    from gradtruce.evaluation.request import COMPARED, Request
    from gradtruce.files import require_places, write_whole

    _check_tables(table or [])
    target = output if output is not None else _beside(predictions) / "metrics.json"
    outputs = _Outputs(target, tuple(table or ()), per_report, bool(against), self_test)
    request = Request(
        predictions,
        layout=layout,
        references=references,
        labels=labels,
        labeler=LabelerChoice(
            labeler,
            empty_policy=empty_policy,
            compat=compat,
            weights=weights,
            bert=bert,
            device=device,
            cache=cache,
            generated=generated_labels,
            reference=reference_labels,
        ),
        handling=handling_of(reference_handling),
        meteor=meteor,
        vectors=vectors,
        graphs=graphs,
        reference_graphs=reference_graphs,
        graph_model=graph_model,
        training=training,
        cleaning=cleaning,
        against=tuple(against or ()),
        scores=tuple(scores or COMPARED),
        resamples=resamples,
        seed=seed,
    )
    read = [path for paths in request.files().values() for path in paths]
    require_places(outputs.paths(), read)
    found = answer(request)
    tested = _self_test(found, seed) if self_test else None
    texts = _texts(found, outputs, tested, resamples, seed)
    for path in reversed(outputs.paths()):  # the scores last: where they are, all is
        write_whole(path, texts[path])
    print_metrics(found.metrics)
    for comparison in found.comparisons:
        _print_comparison(comparison)
    if tested is not None:
        print(f"the error card on known errors in {tested.reports} references:")
        print(f"{tested.table()}\n")
    print("written: " + ", ".join(str(path) for path in outputs.paths()))


def print_metrics(metrics: "Metrics") -> None:
    """Print the tables of the scores that are shown, their protocol, and alarms."""
    from gradtruce.evaluation.summary import facts
    from gradtruce.evaluation.table_formats import as_text, wrapped
    from gradtruce.evaluation.tables import class_table, narrow, systems_of, tables

    print_told(metrics)
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    for fact in facts(metrics):
        print(wrapped(fact, width))
    for alarm in metrics.alarms:
        print(wrapped(f"ALARM: {alarm}", width))
    shown = [narrow(table) for table in tables(systems_of(metrics))]
    shown.append(narrow(class_table(metrics.flat()), keep=2))
    for table in shown:
        print(f"\n{as_text(table, width)}")
    for name, group in metrics.groups.items():
        if group.reason:
            print(f"\n{wrapped(f'{name}: not available: {group.reason}', width)}")
    print()


def print_told(metrics: "Metrics") -> None:
    """Print what reports were generated from besides the images, if they were."""
    for told in sorted({group.protocol.told for group in metrics.groups.values()} - {""}):
        print(f"reports were generated from the images and {told}")


def _print_comparison(comparison: "Comparison") -> None:
    from gradtruce.evaluation.table_formats import cell

    rows = [("", "difference [95 %]", "p", "p, Holm")]
    for name, difference in comparison.differences.items():
        if difference.score.value is None:
            rows.append((name, f"not available: {difference.score.reason}", "", ""))
            continue
        p_values = (difference.p_randomisation, comparison.corrected.get(name))
        p, corrected = ("" if p is None else f"{p:.3f}" for p in p_values)
        rows.append((name, cell(difference.score), p, corrected))
    named, values = (max(len(row[at]) for row in rows if row[2]) for at in (0, 1))
    print(f"The system minus {comparison.against}, on the same reports")
    for name, value, p, corrected in rows:
        print(f"  {name:<{named}}  {value:<{values}}  {p:<5}  {corrected}".rstrip())
    print("  p of approximate randomisation; Holm corrects it for all tests made here\n")


@dataclass(frozen=True)
class _Outputs:
    """The files that are asked for."""

    scores: Path
    tables: tuple[Path, ...]
    per_report: Path | None
    has_comparison: bool
    has_self_test: bool

    @property
    def comparison(self) -> Path:
        return self.scores.with_name("comparison.json")

    @property
    def self_test(self) -> Path:
        return self.scores.with_name("error_card_self_test.json")

    def paths(self) -> list[Path]:
        """Return all of them, the scores first."""
        return [
            self.scores,
            *self.tables,
            *([self.per_report] if self.per_report else []),
            *([self.comparison] if self.has_comparison else []),
            *([self.self_test] if self.has_self_test else []),
        ]


def _self_test(found: "Answer", seed: int) -> "SelfTest":
    from gradtruce.evaluation.errors.self_test import self_test

    return self_test([prediction.reference for prediction in found.predictions], seed)


def _texts(
    found: "Answer", outputs: _Outputs, tested: "SelfTest | None", resamples: int, seed: int
) -> dict[Path, str]:
    """Return what stands in each file."""
    from gradtruce.evaluation.assembly import per_report
    from gradtruce.evaluation.comparison import comparison_json
    from gradtruce.evaluation.summary import facts
    from gradtruce.evaluation.table_formats import as_latex, as_markdown
    from gradtruce.evaluation.tables import class_table, systems_of, tables

    shown = [*tables(systems_of(found.metrics)), class_table(found.metrics.flat())]
    texts = {outputs.scores: found.metrics.to_json()}
    for path in outputs.tables:
        write = as_latex if path.suffix == ".tex" else as_markdown
        texts[path] = write(shown, facts(found.metrics))
    if outputs.per_report is not None:
        texts[outputs.per_report] = per_report(found)
    if outputs.has_comparison:
        content = comparison_json(found.comparisons, resamples=resamples, seed=seed)
        texts[outputs.comparison] = content
    if tested is not None:
        fields = {"schema": 1, "seed": seed} | dataclasses.asdict(tested)
        texts[outputs.self_test] = json.dumps(fields, indent=1) + "\n"
    return texts


def _check_tables(paths: "Sequence[Path]") -> None:
    for path in paths:
        if path.suffix not in {".md", ".tex"}:
            raise typer.BadParameter(f"--table must end in .md or .tex, got '{path}'")


def _beside(predictions: Path) -> Path:
    return predictions if predictions.is_dir() else predictions.parent

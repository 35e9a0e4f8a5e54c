"""`gradtruce evaluate`: scores of any system's reports, with their protocol."""

import re
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

Cleaning = Literal["r2gen", "clean"]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradtruce.evaluation.assembly import Answer
    from gradtruce.evaluation.comparison import Comparison
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
    from gradtruce.evaluation.assembly import COMPARED, Request, answer
    from gradtruce.evaluation.labelers.choice import LabelerChoice
    from gradtruce.evaluation.nlg.references import handling_of

    _check_tables(table or [])
    target = output if output is not None else _beside(predictions) / "metrics.json"
    found = answer(
        Request(
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
    )
    found.metrics.write(target)
    written = [target, *_write_more(found, target, table or [], per_report, resamples, seed)]
    print_metrics(found.metrics)
    for comparison in found.comparisons:
        _print_comparison(comparison)
    if self_test:
        written.append(_run_self_test(found, target, seed))
    print("written: " + ", ".join(str(path) for path in written))


def print_metrics(metrics: "Metrics") -> None:
    """Print the tables of the scores that are shown, their protocol, and alarms."""
    from gradtruce.evaluation.tables import as_text, class_table, narrow, systems_of, tables

    clinical, words = metrics.groups["clinical"].protocol, metrics.groups["nlg"].protocol
    empty = f", {clinical.empty_generated} generated empty" if clinical.empty_generated else ""
    print(f"{clinical.reports} reports{empty}")
    print(f"right is: {_short(clinical.reference_labels)}")
    print(f"scored is: {_short(clinical.scored_labels)}")
    print(f"texts: {words.references}")
    for alarm in metrics.alarms:
        print(f"ALARM: {alarm}")
    for table in (*map(narrow, tables(systems_of(metrics))), class_table(metrics.flat())):
        print(f"\n{as_text(table)}")
    for name, group in metrics.groups.items():
        if group.reason:
            print(f"\n{name}: not available: {group.reason}")
    print()


def _print_comparison(comparison: "Comparison") -> None:
    from gradtruce.evaluation.tables import cell

    print(f"minus {comparison.against}: difference [95 %], p of randomisation, p by Holm")
    width = max(map(len, comparison.differences))
    for name, difference in comparison.differences.items():
        if difference.score.value is None:
            print(f"  {name.ljust(width)}  not available: {difference.score.reason}")
            continue
        p_values = (difference.p_randomisation, comparison.corrected.get(name))
        shown = "  ".join(f"{p:.3f}" for p in p_values if p is not None)
        print(f"  {name.ljust(width)}  {cell(difference.score):<24}  {shown}")
    print()


def _run_self_test(found: "Answer", target: Path, seed: int) -> Path:
    import dataclasses
    import json

    from gradtruce.evaluation.errors.self_test import self_test
    from gradtruce.evaluation.files import write_whole

    result = self_test([prediction.reference for prediction in found.predictions], seed)
    print(f"the error card on known errors in {result.reports} references:")
    print(result.table())
    path = target.with_name("error_card_self_test.json")
    content = {"schema": 1, "seed": seed} | dataclasses.asdict(result)
    write_whole(path, json.dumps(content, indent=1) + "\n")
    return path


def _write_more(
    found: "Answer",
    target: Path,
    tables_to: "Sequence[Path]",
    per_report: Path | None,
    resamples: int,
    seed: int,
) -> list[Path]:
    """Write what was asked for beside the scores; return the paths."""
    from gradtruce.evaluation.assembly import per_report as report_lines
    from gradtruce.evaluation.comparison import comparison_json
    from gradtruce.evaluation.files import write_whole
    from gradtruce.evaluation.tables import as_latex, as_markdown, class_table, systems_of, tables

    texts: dict[Path, str] = {}
    shown = [*tables(systems_of(found.metrics)), class_table(found.metrics.flat())]
    for path in tables_to:
        texts[path] = as_latex(shown) if path.suffix == ".tex" else as_markdown(shown)
    if per_report is not None:
        texts[per_report] = report_lines(found)
    if found.comparisons:
        content = comparison_json(found.comparisons, resamples=resamples, seed=seed)
        texts[target.with_name("comparison.json")] = content
    for path, text in texts.items():
        write_whole(path, text)
    return list(texts)


def _short(source: str) -> str:
    """Return a source with the beginning of its hash only; the file has all of it."""
    return re.sub(r"(sha256 [0-9a-f]{12})[0-9a-f]+", r"\1…", source)


def _check_tables(paths: "Sequence[Path]") -> None:
    for path in paths:
        if path.suffix not in {".md", ".tex"}:
            raise typer.BadParameter(f"--table must end in .md or .tex, got '{path}'")


def _beside(predictions: Path) -> Path:
    return predictions if predictions.is_dir() else predictions.parent

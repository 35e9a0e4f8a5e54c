"""How well and how fast the rules labeler reads.

    OMP_NUM_THREADS=1 python benchmarks/labeler.py speed [--open-i FOLDER]
    python benchmarks/labeler.py phantom
    python benchmarks/labeler.py agreement FOLDER --split train
    python benchmarks/labeler.py sections FOLDER --split train

`speed` counts reports a minute of one core, each report distinct, nothing read before. `phantom`
compares with the truth of synthetic studies. `agreement` compares with two public label files of
IU X-Ray, `sections` shows which section those files were made from; FOLDER holds
`openi_reports_sections.json`, `labels14_camanet_chexbert.csv`, `labels14_xpronet_chexbert.csv`.
"""

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gradtruce.data.label_file import LabelFile, read_csv
from gradtruce.data.observations import FINDINGS, NO_FINDING, OBSERVATIONS
from gradtruce.data.phantom.facts import StudyFacts, sample_patients
from gradtruce.data.phantom.level import LevelName
from gradtruce.evaluation.clinical import UncertainPolicy
from gradtruce.evaluation.labelers.agreement import Agreement, Labels, as_rows, compare_labels
from gradtruce.evaluation.labelers.rules import RulesLabeler

CAMANET = "labels14_camanet_chexbert.csv"
XPRONET = "labels14_xpronet_chexbert.csv"
WHOLE = ("findings", "impression")


def phantom_studies(count: int, level: LevelName, seed: int) -> list[StudyFacts]:
    """Return synthetic studies without images, each report once."""
    studies: dict[str, StudyFacts] = {}
    for patient in sample_patients(count, level, seed):
        studies |= {study.report: study for study in patient.studies}
    return list(studies.values())[:count]


def phantom_agreement(
    count: int, level: LevelName, seed: int, *, uncertain: UncertainPolicy = "positive"
) -> Agreement:
    """Return how far the labeler agrees with what is true of synthetic studies."""
    studies = phantom_studies(count, level, seed)
    states = RulesLabeler().label([study.report for study in studies]).tolist()
    truth = {study.id: [float(study.labels[name]) for name in OBSERVATIONS] for study in studies}
    read = dict(zip(truth, states, strict=True))
    return compare_labels(read, truth, uncertain=uncertain)


def open_i_texts(folder: Path, sections: Sequence[str] = WHOLE) -> dict[int, str]:
    """Return the text of each Open-i report by its number."""
    text = (folder / "openi_reports_sections.json").read_text(encoding="utf-8")
    return {
        record["uid"]: " ".join(record[name] or "" for name in sections)
        for record in json.loads(text)
    }


def open_i_labels(
    folder: Path, ids: Sequence[str], labeler: RulesLabeler, sections: Sequence[str] = WHOLE
) -> Labels:
    """Return what the labeler reads in the reports of these studies: "CXR12_…" is report 12."""
    texts = open_i_texts(folder, sections)
    numbers = [int(re.match(r"CXR(\d+)_", one)[1]) for one in ids]
    states = labeler.label([texts[number] for number in numbers])
    return dict(zip(ids, states.tolist(), strict=True))


def label_files(folder: Path, split: str | None) -> dict[str, Labels]:
    """Return the rows of one split, or all, of the two public label sets; none are of test."""
    files = {}
    for name in (CAMANET, XPRONET):
        splits = {row["id"]: row["split"] for _, row in read_csv(folder / name, ("id", "split"))}
        rows = as_rows(LabelFile.read(folder / name).states)
        files[name] = {key: row for key, row in rows.items() if split in {None, splits[key]}}
    return files


def frequent_in_both(files: dict[str, Labels], least: int = 10) -> tuple[str, ...]:
    """Return the observations with at least `least` positives in each file."""
    return compare_labels(files[CAMANET], files[XPRONET]).frequent(least)


def by_their_convention(labels: Labels) -> Labels:
    """Return labels whose No Finding means none of the 12 findings, other diseases or not.

    Both files follow it: a report of emphysema, granulomas or scoliosis alone is No Finding there.
    """
    place, device = OBSERVATIONS.index(NO_FINDING), FINDINGS.index("Support Devices")
    rows = {}
    for key, row in labels.items():
        found = [state for at, state in enumerate(row[:place]) if at != device]
        is_found = bool(np.isin(found, (1, -1)).any())
        rows[key] = [*row[:place], float("nan") if is_found else 1.0]
    return rows


def print_agreement(folder: Path, split: str | None) -> None:
    """Print the tables of one split, or of both together."""
    files = label_files(folder, split)
    chosen = frequent_in_both(files)
    mutual = compare_labels(files[CAMANET], files[XPRONET])
    print(f"{mutual.reports} reports; the files with each other, {XPRONET} as reference\n")
    print(mutual.table(chosen), end="\n\n")
    for compat in (False, True):
        labeler = RulesLabeler(compat=compat)
        ours = {
            "findings + impression": open_i_labels(folder, list(files[CAMANET]), labeler),
            "impression": open_i_labels(folder, list(files[CAMANET]), labeler, ("impression",)),
        }
        for text, labels in ours.items():
            for name, reference in files.items():
                agreement = compare_labels(labels, reference)
                theirs = compare_labels(by_their_convention(labels), reference)
                print(
                    f"compat {compat}, {text}, {name}; macro F1 with No Finding as in the files:",
                    end=" ",
                )
                print(f"{theirs.macro(chosen).f1:.3f}\n\n{agreement.table(chosen)}\n")


def print_sections(folder: Path, split: str | None) -> None:
    """Print what the files call positive of that which one section alone names."""
    files = label_files(folder, split)
    ids = list(files[CAMANET])
    read = [
        np.isin(list(open_i_labels(folder, ids, RulesLabeler(), (one,)).values()), (1, -1))
        for one in WHOLE
    ]
    print(
        "| observation | findings only | CAMANet | XProNet | impression only | CAMANet | XProNet |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for place, name in enumerate(FINDINGS):
        cells = []
        for own, other in (read, reversed(read)):
            alone = own[:, place] & ~other[:, place]
            cells.append(int(alone.sum()))
            for labels in files.values():
                positive = np.array([labels[key][place] == 1 for key in ids])
                cells.append(int((positive & alone).sum()))
        print(f"| {name} | {' | '.join(map(str, cells))} |")


def print_speed(count: int, open_i: Path | None) -> None:
    """Print reports a minute of one core, the best of three, with nothing read before."""
    sets = {"phantom": [study.report for study in phantom_studies(count, "standard", 9)]}
    if open_i:
        sets["IU X-Ray"] = list(dict.fromkeys(open_i_texts(open_i).values()))
    for name, reports in sets.items():
        seconds = []
        for _ in range(3):
            labeler = RulesLabeler()
            start = time.process_time()
            labeler.label(reports)
            seconds.append(time.process_time() - start)
        words = sum(len(report.split()) for report in reports) / len(reports)
        rate = 60 * len(reports) / min(seconds)
        print(f"{name}: {len(reports)} distinct reports of {words:.0f} words, {rate:,.0f} a minute")


def main() -> None:
    """Run one of the four."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("--reports", type=int, default=5000)
    speed.add_argument("--open-i", type=Path)
    phantom = commands.add_parser("phantom")
    phantom.add_argument("--reports", type=int, default=5000)
    phantom.add_argument("--level", default="standard")
    phantom.add_argument("--seed", type=int, default=7)
    for name in ("agreement", "sections"):
        real = commands.add_parser(name)
        real.add_argument("folder", type=Path)
        real.add_argument("--split", choices=("train", "val"))
    options = parser.parse_args()
    if options.command == "speed":
        print_speed(options.reports, options.open_i)
    elif options.command == "phantom":
        found = phantom_agreement(options.reports, options.level, options.seed)
        print(f"{found.reports} synthetic studies, uncertain counts as positive\n\n{found.table()}")
    elif options.command == "sections":
        print_sections(options.folder, options.split)
    else:
        print_agreement(options.folder, options.split)


if __name__ == "__main__":
    main()

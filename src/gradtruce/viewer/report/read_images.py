"""From a user's own image files to reports of them, written as a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gradtruce.data.study import Study
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.base import Decoding
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config
from gradtruce.training.retrieval.retriever import retriever
from gradtruce.training.validation import decoding_of
from gradtruce.viewer.report.own_images import refuse_existing, write_own_images
from gradtruce.viewer.report.own_prior import own_prior
from gradtruce.viewer.report.own_studies import studies_of
from gradtruce.viewer.report.sentence_attention import Reader


def read_images(
    run: Path,
    images: Sequence[Path],
    output: Path,
    *,
    each: bool = False,
    prior: Sequence[Path] = (),
    prior_report: Path | None = None,
    tell: Callable[[str], object] | None = None,
) -> list[Prediction]:
    """Write reports of one's own images into a folder; return them.

    They are decoded as the run decoded its test reports: as its `config.toml` says, or else as was
    saved with the weights.

    Args:
        run: A run folder, or a checkpoint such as `runs/demo/linear/checkpoints/best`.
        images: PNG or JPEG files: the views of one study, in any order.
        output: Folder of the results, as `write_own_images` describes it; must not exist.
        each: Whether each image is a study of its own.
        prior: The views of the patient's previous study, for a method that was trained to compare
            the two.
        prior_report: Text file of its report.
        tell: Told in words how the reports are decoded, and whether studies are compared.

    Raises:
        FileExistsError: If the output folder is there.
        FileNotFoundError: If an image, the checkpoint or the prior's report is missing.
        ValueError: If an image cannot be read, one study has more views than the method reads, or
            the method is told labels besides images, or reads retrieved reports and its bank can't
            find any for other images; or if a prior study is not whole or can't be compared.

    >>> read_images(Path("runs/nowhere"), [Path("film.png")], Path("no/such/output"))
    Traceback (most recent call last):
    FileNotFoundError: runs/nowhere holds no trained method (no checkpoints/best); ...
    """
    refuse_existing(output)
    checkpoint, config = _find(run)
    data = config.data if config else None
    studies = studies_of(images, each=each, max_views=data.views if data else 2)
    before = own_prior(prior, prior_report, data, each=each)
    reader = Reader(
        checkpoint,
        data.views if data else 2,
        data.max_tokens if data else None,
        retriever(data, are_own=True) if data else None,
        None if before is None else lambda _: before,
    )
    saved = reader.method.decoding
    decoding = decoding_of(config) if config else saved or Decoding()
    if tell is not None:
        tell(f"{_in_words(decoding)}{_whence(config is not None, saved is not None)}")
        if data is not None and data.priors:
            tell(_compared(before))
    predictions = reader.write(studies, decoding)
    write_own_images(output, reader, studies, predictions, before)
    return predictions


def _in_words(decoding: Decoding) -> str:
    kind = "published " if decoding.search == "published" else ""
    how = f"{kind}beam search of width {decoding.beams}" if decoding.beams > 1 else "greedy search"
    penalty = f", length penalty {decoding.length_penalty:g}" if decoding.length_penalty else ""
    return f"decoding: {how}{penalty}, at most {decoding.max_tokens} tokens"


def _whence(is_run: bool, is_saved: bool) -> str:
    if is_run:
        return ", as the run did"
    return (
        ", as saved with the model" if is_saved else ", by default: the folder tells nothing of it"
    )


def _compared(prior: Study | None) -> str:
    if prior is None:
        return "compared with no prior study; this method can, with --prior and --prior-report"
    return f"compared with the prior study {prior.id}"


def _find(run: Path) -> tuple[Path, RunConfig | None]:
    """Return the checkpoint of a run, and the configuration where the run has one."""
    for checkpoint, config in (
        (run / "checkpoints" / "best", run / "config.toml"),
        (run, run.parent.parent / "config.toml"),
    ):
        if (checkpoint / "config.json").is_file():
            return checkpoint, load_config(config) if config.is_file() else None
    raise FileNotFoundError(
        f"{run} holds no trained method (no checkpoints/best); `gradtruce train` makes a run folder"
    )

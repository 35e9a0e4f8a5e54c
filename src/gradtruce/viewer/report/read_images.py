"""From a user's own image files to reports of them, written as a folder."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from gradtruce.data.images.read import read_grey
from gradtruce.data.study import Study, View
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.base import Decoding
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config
from gradtruce.training.retrieval.retriever import retriever
from gradtruce.training.validation import decoding_of
from gradtruce.viewer.report.own_images import refuse_existing, write_own_images
from gradtruce.viewer.report.sentence_attention import Reader


def read_images(
    run: Path,
    images: Sequence[Path],
    output: Path,
    *,
    each: bool = False,
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
        tell: Told in words how the reports are decoded.

    Raises:
        FileExistsError: If the output folder is there.
        FileNotFoundError: If an image or the checkpoint is missing.
        ValueError: If an image cannot be read, one study has more views than the method reads, or
            the method is told labels besides images, or reads retrieved reports and its bank can't
            find any for other images.

    >>> read_images(Path("runs/nowhere"), [Path("film.png")], Path("no/such/output"))
    Traceback (most recent call last):
    FileNotFoundError: runs/nowhere holds no trained method (no checkpoints/best); ...
    """
    refuse_existing(output)
    checkpoint, config = _find(run)
    data = config.data if config else None
    studies = studies_of(images, each=each, max_views=data.views if data else 2)
    reader = Reader(
        checkpoint,
        data.views if data else 2,
        data.max_tokens if data else None,
        retriever(data, are_own=True) if data else None,
    )
    saved = reader.method.decoding
    decoding = decoding_of(config) if config else saved or Decoding()
    if tell is not None:
        tell(f"{_in_words(decoding)}{_whence(config is not None, saved is not None)}")
    predictions = reader.write(studies, decoding)
    write_own_images(output, reader, studies, predictions)
    return predictions


def studies_of(images: Sequence[Path], *, each: bool, max_views: int) -> list[Study]:
    """Return the images as one study, or as one study each, named by their files.

    Raises:
        FileNotFoundError: If there is no such image.
        ValueError: If there is no image, one cannot be read, one comes twice, or one study has more
            views than the method reads.

    >>> studies_of([], each=True, max_views=2)
    Traceback (most recent call last):
    ValueError: no image was given; name at least one PNG or JPEG file
    """
    if not images:
        raise ValueError("no image was given; name at least one PNG or JPEG file")
    twice = [
        path for path, count in Counter(path.resolve() for path in images).items() if count > 1
    ]
    if twice:
        raise ValueError(f"{twice[0]}: this image was given twice; give each once")
    if not each and len(images) > max_views:
        raise ValueError(
            f"one study may have at most {max_views} views for this method, got {len(images)} "
            "images; give fewer, or --each for one study an image"
        )
    groups = [[path] for path in images] if each else [list(images)]
    stems = Counter(group[0].stem for group in groups)
    return [
        _study(group[0].stem if stems[group[0].stem] == 1 else str(group[0]), group)
        for group in groups
    ]


def _study(name: str, images: Sequence[Path]) -> Study:
    views = tuple(View(read_grey(path), "unknown") for path in images)
    return Study(id=name, patient=name, split="test", views=views, report="")


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

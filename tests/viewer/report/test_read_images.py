"""`predict` on a user's own files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradtruce.viewer.report.own_studies import studies_of
from gradtruce.viewer.report.read_images import read_images


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a" / "film.png", tmp_path / "b" / "film.jpg"]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        random = np.random.default_rng(number)
        Image.fromarray(random.integers(0, 255, (80, 70)).astype(np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("place", ["linear", "linear/checkpoints/best"])
def test_two_images_are_two_views_of_one_study(
    comparison: Path, images: list[Path], tmp_path: Path, place: str
):
    (prediction,) = read_images(comparison / place, images, tmp_path / "out")
    assert prediction.id == "film"
    assert set(prediction.findings or {}) > {"Edema"}
    assert (tmp_path / "out" / "film" / "report.txt").read_text().strip() == prediction.generated
    assert "View 2" in (tmp_path / "out" / "index.html").read_text()


def test_each_image_can_be_a_study_of_its_own(comparison: Path, images: list[Path], tmp_path: Path):
    found = read_images(comparison / "linear", images, tmp_path / "out", each=True)
    assert [prediction.id for prediction in found] == [str(path) for path in images]
    assert len([path for path in (tmp_path / "out").iterdir() if path.is_dir()]) == 2


def test_more_views_than_the_method_reads_are_refused(images: list[Path]):
    with pytest.raises(ValueError, match="at most 1 view for this method, got 2 images"):
        studies_of(images, each=False, max_views=1)


def test_an_image_given_twice_is_refused(images: list[Path]):
    with pytest.raises(ValueError, match="given twice"):
        studies_of([images[0], images[0]], each=False, max_views=2)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n broken"])
def test_a_damaged_image_is_named_and_leaves_nothing(
    comparison: Path, tmp_path: Path, content: bytes
):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.png"):
        read_images(comparison / "linear", [path], tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["broken.png"]


def test_an_output_that_is_there_is_refused_before_any_work(images: list[Path], tmp_path: Path):
    with pytest.raises(FileExistsError):
        read_images(tmp_path / "no run", images, tmp_path)


def test_a_folder_without_a_method_is_refused(images: list[Path], tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="holds no trained method"):
        read_images(tmp_path, images, tmp_path / "out")

import os
import socket

import numpy as np
import pytest
from PIL import Image

from gradtruce.data.images.film import MAX_BYTES
from gradtruce.data.images.read import read_film, read_grey


def film_at(path):
    Image.new("L", (4, 3), 9).save(path, format="PNG")
    return path


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.png: there is no such image file; correct"):
        read_film(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="but a folder; name a file"):
        read_film(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_film(film_at(tmp_path / "a.png") / "b.png")


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match=r"a\.png: an empty file; replace it"):
        read_film(tmp_path / "a.png")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: not a regular file"):
        read_film(tmp_path / "a.png")


def test_a_device_and_a_socket_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not a regular file"):
        read_film("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "s.png"))
        with pytest.raises(ValueError, match=r"s\.png: not a regular file"):
            read_film(tmp_path / "s.png")


def test_a_link_inside_the_root_is_followed(tmp_path):
    film_at(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("a.png")
    assert read_film(tmp_path / "b.png", root=tmp_path).pixels.shape == (3, 4)


@pytest.mark.parametrize("way", ["dots", "link to a file", "link to a folder", "absolute"])
def test_a_path_out_of_the_root_is_refused(tmp_path, way):
    film_at(tmp_path / "secret.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    path = {
        "dots": root / ".." / "secret.png",
        "link to a file": root / "link.png",
        "link to a folder": root / "folder" / "secret.png",
        "absolute": tmp_path / "secret.png",
    }[way]
    assert read_film(path).pixels.shape == (3, 4)
    with pytest.raises(ValueError, match=r"\.png: leads out of 'root'; images"):
        read_film(path, root=root)


def test_a_root_that_is_itself_a_link_is_no_obstacle(tmp_path):
    (tmp_path / "real").mkdir()
    film_at(tmp_path / "real" / "a.png")
    (tmp_path / "root").symlink_to("real")
    assert read_film(tmp_path / "root" / "a.png", root=tmp_path / "root").kind == "png"


def test_a_loop_of_links_is_named(tmp_path):
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    with pytest.raises(ValueError, match=r"a\.png: symbolic links lead in a loop"):
        read_film(tmp_path / "a.png")


def test_a_dangling_link_is_a_missing_file(tmp_path):
    (tmp_path / "a.png").symlink_to("gone.png")
    with pytest.raises(FileNotFoundError, match=r"a\.png: there is no such image file"):
        read_film(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a\0.png", "a" * 5000 + ".png"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"aaaa|not a path"):
        read_film(f"{tmp_path}/{name}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    film_at(tmp_path / "a.png").chmod(0)
    with pytest.raises(ValueError, match=r"a\.png: cannot be opened \(Permission denied\)"):
        read_film(tmp_path / "a.png")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)  # sparse
    with pytest.raises(ValueError, match=r"a\.png: larger than 256,000,000 bytes"):
        read_film(tmp_path / "a.png")


def test_the_content_decides_the_kind_and_a_wrong_name_is_noted(tmp_path):
    image = Image.new("L", (8, 8), 100)
    image.save(tmp_path / "a.png", format="JPEG")
    image.save(tmp_path / "b.dcm", format="PNG")
    image.save(tmp_path / "c.weird", format="PNG")
    films = [read_film(tmp_path / name) for name in ("a.png", "b.dcm", "c.weird")]
    assert [film.kind for film in films] == ["jpeg", "png", "png"]
    assert [film.notes for film in films] == [
        ("jpeg content in a file named png",),
        ("png content in a file named dicom",),
        (),
    ]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"GIF89a", "a GIF image"),
        (b"II*\0 tiff", "a TIFF image"),
        (b"RIFF1234WEBP", "a WebP image"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, not the file itself"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"not an image", "a file of no known kind"),
    ],
)
def test_what_is_no_image_of_ours_is_called_by_its_name(tmp_path, content, name):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=f"not a PNG, JPEG or DICOM image but {name}; convert"):
        read_film(tmp_path / "a.png")


def test_a_short_side_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="short_side must be at least 1 pixel, got 0"):
        read_film(film_at(tmp_path / "a.png"), 0)


def test_read_grey_gives_the_pixels_alone(tmp_path):
    path = film_at(tmp_path / "a.png")
    np.testing.assert_array_equal(read_grey(path), read_film(path).pixels)

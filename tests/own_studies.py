"""Studies of one's own for tests: a CSV file, images of noise beside it, and every known fault."""

import csv
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gradtruce.data.study import SPLITS

Row = dict[str, Any]


def film(path: Path, *, side: int = 40) -> Path:
    """Write noise of its own; the ending decides the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(list(path.name.encode()))
    Image.fromarray(noise.integers(0, 256, (side + 4, side), dtype=np.uint8)).save(path)
    return path


def good_rows(root: Path, count: int = 6, ending: str = "png", **fields: Any) -> list[Row]:
    """Write images for studies that alternate between the splits; return their rows."""
    rows = []
    for number in range(count):
        name = f"ok{number}"
        film(root / f"{name}.{ending}")
        report = f"The heart is normal in size. Film {number} shows clear lungs."
        row = {"id": name, "image": f"{name}.{ending}", "report": report}
        rows.append(row | {"split": SPLITS[number % 3]} | fields)
    return rows


def write_rows(path: Path, rows: list[Row]) -> Path:
    """Write rows as CSV; a field that a row lacks is empty."""
    columns = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def png_bomb() -> bytes:
    """Return a PNG file of some hundred bytes that claims 3.6 gigapixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


FAULTS: Mapping[str, tuple[str, str]] = {
    "png-cut": ("damaged image", "replace it or leave it out"),
    "jpeg-cut": ("damaged image", "replace it or leave it out"),
    "dicom-cut": ("damaged image", "damaged DICOM image, or cut off"),
    "nothing-in-it": ("damaged image", "an empty file"),
    "bomb": ("damaged image", "more than 64,000,000 pixels"),
    "text-as-png": ("damaged image", "not a PNG, JPEG or DICOM image"),
    "no-image": ("missing image", "there is no such image file"),
    "way-out": ("path leaves the root", "leads out of"),
    "link-out": ("path leaves the root", "leads out of"),
    "loop": ("symbolic link loop", "lead in a loop"),
    "long-report": ("unreadable report", "must be shorter than 1,000,000 bytes"),
    "latin-report": ("unreadable report", "not UTF-8 text, the byte at offset 2"),
    "no-report": ("missing report", "there is no such file"),
    "report-out": ("path leaves the root", "leads out of"),
    "twice": ("rows disagree", "'report' differs from an earlier row"),
    "same-image": ("duplicate image", "the image is study 'ok0''s already"),
    "label": ("label value", "has '2' for 'Edema'; it must be 1, 0, -1 or empty"),
    "split": ("unknown split", "must be train, val or test, is 'trian'"),
}
"""What becomes of a study that has one fault: kind, and part of the reason."""


def faulty_rows(root: Path) -> dict[str, list[Row]]:
    """Write the files of `FAULTS`; return the rows of each, by name."""
    from tests.data.images.dicom_files import dicom_bytes, radiograph  # noqa: PLC0415 # pydicom

    film(root / "whole.png")
    film(root / "whole.jpg")
    film(root.parent / "outside.png")
    (root.parent / "outside.txt").write_text("Secret.")
    contents = {
        "png-cut.png": (root / "whole.png").read_bytes()[:900],
        "jpeg-cut.jpg": (root / "whole.jpg").read_bytes()[:700],
        "dicom-cut.dcm": dicom_bytes(radiograph())[:2000],
        "nothing-in-it.png": b"",
        "bomb.png": png_bomb(),
        "text-as-png.png": b"no image",
        "long-report.txt": b"a " * 500_001,
        "latin-report.txt": "5 \xb5m".encode("latin-1"),
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "link-out.png").symlink_to(root.parent / "outside.png")
    images = {Path(name).stem: name for name in contents if not name.endswith(".txt")}
    images |= {"way-out": "../outside.png", "no-image": "gone.png", "same-image": "ok0.png"}
    texts = {name: f"{name}.txt" for name in ("long-report", "latin-report", "no-report")}
    texts["report-out"] = "../outside.txt"
    rows: dict[str, list[Row]] = {}
    for name in FAULTS:
        if name in texts or name in ("twice", "label", "split"):
            film(root / f"{name}.png")
        row = {"id": name, "image": images.get(name, f"{name}.png"), "split": "train"}
        row |= {"report_file": texts[name]} if name in texts else {"report": f"Clear, {name}."}
        rows[name] = [row]
    rows["twice"].append(rows["twice"][0] | {"report": "Another."})
    rows["label"][0]["Edema"] = "2"
    rows["split"][0]["split"] = "trian"
    return rows

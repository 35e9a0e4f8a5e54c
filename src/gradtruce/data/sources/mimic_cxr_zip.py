"""Reports straight from `mimic-cxr-reports.zip`: nothing is unpacked to disk, nothing trusted.

The list of members is read once, in the process that lists the studies. A worker gets the place of
one member and reads just that: the list of 227,835 members would cost each worker 150 MB.
"""

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from gradtruce.data.text_file import REPORT_LIMIT, decode_utf8, regular_file

_REPORT: Final = re.compile(r"(?:[^\0]*/)?p1\d/p(1\d{7})/s(5\d{7})\.txt", re.ASCII)
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_STORED, _DEFLATED, _ENCRYPTED = 0, 8, 1
_MOST_MEMBERS: Final = 1_000_000
_MOST_BYTES: Final = 4_000_000_000


@final
@dataclass(frozen=True, slots=True)
class Member:
    """Where a report lies in the archive.

    Attributes:
        name: Its path in the archive.
        place: Offset, compressed and full size, CRC-32 and method, as text.
    """

    name: str
    place: str


def list_reports(path: Path) -> dict[str, Member]:
    r"""Return the reports in an archive by "<subject_id>/<study_id>"; other members are not.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole zip archive, is encrypted, or has a report twice.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "reports.zip"
    ...     with zipfile.ZipFile(path, "w") as archive:
    ...         archive.writestr("files/p12/p12345678/s51234567.txt", "FINDINGS: Clear.")
    ...     member = list_reports(path)["12345678/51234567"]
    ...     read_report(path, member)
    'FINDINGS: Clear.'
    """
    real = regular_file(path)
    size = real.stat().st_size
    if size > _MOST_BYTES:
        raise ValueError(f"{path}: an archive of reports has 140 MB, this {size:,} bytes")
    try:
        with zipfile.ZipFile(real) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError) as error:
        raise ValueError(f"{path}: not a whole zip archive ({error}); download it again") from None
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"{path}: has {len(members):,} members; an archive of reports has 227,835")
    reports: dict[str, Member] = {}
    for info in members:
        found = _REPORT.fullmatch(info.filename)
        if not found:
            continue
        key = f"{found[1]}/{found[2]}"
        if key in reports:
            raise ValueError(f"{path}: has the report s{found[2]}.txt twice; download it again")
        if info.flag_bits & _ENCRYPTED:
            raise ValueError(f"{path}: is encrypted; unpack it and name the folder")
        reports[key] = Member(
            info.filename,
            f"{info.header_offset} {info.compress_size} {info.file_size} {info.CRC} "
            f"{info.compress_type}",
        )
    return reports


def read_report(path: Path, member: Member) -> str:
    """Return the text of a report; see `list_reports`.

    Raises:
        FileNotFoundError: If the archive is not there.
        ValueError: If the member is too long, damaged, not UTF-8 or not what the list says.
    """
    offset, packed, size, crc, method = map(int, member.place.split())
    if max(packed, size) >= REPORT_LIMIT:
        raise ValueError(
            f"{member.name}: a report must be shorter than {REPORT_LIMIT:,} bytes, this has "
            f"{max(packed, size):,}; it is probably something else"
        )
    content = _unpacked(_raw(path, member.name, offset, packed), size, method)
    if content is None or len(content) != size or zlib.crc32(content) != crc:
        raise ValueError(f"{member.name}: damaged in {path.name}; download the archive again")
    return decode_utf8(content, member.name)


def _raw(path: Path, name: str, offset: int, packed: int) -> bytes:
    """Return the packed bytes of a member; b"" if another is there."""
    with regular_file(path).open("rb") as file:
        file.seek(offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
            return b""
        *_, name_length, extra_length = _LOCAL.unpack(header)
        if file.read(name_length) != name.encode():
            return b""
        file.seek(extra_length, 1)
        return file.read(packed)


def _unpacked(raw: bytes, size: int, method: int) -> bytes | None:
    if method == _STORED:
        return raw
    if method != _DEFLATED:
        return None
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, size + 1)
    except zlib.error:
        return None

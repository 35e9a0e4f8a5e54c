"""Reports in the archive: read in place, whatever the archive is."""

import struct
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradtruce.data.sources.mimic_cxr_zip import Member, list_reports, read_report
from gradtruce.data.text_file import REPORT_LIMIT
from tests.data.sources.mimic_tree import STUDIES, write_archive

NAME = "files/p12/p12345678/s51234567.txt"
KEY = "12345678/51234567"


def archive_of(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("prefix", ["", "files/", "mimic-cxr-reports/files/"])
def test_reports_are_found_packed_or_stored_below_any_folder(tmp_path, method, prefix):
    name = f"{prefix}p12/p12345678/s51234567.txt"
    path = archive_of(tmp_path / "r.zip", [(name, "FINDINGS: Überall clear.")], method)
    members = list_reports(path)
    assert members[KEY].name == name
    assert read_report(path, members[KEY]) == "FINDINGS: Überall clear."


def test_a_streamed_archive_has_its_sizes_in_the_list_alone(tmp_path):
    path = tmp_path / "r.zip"
    with path.open("wb") as raw:

        class Pipe:
            def write(self, data):
                return raw.write(data)

            def flush(self):
                raw.flush()

        with zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(NAME, "Streamed.")
    assert read_report(path, list_reports(path)[KEY]) == "Streamed."


def test_members_of_other_names_are_passed_over_and_nothing_is_written(tmp_path):
    slipping = ["../../p12/x.txt", "/etc/passwd", "files/p12/p12345678/../s51234567.txt", "a.txt"]
    path = archive_of(tmp_path / "r.zip", [(name, "x") for name in slipping])
    assert list_reports(path) == {}
    assert [found.name for found in tmp_path.iterdir()] == ["r.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_damage(tmp_path, method):
    path = archive_of(tmp_path / "r.zip", [(NAME, "x" * 100)], method)
    with pytest.raises(ValueError, match=r"damaged in r\.zip; download the archive again"):
        read_report(path, list_reports(path)[KEY])


def test_a_bomb_is_refused_by_its_stated_size_and_by_its_real_one(tmp_path):
    path = archive_of(tmp_path / "r.zip", [(NAME, b"\0" * 50_000_000)])
    member = list_reports(path)[KEY]
    with pytest.raises(ValueError, match="must be shorter than 1,000,000 bytes, this has 50,000,0"):
        read_report(path, member)
    offset, packed, _, crc, method = member.place.split()
    lying = Member(member.name, f"{offset} {packed} {REPORT_LIMIT - 1} {crc} {method}")
    with pytest.raises(ValueError, match="damaged"):
        read_report(path, lying)


def test_a_report_twice_and_an_encrypted_one_are_refused(tmp_path):
    twice = [(NAME, "a"), (NAME.replace("files/", ""), "b")]
    with pytest.raises(ValueError, match=r"s51234567\.txt twice"):
        list_reports(archive_of(tmp_path / "r.zip", twice))
    path = archive_of(tmp_path / "e.zip", [(NAME, "a")])
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 8, 1)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is encrypted; unpack it"):
        list_reports(path)


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_a_cut_off_archive_is_to_be_downloaded_again(tmp_path, cut):
    path = archive_of(tmp_path / "r.zip", [(NAME, "a")])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"r\.zip: not a whole zip archive"):
        list_reports(path)


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"r\.zip"):
        list_reports(tmp_path / "r.zip")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_a_value_error_or_does_no_harm(tmp_path, data):
    path = tmp_path / "r.zip"
    write_archive(path, STUDIES)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    written = {study.report for study in STUDIES}
    try:
        members = list_reports(path)
    except ValueError:
        return
    for member in members.values():
        try:
            assert read_report(path, member) in written
        except ValueError:
            continue

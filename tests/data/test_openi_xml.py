"""Reports in the layout of `NLMCXR_reports`, with text of our own."""

import pytest

from gradtruce.data.openi_xml import OpenIReport

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
   <meta type="rr"/>
   <uId id="CXR54"/>
   <MedlineCitation Owner="x">
      <Article>
         <Abstract>
            <AbstractText Label="COMPARISON"/>
            <AbstractText Label="INDICATION">XXXX-year-old, cough</AbstractText>
            <AbstractText Label="FINDINGS"> Heart is large &amp; round.
 No <b>fluid</b>. </AbstractText>
            <AbstractText Label="IMPRESSION">1. Large heart.</AbstractText>
         </Abstract>
      </Article>
   </MedlineCitation>
   <MeSH>
      <major>Cardiomegaly/mild </major>
      <major>Spine/degenerative</major>
      <automatic>Heart</automatic>
   </MeSH>
   <parentImage id="CXR54_IM-1-1001">
      <figureId>F1</figureId>
      <caption>Front and side</caption>
      <panel type="single"><url>/a/b.jpg</url></panel>
   </parentImage>
   <parentImage id="CXR54_IM-1-2001"/>
</eCitation>
"""


def test_every_part_of_a_report_is_read():
    report = OpenIReport.parse(REPORT, "54.xml")
    assert report.uid == 54
    assert dict(report.sections) == {
        "indication": "XXXX-year-old, cough",
        "findings": "Heart is large & round.\n No fluid.",
        "impression": "1. Large heart.",
    }
    assert report.mesh_major == ("Cardiomegaly/mild", "Spine/degenerative")
    assert report.mesh_automatic == ("Heart",)
    assert dict(report.images) == {"CXR54_IM-1-1001": "Front and side", "CXR54_IM-1-2001": ""}


def test_a_file_is_read_within_its_root(tmp_path):
    path = tmp_path / "54.xml"
    path.write_bytes(b"\xef\xbb\xbf" + REPORT.encode())
    assert OpenIReport.read(path, root=tmp_path) == OpenIReport.parse(REPORT, "54.xml")
    with pytest.raises(ValueError, match="leads out of"):
        OpenIReport.read(path, root=tmp_path / "else")


def test_a_report_may_lack_everything_but_its_id():
    report = OpenIReport.parse('<eCitation><uId id="CXR1"/></eCitation>', "1.xml")
    assert (dict(report.sections), dict(report.images), report.mesh_major) == ({}, {}, ())


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ('<!DOCTYPE eCitation [<!ENTITY a "b">]>', "an internal one"),
        (f'<!DOCTYPE eCitation [<!ENTITY l0 "ha">{LAUGHS}]>', "an internal one"),
        ('<!DOCTYPE eCitation [<!ENTITY a SYSTEM "file:///etc/hostname">]>', "an internal one"),
        ('<!DOCTYPE eCitation SYSTEM "http://x.example/a.dtd">', "external one, 'http://x.ex"),
        ('<!DOCTYPE eCitation PUBLIC "-//X" "a.dtd">', "external one, 'a.dtd'"),
        ("<!DOCTYPE eCitation>", "without entities"),
    ],
)
def test_a_document_type_and_its_entities_are_refused(declared, kind):
    text = declared + '<eCitation><uId id="CXR1"/>&a;&l9;</eCitation>'
    with pytest.raises(ValueError, match=rf"1\.xml: declares a document type.*{kind}.*refused"):
        OpenIReport.parse(text, "1.xml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not readable as XML"),
        (REPORT.encode()[:-20], "not readable as XML"),
        (b"<eCitation>&a;</eCitation>", "not readable as XML .undefined entity"),
        (b"<eCitation>\x00</eCitation>", "not readable as XML"),
        ("<eCitation>é</eCitation>".encode("latin-1"), "not UTF-8 text, the byte at offset 11"),
        (REPORT.encode("utf-16"), "not UTF-8 text, the byte at offset 0"),
        (b"<html/>", "must be an eCitation, is 'html'"),
        (b"<eCitation/>", "must have a uId such as CXR54, has ''"),
        (b'<eCitation><uId id="7"/></eCitation>', "must have a uId such as CXR54, has '7'"),
        (b"<eCitation>" + b"<a>" * 200, "nested too deep"),
        (b"<eCitation>" + b" " * 1_000_000, "a report must be shorter than 1,000,000"),
    ],
)
def test_what_is_no_report_is_named(content, message):
    with pytest.raises(ValueError, match=rf"1\.xml: {message}"):
        OpenIReport.parse(content, "1.xml")

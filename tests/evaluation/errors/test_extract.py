"""What is read of a finding: attributes, and whose they are."""

import pytest

from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.errors.statement import Findings, Statement


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor()


def only(findings: Findings) -> Statement:
    assert len(findings.present) == 1, findings
    return findings.present[0]


@pytest.mark.parametrize(
    ("text", "sides", "zones", "severities"),
    [
        ("Small left pleural effusion.", ("left",), (), (1,)),
        ("There is a large effusion on the right.", ("right",), (), (3,)),
        ("Small to moderate bilateral effusions.", ("left", "right"), (), (1, 2)),
        ("Moderately severe bibasilar atelectasis.", ("left", "right"), ("lower",), (2, 3)),
        ("Opacity in the right middle and lower lobe.", ("right",), ("middle", "lower"), ()),
        ("Consolidation in the lingula.", ("left",), ("middle",), ()),
        ("Right middle lobe consolidation.", ("right",), ("middle",), ()),
        ("Retrocardiac opacity, mild.", ("left",), ("lower",), (1,)),
        ("A displaced left eighth rib fracture.", ("left",), ("lower",), ()),
        ("The heart is markedly enlarged.", (), (), (3,)),
        ("Biapical pleural thickening.", ("left", "right"), ("upper",), ()),
        ("The left lung is clear, with consolidation on the right.", ("right",), (), ()),
        ("Right base opacity, left base is clear.", ("right",), ("lower",), ()),
        ("The left lung clear, right basilar opacity.", ("right",), ("lower",), ()),
    ],
)
def test_attributes_are_read(
    extractor: Extractor,
    text: str,
    sides: tuple[str, ...],
    zones: tuple[str, ...],
    severities: tuple[int, ...],
) -> None:
    said = only(extractor.read(text))
    assert (said.sides, said.zones, said.severities) == (sides, zones, severities)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("small left effusion and right basilar atelectasis", ("left",), ("right",)),
        ("small effusion on the left with right basilar atelectasis", ("left",), ("right",)),
        ("effusion and atelectasis at the left base", ("left",), ("left",)),
        ("effusion and left upper and lower lobe atelectasis", (), ("left",)),
        ("left effusion while atelectasis is seen", ("left",), ()),
    ],
)
def test_a_side_belongs_to_its_own_finding(
    extractor: Extractor, text: str, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    sides = {one.observation: one.sides for one in extractor.read(text).present}
    assert sides == {"Pleural Effusion": first, "Atelectasis": second}


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("New left effusion.", "new"),
        ("The left effusion has increased since the prior study.", "increased"),
        ("Improving left effusion.", "decreased"),
        ("No significant change in left effusion.", "unchanged"),
        ("The left effusion is not improved.", "unchanged"),
        ("Right effusion, larger than on the left.", None),
        ("The left effusion is again seen.", "unchanged"),
        ("Compared to the prior study, there is a left effusion.", "compared"),
        ("Left effusion. No prior studies.", None),
        ("Mildly increased interstitial markings.", None),
        ("The heart size is mildly increased.", None),
    ],
)
def test_comparisons_are_read(extractor: Extractor, text: str, change: str | None) -> None:
    assert only(extractor.read(text)).change == change


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("The endotracheal tube tip is above the carina.", "endotracheal tube"),
        ("An NG tube passes below the diaphragm.", "enteric tube"),
        ("Right internal jugular catheter.", "central venous catheter"),
        ("Left chest pacemaker with leads in the right atrium.", "pacemaker"),
        ("Median sternotomy wires.", "sternotomy wires"),
        ("Left pleural drain.", "chest tube"),
        ("A catheter.", None),
    ],
)
def test_the_kind_of_device_is_read(extractor: Extractor, text: str, device: str | None) -> None:
    assert only(extractor.read(text)).device == device


def test_a_side_of_something_else_is_no_side_of_the_device(extractor: Extractor) -> None:
    said = extractor.read("A left pacemaker is present with leads in the right atrium.")
    assert only(said).sides == ("left",)


def test_what_is_gone_is_absent_and_a_comparison(extractor: Extractor) -> None:
    said = extractor.read("The left pneumothorax has resolved.")
    assert not said.present
    assert (said.absent[0].observation, said.absent[0].change) == ("Pneumothorax", "resolved")


def test_no_new_finding_is_no_finding(extractor: Extractor) -> None:
    said = extractor.read("No new consolidation.")
    assert not said.present
    assert not said.compares


def test_a_heart_that_is_only_stable_is_a_comparison_and_no_finding(extractor: Extractor) -> None:
    said = extractor.read("The heart is stable.")
    assert (said.present, said.absent, said.comparisons) == ((), (), ("unchanged",))


def test_a_finding_named_twice_is_one(extractor: Extractor) -> None:
    said = only(extractor.read("There is a left effusion. The effusion is small."))
    assert (said.sides, said.severities, said.sentence) == (("left",), (1,), 0)


def test_findings_that_differ_are_two(extractor: Extractor) -> None:
    said = extractor.read("Nodule in the left upper lobe. Nodule in the right lower lobe.")
    assert [one.sides for one in said.present] == [("left",), ("right",)]


def test_one_side_of_a_bilateral_finding_is_part_of_it(extractor: Extractor) -> None:
    said = only(extractor.read("Bilateral effusions. The left effusion is large."))
    assert (said.sides, said.severities) == (("left", "right"), ())


def test_doubt_is_kept(extractor: Extractor) -> None:
    assert not only(extractor.read("Possible small effusion.")).is_certain


@pytest.mark.parametrize("text", ["", " . ", "\n\n", "a" * 100_000, "Эхо 胸部 🫁"])
def test_text_that_says_nothing_gives_nothing(extractor: Extractor, text: str) -> None:
    assert extractor.read(text) == Findings((), (), ())


def test_reading_twice_gives_the_same(extractor: Extractor) -> None:
    text = "New small left effusion. Stable cardiomegaly."
    assert extractor.read(text) == extractor.read(text) == Extractor().read(text)

"""What is drawn: true to its finding, on its side, inside its mask, the same for the same seed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.chest import build_chest
from gradtruce.data.phantom.findings.painters import PAINTERS
from gradtruce.data.phantom.findings.reshape import changes_of
from gradtruce.data.phantom.kinds import KINDS, Kind
from gradtruce.data.phantom.level import LEVELS
from gradtruce.data.phantom.render import render_study
from gradtruce.data.study import Finding

STANDARD = LEVELS["standard"]
STILL = replace(STANDARD, noise=0.0, clutter=0.0)
RESHAPING = {"lobar collapse", "pneumothorax", "pleural effusion"}
SIZE = 112
SIDED = [kind for kind in KINDS if "left" in kind.sides and kind.observation != "Support Devices"]


def patient(number: int = 0) -> tuple[Anatomy, Pose]:
    rng = np.random.default_rng([41, number])
    return Anatomy.draw(rng), replace(Pose.draw(rng, STANDARD), turn=0.0, tilt=0.0)


def draw(findings: list[Finding], number: int = 0, *, lateral: bool = True):
    anatomy, pose = patient(number)
    rng = np.random.default_rng(5)
    return render_study(anatomy, pose, findings, STILL, SIZE, rng, has_lateral=lateral)


@cache
def drawn(finding: Finding | None, number: int = 0):
    """Return grey and region of a study with one finding or none; each is drawn once."""
    views, findings = draw([finding] if finding else [], number, lateral=False)
    return views[0].pixels.astype(int), findings[0].regions[0] if findings else None


@cache
def finding_of(kind: Kind, side: str | None = None, severity: str = "moderate") -> Finding:
    return Finding(
        kind.observation,
        kind.name,
        severity=severity if kind.severities else None,
        side=side or (kind.sides[0] if kind.sides else None),
        zone=kind.zones[0] if kind.zones else None,
        size=sum(kind.size) / 2 if kind.size else None,
    )


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def change(finding: Finding, number: int = 0) -> np.ndarray:
    """Return how much grey a finding changes in the frontal film."""
    return np.abs(drawn(finding, number)[0] - drawn(None, number)[0])


def test_every_kind_has_a_painter_and_no_painter_is_without_a_kind():
    assert set(PAINTERS) == {kind.name for kind in KINDS}


@pytest.mark.parametrize("size", [96, 128, 256])
def test_films_are_square_eight_bit_and_use_most_of_the_greys(size: int):
    anatomy, pose = patient()
    views, _ = render_study(anatomy, pose, [], STANDARD, size, np.random.default_rng(0))
    assert [view.position for view in views] == ["frontal", "lateral"]
    for view in views:
        assert view.pixels.shape == (size, size)
        assert view.pixels.dtype == np.uint8
        low, high = np.percentile(view.pixels, [2, 98])
        assert low < 60
        assert high > 180


def test_a_study_is_the_same_for_the_same_seed_and_another_for_another():
    anatomy, pose = patient()
    films = [
        render_study(anatomy, pose, [], STANDARD, 96, np.random.default_rng(seed))[0][0].pixels
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(films[0], films[1])
    assert not np.array_equal(films[0], films[2])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_finding_changes_the_film_inside_its_mask(kind: Kind):
    mask = drawn(finding_of(kind))[1].mask
    moved = change(finding_of(kind))
    assert moved.max() >= 12
    assert moved[mask].mean() > 2 * moved[~mask].mean()
    if kind.name not in RESHAPING:
        near = ndimage.binary_dilation(mask, iterations=2)
        assert near[moved > 0.6 * moved.max()].mean() > 0.8


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_box_encloses_its_mask_and_nothing_more(kind: Kind):
    region = drawn(finding_of(kind))[1]
    left, top, right, bottom = region.box
    inside = region.mask[top:bottom, left:right]
    assert inside.sum() == region.mask.sum() > 0
    assert inside.any(0)[[0, -1]].all()
    assert inside.any(1)[[0, -1]].all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", SIDED, ids=lambda kind: kind.name)
def test_the_left_of_the_patient_is_on_the_right_of_a_frontal_film(kind: Kind, side: str):
    finding = finding_of(kind, side)
    mask = drawn(finding)[1].mask
    moved = change(finding) * mask
    centre = float((moved.sum(0) * np.arange(SIZE)).sum() / moved.sum())
    middle = (SIZE - 1) / 2
    assert (centre > middle) == (side == "left")
    assert (np.nonzero(mask)[1].mean() > middle) == (side == "left")


def test_findings_of_both_sides_are_seen_on_both_sides():
    kind = kind_named("pleural effusion")
    columns = np.nonzero(drawn(finding_of(kind, "bilateral"))[1].mask)[1]
    assert columns.min() < 40
    assert columns.max() > 72


def test_a_study_without_findings_has_no_region_and_one_without_lateral_has_one_view():
    views, findings = draw([], lateral=False)
    assert len(views) == 1
    assert findings == ()


def test_regions_name_the_view_that_they_lie_in():
    kind = kind_named("mass")
    _, (one,) = draw([finding_of(kind)])
    assert [region.view for region in one.regions] == [0, 1]


def test_only_the_finding_itself_is_kept_beside_its_regions():
    finding = finding_of(KINDS[4])
    _, (one,) = draw([finding], lateral=False)
    assert replace(one, regions=()).__dict__ == finding.__dict__


@pytest.mark.parametrize(
    "name", ["hazy opacity", "consolidation", "pleural effusion", "pneumothorax"]
)
def test_a_severe_finding_changes_more_than_a_mild_one(name: str):
    kind = kind_named(name)
    mild, severe = (
        change(finding_of(kind, severity=severity)).sum() for severity in ("mild", "severe")
    )
    assert severe > 1.3 * mild


def test_a_possible_finding_is_fainter_than_a_definite_one():
    kind = kind_named("consolidation")
    finding = finding_of(kind, severity="mild")
    faint = replace(finding, certainty="possible")
    assert change(faint).sum() < 0.9 * change(finding).sum()


@pytest.mark.parametrize("number", range(6))
def test_the_share_of_the_heart_in_the_chest_follows_its_degree(number: int):
    anatomy, pose = patient(number)
    kind = kind_named("enlarged heart")
    ratios = []
    for severity in (None, "mild", "moderate", "severe"):
        found = [finding_of(kind, severity=severity)] if severity else []
        heart = build_chest(anatomy, pose, changes_of(found, anatomy, STANDARD)).heart
        ratios.append(float(heart.high.max() - heart.low.min()) / (2 * anatomy.width))
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.5 < ratios[1]
    assert ratios[3] - ratios[1] > 0.08


def test_the_same_patient_has_the_same_anatomy_in_another_pose():
    anatomy, pose = patient()
    other = replace(pose, inspiration=pose.inspiration - 0.08)
    near, far = build_chest(anatomy, pose), build_chest(anatomy, other)
    assert near.cavity["left"].high.max() == pytest.approx(far.cavity["left"].high.max(), abs=1)
    assert near.top["left"] > far.top["left"] + 10
    again = render_study(anatomy, pose, [], STILL, 96, np.random.default_rng(9))[0]
    first = render_study(anatomy, pose, [], STILL, 96, np.random.default_rng(5))[0]
    assert np.abs(again[0].pixels.astype(int) - first[0].pixels).mean() < 1


def test_a_finding_lies_in_the_same_place_in_a_later_study():
    nodule = finding_of(kind_named("nodule"))
    anatomy, pose = patient()
    rng = np.random.default_rng(0)
    _, (before,) = render_study(anatomy, pose, [nodule], STILL, 112, rng)
    _, (after,) = render_study(anatomy, pose, [replace(nodule, size=26.0)], STILL, 112, rng)
    centres = [np.argwhere(one.regions[0].mask).mean(0) for one in (before, after)]
    assert np.abs(centres[0] - centres[1]).max() < 1.5


def test_opacities_over_the_heart_do_not_burn_white():
    opacity = replace(finding_of(kind_named("consolidation"), "left"), zone="lower")
    film, region = drawn(replace(opacity, severity="severe"))
    plain, _ = drawn(None)
    assert film[region.mask].max() <= plain.max() - 5


def test_the_tube_in_the_windpipe_ends_above_the_carina():
    kind = kind_named("endotracheal tube")
    for number in range(3):
        anatomy, pose = patient(number)
        rng = np.random.default_rng(0)
        _, (tube,) = render_study(anatomy, pose, [finding_of(kind)], STILL, 64, rng)
        bottom = tube.regions[0].box[3] * pose.field / 64
        top = 138 + pose.shift[1] - pose.field / 2
        carina = 84 * anatomy.height * pose.inspiration / 225
        assert bottom + top < carina - 10


@pytest.mark.parametrize(("before", "after"), [("easy", "standard"), ("standard", "hard")])
def test_findings_fade_and_clutter_grows_from_level_to_level(before: str, after: str):
    easier, harder = LEVELS[before], LEVELS[after]
    assert harder.opacity < easier.opacity
    assert harder.thin < easier.thin
    assert harder.change < easier.change
    assert harder.noise > easier.noise
    assert harder.clutter > easier.clutter


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(ValueError, match="no painter for the kind 'halo'"):
        draw([Finding("Lung Lesion", "halo")])


def test_a_film_of_a_few_pixels_is_refused():
    anatomy, pose = patient()
    with pytest.raises(ValueError, match="at least 32 pixels, got 16"):
        render_study(anatomy, pose, [], STILL, 16, np.random.default_rng(0))

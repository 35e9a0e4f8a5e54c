import pytest

from gradtruce.balance.came_grad import CAMEGrad
from gradtruce.balance.presets import load_preset, preset_names

PUBLISHED = {  # radius, gain, fusion as in tables D.1 and E.1 of the paper
    "mimic": {
        "promptmrg": (0.2, 1.5, 0.1),
        "revtaf": (0.5, 1.5, 0.2),
        "ddatr": (0.5, 1.5, 0.2),
        "dcl": (0.5, 1.5, 0.2),
        "xpronet": (0.3, 1.5, 0.4),
        "camanet": (0.4, 1.5, 0.5),
        "tgrg": (0.1, 1.7, 0.8),
        "wcl": (0.2, 1.0, 0.9),
    },
    "iu": {
        "dcl": (0.5, 1.5, 0.8),
        "xpronet": (0.1, 1.0, 0.8),
        "camanet": (0.5, 2.0, 0.9),
        "tgrg": (0.1, 1.0, 0.9),
        "wcl": (0.1, 1.1, 0.4),
    },
}
ROWS = [
    (f"came_grad-{method}-{data}", row)
    for data, rows in PUBLISHED.items()
    for method, row in rows.items()
]


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[name for name, _ in ROWS])
def test_a_preset_holds_its_published_row(name: str, row: tuple[float, float, float]) -> None:
    preset = load_preset(name)
    assert tuple(preset.options.values()) == row
    assert preset.scope == "all"
    assert preset.is_published
    assert ("D.1" if name.endswith("mimic") else "E.1") in preset.table
    assert next(iter(preset.weights)) == "report"
    balancer = preset.build()
    assert isinstance(balancer, CAMEGrad)
    assert (balancer.radius, balancer.gain, balancer.fusion) == row


def test_every_row_has_a_variant_on_shared_parameters_that_is_called_ours() -> None:
    assert set(preset_names()) == {name + end for name, _ in ROWS for end in ("", "-shared")}
    shared, row = load_preset("came_grad-wcl-iu-shared"), load_preset("came_grad-wcl-iu")
    assert (shared.scope, shared.is_published) == ("shared", False)
    assert (shared.options, shared.weights) == (row.options, row.weights)


def test_an_unknown_preset_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'came_grad-wcl-mimic'"):
        load_preset("came_grad-wcl-mimik")

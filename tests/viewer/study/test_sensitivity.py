"""Heat maps of CAME-Grad's settings."""

from collections.abc import Callable
from pathlib import Path

from gradtruce.viewer.study.folder import read_study
from gradtruce.viewer.study.sensitivity import heat_maps
from tests.viewer.study.conftest import PLAN, record_of

GRID = """
[arms.g{number}]
label = "radius {radius}, gain {gain}"
balance = {{ name = "came_grad", options = {{ radius = {radius}, gain = {gain} }} }}
{published}
"""


def gridded(folder: Path) -> Path:
    """Lay a grid of 2 × 2 over the plan, one point of it published; only numbers, no runs."""
    arms = [
        GRID.format(
            number=2 * row + column,
            radius=radius,
            gain=gain,
            published='published = "Table D.1, <WCL>"' if (row, column) == (1, 0) else "",
        )
        for row, radius in enumerate((0.1, 0.3))
        for column, gain in enumerate((1.0, 2.0))
    ]
    (folder / "plan.toml").write_text(PLAN.partition("[arms.came_grad]")[0] + "".join(arms))
    return folder


def test_two_settings_that_vary_together_are_a_map(copy_of_study: Callable[[], Path], study: Path):
    before = read_study(study)
    assert heat_maps(before, before.record.cells[0]) == []
    folder = gridded(copy_of_study())
    record_of(folder, dict.fromkeys([f"g{n}" for n in range(4)], 0.01)).write(folder / "study.json")
    after = read_study(folder)
    (heat_map,) = heat_maps(after, after.record.cells[0])
    assert (heat_map.down, heat_map.across, heat_map.title) == ("radius", "gain", "fusion 0.2")
    assert heat_map.columns == (1.0, 2.0)
    assert [radius for radius, _ in heat_map.rows] == [0.1, 0.3]
    marked = [cell.published for _, cells in heat_map.rows for cell in cells]
    assert marked == ["", "", "Table D.1, <WCL>", ""]

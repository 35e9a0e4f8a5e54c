import math
import statistics

import pytest

from gradtruce.study.searching.pareto import dominates, front, hypervolume, hypervolumes
from gradtruce.study.searching.pruning import PruningConfig, is_hopeless, quantile

OVER = [{100: (0.10, 0.40), 200: (0.20, 0.50)}, {100: (0.30, 0.20)}, {100: (0.20, 0.30)}]
RULE = PruningConfig(warm_up=3)


@pytest.mark.parametrize(
    ("point", "step", "is_stopped"),
    [
        ((0.19, 0.29), 100, True),  # both below the medians 0.20 and 0.30
        ((0.20, 0.29), 100, False),  # at the median of the first
        ((0.05, 0.31), 100, False),  # above the median of the second
        ((0.19, 0.29), 200, False),  # one trial came to step 200, not three
        ((0.19, 0.29), 150, False),  # none was validated at step 150
    ],
)
def test_a_trial_is_stopped_below_the_median_in_every_score(point, step, is_stopped):
    assert is_hopeless(point, step, OVER, RULE) is is_stopped


def test_the_rule_waits_for_its_warm_up_its_first_step_and_can_be_off():
    hopeless = (0.0, 0.0)
    assert is_hopeless(hopeless, 100, OVER, RULE)
    assert not is_hopeless(hopeless, 100, OVER, PruningConfig(warm_up=4))
    assert not is_hopeless(hopeless, 100, OVER, PruningConfig(warm_up=3, from_step=101))
    assert not is_hopeless(hopeless, 100, OVER, PruningConfig(warm_up=3, enabled=False))


def test_a_lower_quantile_stops_less():
    # a quarter of the way from 0.10 to 0.30 over three values is 0.15; of the second, 0.25
    gentle = PruningConfig(warm_up=3, quantile=0.25)
    assert not is_hopeless((0.16, 0.24), 100, OVER, gentle)
    assert is_hopeless((0.14, 0.24), 100, OVER, gentle)


def test_a_score_that_could_not_be_computed_is_below_all():
    assert is_hopeless((-math.inf, 0.1), 100, OVER, RULE)


def test_the_quantile_is_the_median_at_one_half():
    values = [0.3, 0.1, 0.7, 0.2]
    assert quantile(values, 0.5) == pytest.approx(statistics.median(values))
    assert quantile([-math.inf, 1.0, 2.0], 0.25) == -math.inf


def test_the_front_keeps_equal_points_and_drops_beaten_ones():
    points = [(1.0, 3.0), (2.0, 2.0), (2.0, 2.0), (1.0, 2.0), (3.0, 0.5)]
    assert front(points) == [0, 1, 2, 4]
    assert dominates(points[1], points[3])
    assert front([]) == []


def test_the_hypervolume_of_boxes_counted_by_hand():
    assert hypervolume([(2.0, 1.0), (1.0, 2.0)], (0.0, 0.0)) == 3.0
    assert hypervolume([(1.0, 1.0)], (1.0, 0.0)) == 0.0
    # three boxes 2×1×1, 1×2×1, 1×1×2: two unit cubes each, all share one
    assert hypervolume([(2.0, 1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 1.0, 2.0)], (0.0,) * 3) == 4.0


def test_the_hypervolume_never_falls_over_the_trials():
    volumes = hypervolumes([(1.0, 1.0), None, (0.5, 0.5), (2.0, 0.5)], (0.0, 0.0))
    assert volumes == [1.0, 1.0, 1.0, 1.5]

"""Events that a panel shares are known from all of its series, and each has them in its own size."""

import numpy as np
import pytest

from klforecast.local.common_years import learn_common_years
from klforecast.local.years import Places, effects_of_years

YEAR, YEARS = 100, 3
ROWS = YEAR * YEARS - 40
PEAK = 50
NEXT = PEAK + YEAR * (YEARS - 1)


def places(rows=ROWS):
    years = np.array([number * YEAR for number in range(-YEARS, YEARS + 1) if number])
    by_date = np.arange(rows + YEAR)[:, None] + years
    return Places(np.where((by_date >= 0) & (by_date < rows), by_date, -1), None)


def shops(seed, heights, noise=1.0, rows=ROWS):
    rng = np.random.default_rng(seed)
    panel = [noise * rng.normal(size=(rows, 1)) for _ in heights]
    for own, height in zip(panel, heights, strict=True):
        own[PEAK::YEAR] += height
    return panel


def common(panel, starts=None, bands=3):
    starts = starts or [0] * len(panel)
    learned = learn_common_years(panel, starts, places(), 1, YEAR, [bands])
    return [learned.on(rows, start)[0] for rows, start in zip(panel, starts, strict=True)]


def test_a_panel_knows_an_event_that_its_series_are_not_sure_of():
    panel = shops(0, [2.0] * 30)
    alone = [effects_of_years(rows, places(), 1, YEAR, [3])[0, NEXT, 0] for rows in panel]
    together = [part[NEXT, 0] for part in common(panel)]
    assert np.mean(alone) < 0.6
    assert np.mean(together) == pytest.approx(2.0, abs=0.3)


def test_each_series_has_an_event_in_its_own_size():
    heights = np.linspace(2, 12, 20)
    found = [part[NEXT, 0] for part in common(shops(1, heights))]
    assert np.corrcoef(found, heights)[0, 1] > 0.97


def test_sizes_that_differ_by_noise_alone_are_nearly_the_same():
    panel = shops(2, [2.0] * 40, noise=2.0)
    seen = [rows[PEAK::YEAR].mean() for rows in panel]
    found = [part[NEXT, 0] for part in common(panel)]
    assert np.std(found) < 0.5 * np.std(seen)


def test_a_series_of_a_few_rows_has_the_events_of_the_others():
    panel = shops(3, [5.0] * 12)
    start = ROWS - 30
    found = common([*panel, panel[0][start:]], [0] * 12 + [start])[-1]
    assert len(found) == 30 + YEAR
    assert found[NEXT - start, 0] > 2


def test_a_series_that_nothing_was_learned_from_has_the_events_in_its_own_size():
    learned = learn_common_years(shops(3, [5.0, 15.0] * 6), [0] * 12, places(), 1, YEAR, [3])
    small, large = (learned.on(rows, 0)[0, NEXT, 0] for rows in shops(9, [5.0, 15.0]))
    assert small == pytest.approx(5, abs=1.5)
    assert large == pytest.approx(15, abs=1.5)


@pytest.mark.parametrize("shared", [0.0, 3.0])
def test_noise_has_no_events_whether_a_panel_shares_it_or_not(shared):
    together = shared * np.random.default_rng(4).normal(size=(ROWS, 1))
    panel = [rows + together for rows in shops(5, [0.0] * 20)]
    assert np.mean(np.abs(common(panel))) < 0.1 * np.std(panel)


def test_above_zero_an_event_is_in_per_cent_of_each_level():
    rng = np.random.default_rng(6)
    levels = [1.0, 10.0, 1000.0]
    panel = [level * (1 + 0.05 * rng.normal(size=(ROWS, 1))) for level in levels * 5]
    for rows in panel:
        rows[PEAK::YEAR] *= 1.5
    peaks = [part[NEXT, 0] for part in common(panel)]
    np.testing.assert_allclose(peaks, 0.5 * np.array(levels * 5), rtol=0.2)


def test_series_that_are_constant_or_unknown_leave_the_others_their_events():
    panel = shops(7, [6.0] * 10)
    before = [part[NEXT, 0] for part in common(panel)]
    odd = [np.full((ROWS, 1), 3.0), np.full((ROWS, 1), np.nan), np.zeros((ROWS, 1))]
    after = common([*panel, *odd])
    assert all(np.isfinite(part).all() for part in after)
    np.testing.assert_allclose([part[NEXT, 0] for part in after[:10]], before, rtol=0.2)

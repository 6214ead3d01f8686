"""Outliers: which rows are, which are not, and that rows to come have no say in it."""

import numpy as np
import pytest

from klforecast.ops.outliers import (
    find_outliers,
    find_panel_outliers,
    first_row_asked,
    without_outliers,
)

WEEK = np.array([100.0, 105.0, 110.0, 110.0, 110.0, 90.0, 85.0])


def weekly(rows=400, seed=6, noise=3.0):
    return WEEK[np.arange(rows) % 7] + noise * np.random.default_rng(seed).normal(size=rows)


def places(series, seasons=(7,)):
    """Rows that are outliers before the end of a series."""
    cleaned = find_outliers(series[:, None], seasons).without()[:, 0]
    return np.flatnonzero(cleaned != series).tolist()


@pytest.mark.parametrize("seasons", [(7,), (7, 30), ()])
@pytest.mark.parametrize("value", [1500.0, 0.0, -300.0])
def test_a_far_row_is_read_as_what_is_usual_for_its_phase(seasons, value):
    series = weekly()
    usual = series[200]
    series[200] = value
    found = find_outliers(series[:, None], seasons)
    assert [(run.start, run.stop) for run in found.runs] == [(200, 201)]
    assert abs(found.runs[0].usual[0] - usual) < (15 if seasons else 40)


@pytest.mark.parametrize("row", [3, 20, 34])
def test_rows_of_the_first_cycles_are_judged_by_those_around_them(row):
    series = weekly()
    series[row] = 400.0
    assert places(series) == [row]


def test_series_without_outliers_are_the_same_array():
    rows = np.stack([weekly(seed=seed) for seed in range(20)], axis=1)
    assert find_outliers(rows, (7,)).without() is rows


def test_three_far_rows_that_differ_are_how_the_series_is():
    series = weekly()
    series[200:203] += 300.0
    assert places(series) == []


@pytest.mark.parametrize("rows", [3, 12, 70])
def test_an_outage_is_left_out_once_it_is_over(rows):
    series = weekly()
    series[200 : 200 + rows] = 0.0
    assert places(series) == [*range(200, 200 + rows)]
    during = find_outliers(series[: 200 + rows, None], (7,)).without()[:, 0]
    assert (during[200] == 0.0) == (rows > 5)


def test_an_outage_of_more_than_two_blocks_is_a_state_of_the_series():
    series = weekly()
    series[200:271] = 0.0
    assert places(series) == []


def test_a_shift_of_level_is_none():
    series = weekly()
    series[250:] += 80.0
    assert places(series) == []


def test_rows_that_repeat_the_one_before_were_carried_forward():
    series = weekly()
    series[395:] = series[394]
    assert places(series) == [*range(395, 400)]
    assert places(series[:398]) == []


def test_series_that_often_repeat_a_row_are_never_stuck():
    hours = np.arange(24 * 60)
    light = np.maximum(np.sin(2 * np.pi * hours / 24), 0.0)
    light *= np.random.default_rng(2).uniform(0.5, 1.0, len(hours))
    assert places(np.round(light, 3), (24,)) == []


def test_floods_of_a_river_that_has_many_are_none():
    river = np.exp(1.2 * np.random.default_rng(3).normal(size=600))
    assert (river > 6 * 1.5 * np.median(np.abs(river - np.median(river)))).mean() > 0.05
    assert places(river) == []


def test_what_was_seen_three_times_in_any_season_is_usual():
    series = weekly(rows=600)
    series[29::30] += 200.0
    assert places(series, (7, 30)) == [29, 59, 89]


def test_walks_do_not_come_back_and_their_newest_row_is_where_they_are():
    walk = np.random.default_rng(4).normal(size=400).cumsum()
    walk[-1] += 12.0
    assert places(walk, ()) == []


@pytest.mark.parametrize("rows", [1, 2])
def test_newest_rows_that_are_far_are_outliers_until_more_of_them_come(rows):
    series = weekly()
    series[-3:] += 300.0
    assert places(series[: 397 + rows]) == [*range(397, 397 + rows)]
    assert places(series) == []


def test_gaps_are_no_outliers_and_hide_none():
    series = weekly()
    series[100:130] = np.nan
    series[200] = 900.0
    found = find_outliers(series[:, None], (7,))
    assert [run.start for run in found.runs] == [200]
    assert np.isnan(found.without()[100:130]).all()


def spoiled(seed):
    """Two channels with far rows, outages, stuck values, some with gaps, and the seasons that are known of them."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(40, 300))
    series = 100 * (seed % 3 > 0) + 10 * np.sin(np.arange(rows) / 3)[:, None]
    series = series + rng.uniform(0.2, 3) * rng.normal(size=(rows, 2))
    for _ in range(rng.integers(1, 8)):
        start, size = int(rng.integers(0, rows)), int(rng.integers(1, 8))
        series[start : start + size, 0] = rng.choice([0.0, 200.0, -50.0])
        start, size = int(rng.integers(0, rows)), int(rng.integers(2, 20))
        series[start : start + size, 1] = series[start, 1]
    if seed % 5 == 0:
        series[rng.random((rows, 2)) < 0.05] = np.nan
    return series, [(), (7,), (12,), (7, 30)][seed % 4]


@pytest.mark.parametrize("seed", range(24))
def test_what_is_said_before_a_cutoff_is_what_its_rows_alone_say(seed):
    series, seasons = spoiled(seed)
    found = find_outliers(series, seasons)
    whole = found.without()
    cutoffs = np.arange(1, len(series) + 1)
    for cutoff, differs in zip(cutoffs, found.differ(cutoffs), strict=True):
        alone = find_outliers(series[:cutoff], seasons).without()
        np.testing.assert_array_equal(found.before(cutoff), alone)
        np.testing.assert_array_equal(found.before(cutoff, newest=9), alone[-9:])
        if not differs:
            np.testing.assert_array_equal(whole[:cutoff], alone)


def test_series_are_cleaned_alike_whoever_stands_beside_them():
    panel = {(seed,): spoiled(seed)[0][:40] for seed in range(12)} | {("long",): spoiled(3)[0]}
    together = without_outliers(panel, (7,))
    for key, rows in panel.items():
        np.testing.assert_array_equal(together[key], find_outliers(rows, (7,)).without())
    assert [
        found.rows is rows
        for found, rows in zip(
            find_panel_outliers([*panel.values()], (7,)), panel.values(), strict=True
        )
    ] == [True] * 13


def test_units_and_levels_do_not_matter():
    series, seasons = spoiled(7)
    base = places(series[:, 0] - 1e3, seasons)
    assert base
    assert places(2.0**40 * (series[:, 0] - 1e3), seasons) == base
    assert places(2.0**1012 * (series[:, 0] - 1e3), seasons) == base
    assert places(2.0**-1000 * (series[:, 0] - 1e3), seasons) == base


def test_rows_that_are_not_back_where_they_were_are_a_shift_however_noisy():
    series = weekly(noise=8.0)
    series[390:] = 0.6 * weekly(noise=8.0, seed=1)[390:]
    assert not set(places(series)) & {*range(390, 400)}


def test_an_outage_that_may_last_is_told_where_there_were_outages_that_did_not():
    series = weekly()
    for start, rows in [(60, 9), (150, 4), (230, 8), (300, 9), (350, 3), (396, 4)]:
        series[start : start + rows] = 0.0
    assert set(range(396, 400)) <= set(places(series))


@pytest.mark.parametrize("seasons", [(7,), (7, 60), (24, 168), ()])
@pytest.mark.parametrize("seed", range(3))
def test_a_search_from_the_first_row_asked_finds_what_one_of_all_rows_does(seasons, seed):
    generator = np.random.default_rng(seed)
    rows = 40 + 10 * np.sin(2 * np.pi * np.arange(9000) / max(seasons, default=30))
    rows = rows + generator.normal(size=9000)
    for start in generator.choice(9000, 150, replace=False):
        kind, length = generator.integers(3), int(generator.integers(1, 120))
        if kind == 0:
            rows[start : start + 1 + length % 3] *= generator.normal(size=1) * 5
        elif kind == 1:
            rows[start : start + length] = rows[start]
        else:
            rows[start : start + 2] = -rows[start]
    whole = find_outliers(rows[:, None], seasons)
    assert len(whole.runs) > 20
    for cutoff, newest in [(9000, 1), (9000, 800), (8000, 500), (6000, 60)]:
        first = first_row_asked(cutoff - newest, seasons)
        assert 0 < first < cutoff - newest
        later = find_outliers(rows[first:, None], seasons)
        expected = whole.before(cutoff, newest)
        np.testing.assert_array_equal(later.before(cutoff - first, newest), expected)

"""Whether rows seem to know the day of the month: seldom by chance, and whenever one day is far from its neighbours."""

import numpy as np
import pandas as pd
import pytest

from klforecast.local.month_days import seem_to_know_days

DAYS = pd.date_range("2022-01-01", periods=730)


@pytest.mark.parametrize("season", [1, 7])
@pytest.mark.parametrize("kind", ["noise", "walk", "wild", "few counts"])
def test_rows_that_know_no_day_seldom_seem_to(kind, season):
    rng = np.random.default_rng(0)
    shape = (730, 500)
    rows = {
        "noise": rng.normal(size=shape),
        "walk": rng.normal(size=shape).cumsum(axis=0),
        "wild": rng.standard_t(3, size=shape),
        "few counts": rng.poisson(0.2, size=shape).astype(float),
    }[kind]
    for days in (DAYS.day - 1, DAYS.days_in_month - DAYS.day):
        assert seem_to_know_days(rows, days.to_numpy(), season).mean() < 0.015


@pytest.mark.parametrize("height", [2.0, -2.0])
def test_two_deviations_on_one_date_are_seen(height):
    rows = np.random.default_rng(0).normal(size=(730, 100)) + height * (DAYS.day == 25)[:, None]
    assert seem_to_know_days(rows, DAYS.day.to_numpy() - 1, 7).mean() > 0.95


def test_one_wild_row_is_no_day_of_the_month():
    rows = np.random.default_rng(0).normal(size=(730, 1))
    rows[400] = 1e6
    assert not seem_to_know_days(rows, DAYS.day.to_numpy() - 1, 7).any()


def test_gaps_hide_no_day_and_make_none():
    rows = np.random.default_rng(0).normal(size=(730, 2))
    rows[:, 0] += 4.0 * (DAYS.day == 25)
    rows[::5] = np.nan
    assert seem_to_know_days(rows, DAYS.day.to_numpy() - 1, 7).tolist() == [True, False]
    assert not seem_to_know_days(np.full((730, 1), np.nan), DAYS.day.to_numpy() - 1, 7).any()
    assert not seem_to_know_days(np.ones((10, 1)), np.arange(10), 7).any()

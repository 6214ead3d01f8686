"""Spikes and outages before a cutoff, and what is none."""

import numpy as np
import pytest

from klforecast.local.excursions import newest_excursions, without_excursions
from klforecast.local.fitting import fit_local, origins_of
from klforecast.local.model import forecast

RNG = np.random.default_rng(6)


def weekly(rows=400):
    week = np.array([1.0, 1.05, 1.1, 1.1, 1.1, 0.9, 0.85])
    return 100 * week[np.arange(rows) % 7] * (1 + 0.05 * RNG.normal(size=rows))


@pytest.mark.parametrize(("rows", "value"), [(1, 1500.0), (2, 0.0), (5, -300.0)])
def test_spikes_and_outages_are_found_and_left_out(rows, value):
    past = weekly()
    past[-rows:] = value
    assert newest_excursions(past[None]).tolist() == [[False] * (5 - rows) + [True] * rows]
    assert np.isnan(without_excursions(past[None])[0, -rows:]).all()
    assert past[-1] == value


@pytest.mark.parametrize("rows", [6, 28])
def test_what_lasts_longer_is_a_shift(rows):
    past = weekly()
    past[-rows:] *= 10
    assert not newest_excursions(past[None]).any()


@pytest.mark.parametrize("rows", [3, 5])
def test_three_rows_that_differ_are_a_shift_and_forecasts_follow(rows):
    past = weekly()
    past[-rows:] /= 6
    assert not newest_excursions(past[None]).any()
    made = forecast(fit_local([past], 28, (7,)), [past], 28)[0]
    assert made.mean() < 75


def test_rows_that_came_back_are_excursions_however_many():
    past = weekly()
    past[-5:-1] *= 10
    assert newest_excursions(past[None]).tolist() == [[True] * 4 + [False]]


def test_an_expert_that_foresaw_a_spike_by_chance_gains_nothing():
    past = weekly()
    origins = origins_of([past], 28, (7,))
    rows = np.minimum(len(past) - origins.offsets[:, None] + origins.steps - 1, len(past) - 1)
    guessed = np.where(rows == len(past) - 1, 1500.0, past[rows] + 3)
    others = np.stack([past[rows] + 1, guessed], axis=1)[:, None]
    past[-1] = 1500.0
    weights = fit_local([past], 28, (7,), others).weights[0]
    assert (weights[:, -2] > 0.9).all()
    assert (weights[:, -1] < 0.01).all()


def test_far_rows_that_are_common_are_none():
    floods = np.where(np.arange(400) % 8 == 0, 500.0, 10.0) + RNG.normal(size=400)
    floods[-1] = 500.0
    assert not newest_excursions(floods[None]).any()


def test_short_constant_and_unobserved_series_have_none():
    pasts = np.full((3, 80), np.nan)
    pasts[0, -20:] = RNG.normal(size=20)
    pasts[0, -1] = 1e9
    pasts[1] = 3.0
    assert not newest_excursions(pasts).any()
    assert newest_excursions(np.ones((2, 3))).shape == (2, 3)


@pytest.mark.parametrize(("rows", "value"), [(1, 1500.0), (5, 0.0)])
def test_forecasts_after_a_spike_or_an_outage_are_those_of_the_usual_level(rows, value):
    whole = weekly(428)
    past, truth = whole[:400].copy(), whole[400:]
    past[-rows:] = value
    made = forecast(fit_local([past], 28, (7,)), [past], 28)[0]
    assert np.abs(made / truth - 1).mean() < 0.1

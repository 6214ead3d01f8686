"""Which series are alike, and what follows from it for those of few rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from klforecast.local import likeness
from klforecast.local import model as local_model
from klforecast.local.fitting import fit_judged, fit_local
from klforecast.local.likeness import kin_of, nearest, portraits
from klforecast.local.model import forecast

RNG = np.random.default_rng(0)


def kinds(count, rows=48):
    """Noise, walks and years of months, so many of each."""
    noise = 10 + RNG.normal(size=(count, rows))
    walks = 100 + RNG.normal(size=(count, rows)).cumsum(axis=1)
    season = np.sin(np.arange(rows) * np.pi / 6)
    years = 50 + 10 * season + RNG.normal(size=(count, rows))
    return np.concatenate([noise, walks, years])


def test_the_nearest_are_of_the_same_kind():
    made = portraits(kinds(40), 12)
    alike = nearest(kin_of(made), made)
    assert alike.shape == (120, 20)
    own = np.arange(120)[:, None] // 40
    assert (alike // 40 == own).mean() > 0.95


def test_a_portrait_knows_neither_units_nor_what_was_not_observed():
    past = kinds(3)
    padded = np.pad(past, ((0, 0), (30, 0)), constant_values=np.nan)
    units = 10.0 ** np.arange(-4, 5)[:, None]
    for period in (None, 12):
        made = portraits(past, period)
        assert_allclose(portraits(units * past, period), made, atol=1e-9)
        assert_allclose(portraits(padded, period), made, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_series_that_do_not_move_or_were_not_observed_have_a_portrait(scale):
    past = np.stack([np.zeros(30), np.full(30, scale), np.full(30, np.nan), scale * np.arange(30)])
    made = portraits(past, 7)
    assert np.isfinite(made).all()
    assert np.isfinite(kin_of(made).portraits).all()


def test_far_out_a_number_makes_a_series_no_more_different():
    made = portraits(kinds(20), 12)
    kin = kin_of(made)
    out, far_out = made[:1].copy(), made[:1].copy()
    out[0, 0], far_out[0, 0] = kin.middle[0] - 3 * kin.unit[0], -1e6
    assert_array_equal(nearest(kin, out), nearest(kin, far_out))


def test_the_nearest_of_a_series_do_not_hang_on_who_is_asked_beside_it():
    made = portraits(kinds(40), 12)
    kin = kin_of(made)
    together = nearest(kin, made)
    assert_array_equal(together, np.concatenate([nearest(kin, one[None]) for one in made]))


def test_of_equal_series_the_first_are_followed_whoever_asks():
    made = np.repeat(portraits(kinds(1)[:1], 12), 601, axis=0)
    assert (nearest(kin_of(made), made) == np.arange(20)).all()


def test_a_panel_of_few_series_follows_all_of_them():
    made = portraits(kinds(13), 12)
    assert (np.sort(nearest(kin_of(made), made), axis=1) == np.arange(39)).all()


def test_years_among_many_walks_keep_their_season(monkeypatch):
    """Two cycles are too few to find it against what walks say of seasons."""
    rng = np.random.default_rng(0)
    season = 10 * np.sin(np.arange(60) * np.pi / 6)
    years = [(50 + season + 4 * rng.normal(size=60))[-28:] for _ in range(60)]
    walks = [(100 + 5 * rng.normal(size=60).cumsum())[-28:] for _ in range(180)]

    def error():
        panel = [*years, *walks]
        ahead = forecast(fit_local(panel, 12, [12]), panel, 12)[:60]
        return np.abs(ahead - 50 - season[:12]).mean()

    now = error()
    monkeypatch.setattr(likeness, "_ALIKE", 1000)
    assert now < 0.7 * error()


def test_parts_of_a_panel_have_the_weights_that_they_have_in_it():
    panel = list(kinds(30))
    model, judged = fit_judged(panel, 6, [12])
    for places in ([0], [89, 3, 40]):
        part, _ = fit_judged([panel[place] for place in places], 6, panel=judged.panel)
        whole = model.of(places)
        assert_allclose(part.weights, whole.weights, atol=1e-10)
        assert_allclose(part.laws, whole.laws, atol=1e-10)
        assert_allclose(part.errors.ratio, whole.errors.ratio, rtol=1e-10)


def test_nobody_follows_a_series_that_could_not_be_judged():
    young = list(RNG.normal(size=(50, 2)))
    _, judged = fit_judged([*young, *kinds(10)], 6, [12])
    assert len(judged.panel.kin.portraits) == 30
    _, judged = fit_judged(young, 6)
    assert len(judged.panel.kin.portraits) == 50


def test_weights_and_laws_do_not_hang_on_the_order_of_a_panel(monkeypatch):
    """In several chunks, with series that nobody follows between those that are followed."""
    monkeypatch.setattr(local_model, "_MOST_AT_ONCE", 16)
    panel = [*RNG.normal(size=(30, 2)), *kinds(20)]
    order = RNG.permutation(len(panel))
    model, _ = fit_judged(panel, 6, [12])
    other, _ = fit_judged([panel[place] for place in order], 6, [12])
    same = model.of(order)
    assert_allclose(other.weights, same.weights, atol=1e-9)
    assert_allclose(other.laws, same.laws, atol=1e-9)
    assert_allclose(other.errors.ratio, same.errors.ratio, rtol=1e-9)

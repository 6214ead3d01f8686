"""A local forecast is the sum of what rows and copies of the series add."""

import numpy as np
import pytest

from klforecast.local.experts import Bank, count_experts, expert_copies
from klforecast.local.explanation import copy_parts, row_parts
from klforecast.local.fitting import fit_local
from klforecast.local.model import forecast

STEPS = 9


def seasonal(level: float, growth: float) -> np.ndarray:
    step = np.arange(96.0)
    noise = np.random.default_rng(0).standard_normal(96)
    return (level + 4 * np.sin(step * np.pi / 6) + noise) * growth**step


@pytest.fixture(params=["positive", "of both signs", "with gaps"])
def series(request):
    past = seasonal(3.0 if request.param == "of both signs" else 20.0, 1.01)
    if request.param == "with gaps":
        past[[10, 11, 90]] = np.nan
    return past


def test_the_tangent_at_a_past_passes_through_the_origin(series):
    model = fit_local([series], STEPS, [12])
    parts = row_parts(model, series, STEPS, around=0.0)
    np.testing.assert_allclose(parts.sum(axis=0), forecast(model, [series], STEPS)[0], rtol=1e-6)
    assert (parts[::-1][np.isnan(series)] == 0).all()


def test_rows_count_together_as_they_count_one_by_one(series):
    model = fit_local([series], STEPS, [12])
    parts = row_parts(model, series, STEPS, around=15.0)
    together = row_parts(model, series, STEPS, around=15.0, size=10)
    for place, group in enumerate(np.split(parts, range(10, 96, 10))):
        np.testing.assert_allclose(together[place], group.sum(axis=0), rtol=1e-5, atol=1e-7)


def test_linear_filters_move_with_the_level():
    rising = np.arange(40.0) - 20
    model = fit_local([rising], STEPS)
    expected = forecast(model, [rising], STEPS)[0]
    for level in (0.0, -7.0, 300.0):
        parts = row_parts(model, rising, STEPS, around=level)
        np.testing.assert_allclose(level + parts.sum(axis=0), expected, rtol=1e-6)


def test_rows_near_zero_stay_positive():
    past = seasonal(20.0, 1.01)
    past[-3] = 1e-9
    model = fit_local([past], STEPS, [12])
    assert model.positive[0]
    parts = row_parts(model, past, STEPS, around=30.0)
    assert np.isfinite(parts).all()


def test_copies_add_up_to_the_forecast_and_their_weights_to_one(series):
    model = fit_local([series], STEPS, [12])
    parts = np.stack(list(copy_parts(model, series, STEPS).values()))
    np.testing.assert_allclose(parts[:, 0].sum(axis=0), 1)
    np.testing.assert_allclose(parts[:, 1].sum(axis=0), forecast(model, [series], STEPS)[0])


def test_one_series_of_a_panel_is_forecast_as_among_the_others():
    panel = [seasonal(20.0, 1.01), seasonal(0.0, 1.0)]
    model = fit_local(panel, STEPS, [12])
    together = forecast(model, panel, STEPS)
    assert model.orders
    for place, past in enumerate(panel):
        alone = model.alone(place)
        np.testing.assert_allclose(forecast(alone, [past], STEPS)[0], together[place])
        parts = copy_parts(alone, past, STEPS)
        assert "its changes" in parts
        np.testing.assert_allclose(sum(part[1] for part in parts.values()), together[place])


@pytest.mark.parametrize("periods", [(), (12,), (24, 168)])
@pytest.mark.parametrize("orders", [(), (3, 6)])
@pytest.mark.parametrize("with_log", [True, False])
def test_every_expert_has_the_name_of_its_copy(periods, orders, with_log):
    bank = Bank(periods, orders, with_log)
    names = expert_copies(bank, positive=with_log)
    assert len(names) == count_experts(bank)


def test_a_series_without_a_logarithm_has_plain_copies_in_its_place():
    names = expert_copies(Bank((12,), (), with_log=True), positive=False)
    assert len(names) == count_experts(Bank((12,), (), with_log=True))
    assert set(names) == {"as it is", "less its season", "last cycles"}

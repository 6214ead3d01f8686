"""The core and local experts as one forecast: who speaks where, and what never happens."""

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators import pooling
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.local.comparison import rows_spared

FH = range(1, 29)


def weekly(rows, level, seed=0, swing=0.2):
    rng = np.random.default_rng(seed)
    season = 1 + swing * np.sin(np.arange(rows) * 2 * np.pi / 7)
    return level * season * (1 + 0.03 * rng.standard_normal(rows))


def daily_series(values):
    return pd.Series(values, pd.date_range("2020-01-01", periods=len(values), freq="D"))


def test_a_line_is_continued_exactly():
    y = pd.Series(5.0 + 2 * np.arange(60))
    forecast = KLMemoryForecaster(12).fit(y).predict(fh=range(1, 13))
    np.testing.assert_allclose(forecast, 125.0 + 2 * np.arange(12), rtol=1e-9)


@pytest.mark.parametrize("days", [14, 28, 56])
def test_after_a_drop_forecasts_are_on_the_new_level(days):
    level = np.where(np.arange(700) < 700 - days, 160.0, 100.0)
    y = daily_series(weekly(700, level))
    fitted = KLMemoryForecaster(28).fit(y)
    truth = weekly(728, 100.0)[700:]
    error = np.abs(fitted.predict(fh=FH).to_numpy() - truth) / truth
    assert error.mean() < 0.15
    interval = fitted.predict_interval(fh=FH, coverage=0.9).to_numpy()
    assert np.mean((interval[:, 0] <= truth) & (truth <= interval[:, 1])) >= 0.75


def test_after_a_change_of_unit_forecasts_are_in_the_new_unit():
    rng = np.random.default_rng(0)
    y = daily_series(np.r_[np.full(700, 100.0), np.full(28, 1000.0)] + rng.normal(size=728))
    forecast = KLMemoryForecaster(28).fit(y).predict(fh=FH)
    assert forecast.between(900, 1100).all()


@pytest.mark.parametrize(("rows", "value"), [(1, 1500.0), (5, 0.0)])
def test_after_a_spike_or_an_outage_forecasts_are_on_the_usual_level(rows, value):
    truth = weekly(728, 100.0, swing=0.1)
    y = daily_series(truth[:700].copy())
    y.iloc[-rows:] = value
    forecast = KLMemoryForecaster(28).fit(y).predict(fh=FH)
    assert np.abs(forecast.to_numpy() / truth[700:] - 1).mean() < 0.1


def test_a_constant_is_continued_to_the_last_bit():
    y = daily_series(np.full(200, 42.0))
    assert (KLMemoryForecaster(28).fit(y).predict(fh=FH) == 42.0).all()


def test_counts_are_never_forecast_below_zero():
    y = pd.Series(np.random.default_rng(0).poisson(0.3, 200).astype(float))
    fitted = KLMemoryForecaster(12).fit(y)
    # Zero comes back from the scale of the net up to rounding.
    assert (fitted.predict(fh=range(1, 13)) >= -1e-12).all()
    assert (fitted.predict_interval(fh=range(1, 13), coverage=0.9) >= -1e-12).all(axis=None)


def test_no_quantile_of_a_share_near_one_is_above_it():
    rng = np.random.default_rng(0)
    logit = 3 + 0.8 * np.sin(np.arange(200) * 2 * np.pi / 7) + 0.4 * rng.standard_normal(200)
    y = daily_series(1 / (1 + np.exp(-logit)))
    share, percent = (KLMemoryForecaster(14).fit(rows) for rows in (y, 100 * y))
    levels = [0.5, 0.95, 0.99, 0.999]
    assert share.predict_quantiles(alpha=levels).to_numpy().max() <= 1 + 1e-12
    assert percent.predict_quantiles(alpha=levels).to_numpy().max() > 100


def test_predicting_with_a_pool_agrees_with_windows_and_quantiles_do_not_cross():
    y = daily_series(weekly(150, 50.0))
    fitted = KLMemoryForecaster(14).fit(y[:120])
    assert fitted._pool.share.any()
    windows = fitted.predict_windows(y, [120, 130], alpha=[0.1, 0.5, 0.9])
    assert (np.diff(windows, axis=-1) >= 0).all()
    now = fitted.predict_quantiles(fh=range(1, 15), alpha=[0.1, 0.5, 0.9]).to_numpy()
    np.testing.assert_allclose(windows[0, :, 0], now, rtol=1e-9)


def test_many_cutoffs_are_forecast_as_one_by_one():
    y = pd.DataFrame({"a": weekly(150, 50.0), "b": weekly(150, 2000.0, seed=1)})
    y.iloc[[20, 125], 0] = np.nan
    fitted = KLMemoryForecaster(14).fit(y[:120])
    assert fitted._pool.share.any()
    cutoffs = [5, 13, 60, 120, 121, 127, 150]
    for alpha in (None, [0.1, 0.5, 0.9]):
        together = fitted.predict_windows(y, cutoffs, alpha=alpha)
        alone = [fitted.predict_windows(y, [cutoff], alpha=alpha)[0] for cutoff in cutoffs]
        np.testing.assert_allclose(together, np.stack(alone), rtol=1e-9)


def test_each_channel_is_asked_by_its_own_share_alone():
    rows = np.stack([weekly(210, 100.0, 0), weekly(210, 10.0, 1)], axis=1)
    fitted = KLMemoryForecaster(7).fit(pd.DataFrame(rows, daily_series(rows[:, 0]).index))
    pool = fitted._pool

    def forecast(*share):
        fitted._pool = pool._replace(share=np.array([[[each, each] for each in share]]))
        quantiles = fitted.predict_quantiles(alpha=[0.1, 0.9]).to_numpy().reshape(7, 2, 2)
        return fitted.predict().to_numpy(), quantiles

    for one, *others in zip(
        forecast(0.0, 0.6), forecast(0.6, 0.6), forecast(0.0, 0.0), strict=True
    ):
        both, none = others
        np.testing.assert_array_equal(one[:, 0], none[:, 0])
        np.testing.assert_array_equal(one[:, 1], both[:, 1])
        assert (both[:, 0] != none[:, 0]).all()


def test_local_experts_without_a_share_in_far_steps_are_asked_for_near_ones_alone(monkeypatch):
    y = pd.DataFrame({"a": np.sin(np.arange(200.0)), "b": np.cos(np.arange(200.0))})
    forecaster = KLMemoryForecaster(horizon=12, random_state=0).fit(y)
    share = np.array([[[0.5, 0.0], [0.25, 0.75]]])
    forecaster._pool = forecaster._pool._replace(share=share)
    asked, real = [], pooling.forecast

    def spied(model, pasts, steps):
        asked.append((len(model.weights), steps))
        return real(model, pasts, steps)

    monkeypatch.setattr(pooling, "forecast", spied)
    forecaster.predict(fh=range(1, 13))
    assert asked == [(1, 12), (1, 4)]


def test_no_cutoffs_give_no_forecasts():
    y = daily_series(weekly(150, 50.0))
    fitted = KLMemoryForecaster(14).fit(y[:120])
    assert fitted.predict_windows(y, []).shape == (0, 14, 1)
    assert fitted.predict_windows(y, [], alpha=[0.1, 0.9]).shape == (0, 14, 1, 2)


@pytest.mark.parametrize(
    ("period", "frequency", "rows", "steps"), [(12, "M", 18, 6), (7, "D", 12, 4), (52, "W", 75, 10)]
)
def test_a_season_of_the_calendar_is_forecast_before_it_was_seen_twice(
    period, frequency, rows, steps
):
    errors, of_mean = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        cycle = np.exp(rng.normal(0, 0.2, period))
        values = 200 * np.resize(cycle, rows + steps) * np.exp(rng.normal(0, 0.04, rows + steps))
        index = pd.period_range("2020-01-01", periods=rows, freq=frequency)
        forecast = KLMemoryForecaster(steps).fit(pd.Series(values[:rows], index)).predict()
        errors.append(np.abs(forecast.to_numpy() - values[rows:]).mean())
        of_mean.append(np.abs(values[:rows].mean() - values[rows:]).mean())
    assert np.mean(errors) < 0.5 * np.mean(of_mean)


def test_a_panel_is_no_worse_than_its_series_one_by_one():
    panel = {f"s{i}": weekly(100 + i, 10.0 ** (i % 4), seed=i) for i in range(12)}
    frame = pd.concat({name: pd.DataFrame({"y": rows[:-14]}) for name, rows in panel.items()})
    together = KLMemoryForecaster(14).fit(frame).predict(fh=range(1, 15))["y"]
    ours, alone = [], []
    for name, rows in panel.items():
        truth, scale = rows[-14:], rows.mean()
        single = KLMemoryForecaster(14).fit(pd.Series(rows[:-14])).predict(fh=range(1, 15))
        ours.append(np.abs(together.loc[name].to_numpy() - truth).mean() / scale)
        alone.append(np.abs(single.to_numpy() - truth).mean() / scale)
    assert np.mean(ours) <= 1.03 * np.mean(alone)


def test_without_a_season_local_experts_are_not_asked_far_ahead():
    assert rows_spared([1000], 96, ()) == 0
    assert rows_spared([1000], 96, (24,)) == 250
    assert rows_spared([1000], 12, ()) == 120


def test_local_experts_can_be_left_out():
    y = daily_series(weekly(150, 50.0))
    alone = KLMemoryForecaster(14, local_experts=False).fit(y)
    assert alone._pool is None
    assert alone.reach_ == alone.memory_depth_
    assert KLMemoryForecaster(14).fit(y).reach_ == 3000


def test_rows_of_another_order_of_magnitude_are_followed_without_a_fit():
    zeros, huge = np.zeros(22), np.full(40, 1e300)
    y = pd.Series(np.concatenate([zeros, huge]), pd.period_range("2000-01", periods=62, freq="M"))
    forecaster = KLMemoryForecaster(6).fit(y[:22])
    forecaster.update(y[22:], update_params=False)
    assert np.isfinite(forecaster.predict(fh=[1, 6])).all()


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_positive_series_may_come_to_zero_later_without_a_warning(value):
    y = daily_series(weekly(203, 100.0))
    y.iloc[200:] = value
    forecaster = KLMemoryForecaster(7).fit(y[:200]).update(y[200:], update_params=False)
    assert forecaster.predict(range(1, 8)).between(-50, 150).all()


def test_quantiles_of_rare_counts_are_whole_and_end_at_zero():
    rng = np.random.default_rng(0)
    months = pd.period_range("2019-01", periods=48, freq="M")
    parts = {
        f"part {i}": pd.Series(rng.poisson(0.3 + 0.1 * (i % 5), 48), months) for i in range(12)
    }
    y = pd.concat(parts, names=["part", "month"]).to_frame("sold").astype(float)
    fitted = KLMemoryForecaster(6).fit(y)
    quantiles = fitted.predict_quantiles(fh=range(1, 7), alpha=[0.1, 0.5, 0.9]).to_numpy()
    np.testing.assert_allclose(quantiles, np.round(quantiles), atol=1e-9)
    assert (quantiles[:, 0] == 0).mean() > 0.9
    assert fitted.predict(fh=[1]).to_numpy().max() < 3


def test_a_forecast_at_its_floor_is_zero_and_not_the_rounding_below_it():
    rng = np.random.default_rng(35)
    rain = 1.7 * (rng.random(300) < 0.1) * rng.exponential(size=300)
    rain[-40:] = 0.0
    forecast = KLMemoryForecaster(6).fit(rain).predict()
    assert (np.asarray(forecast) >= 0).all()

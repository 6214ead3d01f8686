"""A fit to the parts of a panel is the fit to the panel."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster
from klforecast.distributed import agree, fit_parts, part_moments, predict_parts, survey_part
from klforecast.distributed.parquet import Kept
from klforecast.estimators import sampling
from klforecast.estimators.frames.panel import split_series

LEVELS = [0.025, 0.2, 0.5, 0.8, 0.9]


def made_panel(n_series: int, rows: int = 72, unequal: bool = False) -> pd.DataFrame:
    """Monthly series: seasons, walks, counts with many zeros, one with gaps."""
    rng = np.random.default_rng(3)
    frames = {}
    for number in range(n_series):
        length = rows - 5 * (number % 6) if unequal else rows
        months = np.arange(rows)
        kind = number % 3
        if kind == 0:
            y = 50 + 10 * np.sin(2 * np.pi * (months + number) / 12) + rng.normal(size=rows)
        elif kind == 1:
            y = 100 + np.cumsum(rng.normal(size=rows))
        else:
            y = rng.poisson(0.6, size=rows).astype(float)
        if number == 4:
            y[20:24] = np.nan
        stamps = pd.date_range("2015-01-01", periods=rows, freq="MS")
        frames[f"s{number:04d}"] = pd.DataFrame({"y": y[-length:]}, index=stamps[-length:])
    return pd.concat(frames, names=["series", "month"])


def parted(panel: pd.DataFrame, sizes: list[int]) -> list:
    series = split_series(panel)
    keys = list(series)
    assert sum(sizes) == len(keys)
    stops = np.cumsum(sizes)
    return [
        {key: series[key] for key in keys[stop - n : stop]}
        for n, stop in zip(sizes, stops, strict=True)
    ]


def forecasts_of_parts(panel, sizes, forecaster, steps=12):
    parts = parted(panel, sizes)
    model = fit_parts(parts, forecaster)
    answers = list(predict_parts(model, parts, steps, LEVELS))
    point = np.concatenate([part[key] for part, _ in answers for key in part])
    return point, np.concatenate([quantiles for _, quantiles in answers])


def single_fit(panel, forecaster, steps=12):
    fitted = forecaster.fit(panel)
    fh = range(1, steps + 1)
    quantiles = fitted.predict_quantiles(fh, alpha=LEVELS)
    return fitted.predict(fh).to_numpy(), quantiles.to_numpy()[:, None]


@pytest.mark.parametrize("sizes", [[30], [7, 23], [1, 2, 3, 4, 20], [10, 10, 10]])
@pytest.mark.parametrize("local_experts", [True, False])
def test_a_fit_of_parts_forecasts_what_one_fit_of_the_whole_does(sizes, local_experts):
    panel = made_panel(30)
    forecaster = KLMemoryForecaster(horizon=12, local_experts=local_experts)
    point, quantiles = forecasts_of_parts(panel, sizes, forecaster)
    known, known_quantiles = single_fit(panel, forecaster)
    np.testing.assert_allclose(point, known, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-8, atol=1e-8)


def test_series_of_unequal_length_are_forecast_as_in_one_fit():
    panel = made_panel(24, rows=90, unequal=True)
    forecaster = KLMemoryForecaster(horizon=6)
    point, quantiles = forecasts_of_parts(panel, [5, 1, 18], forecaster, 6)
    known, known_quantiles = single_fit(panel, forecaster, 6)
    np.testing.assert_allclose(point, known, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-8, atol=1e-8)


def test_a_history_of_no_use_is_left_out_of_parts_too():
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(4, 1200)).cumsum(axis=1)
    panel = pd.concat(
        {f"s{number}": pd.DataFrame({"y": walk}) for number, walk in enumerate(walks)},
        names=["series", "step"],
    )
    forecaster = KLMemoryForecaster(horizon=6)
    asked = agree(survey_part(split_series(panel)), forecaster).plan
    model = fit_parts(parted(panel, [1, 3]), forecaster)
    assert asked.doubted
    assert model.agreed.plan.depth < asked.depth
    point, quantiles = forecasts_of_parts(panel, [1, 3], forecaster, 6)
    known, known_quantiles = single_fit(panel, forecaster, 6)
    np.testing.assert_allclose(point, known, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-8, atol=1e-8)


def test_one_series_is_a_panel_too():
    panel = made_panel(2, rows=600).loc[["s0000"]]
    forecaster = KLMemoryForecaster(horizon=6)
    point, quantiles = forecasts_of_parts(panel, [1], forecaster, 6)
    known, known_quantiles = single_fit(panel, forecaster, 6)
    np.testing.assert_allclose(point, known, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("sizes", [[40], [9, 30, 1]])
def test_a_panel_larger_than_its_sample_is_fitted_alike_in_parts(monkeypatch, sizes):
    monkeypatch.setattr(sampling, "MOST_SAMPLED", 11)
    panel = made_panel(40)
    forecaster = KLMemoryForecaster(horizon=6)
    point, quantiles = forecasts_of_parts(panel, sizes, forecaster, 6)
    known, known_quantiles = single_fit(panel, forecaster, 6)
    np.testing.assert_allclose(point, known, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-8, atol=1e-8)


def offices(n_series: int) -> pd.DataFrame:
    """Monthly work of offices, which weekends have little of."""
    days = pd.date_range("2011-01-01", "2019-12-31")
    rng = np.random.default_rng(0)
    frames = {}
    for number in range(n_series):
        work = np.array([1.0, 1.0, 1.0, 1.0, 1.0, rng.uniform(0, 0.3), 0.0])[days.dayofweek]
        months = pd.Series(work, days).resample("MS").sum()
        noise = np.exp(0.01 * rng.normal(size=len(months)))
        frames[f"s{number:04d}"] = pd.DataFrame({"y": 100 * months * noise})
    return pd.concat(frames, names=["series", "month"])


def shops(n_series: int) -> pd.DataFrame:
    """Daily sales with a week and a December, of two and a half years and of less than two."""
    rng = np.random.default_rng(1)
    frames = {}
    for number in range(n_series):
        first = "2015-06-01" if number % 3 else "2016-06-01"
        days = pd.date_range(first, "2017-11-25")
        peak = rng.uniform(0.8, 1.6) * ((days.month == 12) & (days.day <= 25))
        sales = 1 + peak + 0.2 * np.sin(2 * np.pi * days.dayofweek / 7)
        sales = sales + 0.08 * rng.normal(size=len(days))
        frames[f"s{number:04d}"] = pd.DataFrame({"y": rng.uniform(50, 200) * sales}, index=days)
    return pd.concat(frames, names=["series", "day"])


def rents(n_series: int) -> pd.DataFrame:
    """Daily rows of a year and a half, every other series with a rent of its own on the 3rd."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2016-06-01", "2017-11-25")
    frames = {}
    for number in range(n_series):
        rent = rng.uniform(0.5, 1.5) * (days.day == 3) * (number % 2)
        rows = 1 + rent + 0.2 * np.sin(2 * np.pi * days.dayofweek / 7)
        rows = rows + 0.08 * rng.normal(size=len(days))
        frames[f"s{number:04d}"] = pd.DataFrame({"y": rng.uniform(50, 200) * rows}, index=days)
    return pd.concat(frames, names=["series", "day"])


def rides(n_series: int) -> pd.DataFrame:
    """Hourly rides of three weeks, with weekends of their own."""
    rng = np.random.default_rng(2)
    hours = pd.date_range("2024-01-01", periods=24 * 25, freq="h")
    rush = np.exp(-0.5 * ((hours.hour.to_numpy() - 8.5) / 2) ** 2)
    frames = {}
    for number in range(n_series):
        share = np.where(hours.dayofweek >= 5, rng.uniform(0, 0.4), 1.0)
        rate = rng.uniform(50, 200) * (0.1 + rush * share)
        frames[f"s{number:04d}"] = pd.DataFrame({"y": rng.poisson(rate) + 0.5}, index=hours)
    return pd.concat(frames, names=["series", "hour"])


@pytest.mark.parametrize("sampled", [6, 12])
@pytest.mark.parametrize(
    ("panel", "name", "steps"),
    [
        (offices(12), "trading days", 12),
        (shops(12), "year", 40),
        (rents(12), "month", 40),
        (rides(12), "week", 24),
    ],
)
def test_parts_find_what_returns_as_one_fit_does(monkeypatch, panel, name, steps, sampled):
    monkeypatch.setattr(sampling, "MOST_SAMPLED", sampled)
    forecaster = KLMemoryForecaster(horizon=steps)
    point, quantiles = forecasts_of_parts(panel, [5, 1, 6], forecaster, steps)
    known, known_quantiles = single_fit(panel, forecaster, steps)
    assert forecaster.returning_.name == name
    # Coefficients of a core are single floats, of which sums in another order may change the last digit.
    np.testing.assert_allclose(point, known, rtol=1e-7)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-7)


def test_a_part_without_a_positive_series_has_no_trading_days():
    panel = offices(12)
    panel.loc[["s0003", "s0004"], "y"] = np.tile([0.0, 2.0, 1.0, 3.0], 54)
    forecaster = KLMemoryForecaster(horizon=12)
    point, _ = forecasts_of_parts(panel, [3, 2, 7], forecaster, 12)
    known, _ = single_fit(panel, forecaster, 12)
    assert forecaster.returning_.name == "trading days"
    np.testing.assert_allclose(point, known, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "panel",
    [offices(5), rides(5), shops(5), rents(5)],
    ids=["months", "weeks", "years", "days of the month"],
)
def test_a_file_of_a_panel_model_holds_how_what_returns_is_found(tmp_path, panel):
    parts = parted(panel, [5])
    kept = Kept()
    kept.model_ = fit_parts(parts, KLMemoryForecaster(horizon=6))
    kept.save(tmp_path / "model.safetensors")
    loaded = Kept.load(tmp_path / "model.safetensors").model_
    assert type(loaded.agreed.rule) is type(kept.model_.agreed.rule)
    known, made = (next(predict_parts(model, parts, 6))[0] for model in (kept.model_, loaded))
    for key, forecasts in known.items():
        np.testing.assert_array_equal(made[key], forecasts)


def test_the_sample_of_a_panel_is_the_sample_of_the_samples_of_its_parts(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_SAMPLED", 5)
    keys = [(f"s{number}",) for number in range(30)]
    of_parts = [
        key
        for start in (0, 7, 20)
        for key in sampling.sample_keys(keys[start : {0: 7, 7: 20, 20: 30}[start]])
    ]
    assert sampling.sample_keys(of_parts) == sampling.sample_keys(keys)


def test_what_travels_does_not_grow_with_the_series(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_SAMPLED", 8)
    sizes = {}
    for n in (16, 64):
        part = split_series(made_panel(n))
        agreed = agree(survey_part(part), KLMemoryForecaster(horizon=12))
        sizes[n] = part_moments(part, agreed).n_bytes()
    assert sizes[16] == sizes[64]


def test_processes_give_the_numbers_of_one():
    panel = made_panel(12)
    parts = parted(panel, [5, 4, 3])
    found = []
    for n_jobs in (1, 2):
        model = fit_parts(parts, KLMemoryForecaster(horizon=6), n_jobs=n_jobs)
        found.append(list(predict_parts(model, parts, 6, LEVELS, n_jobs=n_jobs)))
    for (one, one_q), (two, two_q) in zip(*found, strict=True):
        assert list(one) == list(two)
        np.testing.assert_array_equal(np.stack(list(one.values())), np.stack(list(two.values())))
        np.testing.assert_array_equal(one_q, two_q)


def test_a_part_is_made_in_the_process_that_asks():
    asked = []

    def part(number):
        asked.append(number)
        return parts[number]

    parts = parted(made_panel(9), [4, 5])
    fit_parts([lambda n=n: part(n) for n in range(2)], KLMemoryForecaster(horizon=6))
    assert asked == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: [], "no part"),
        (lambda parts: [parts[0], {}], "no series"),
        (lambda parts: [parts[0], parts[0]], "in two parts"),
    ],
)
def test_parts_that_make_no_panel_are_refused(change, message):
    parts = parted(made_panel(6), [2, 4])
    with pytest.raises(ValueError, match=message):
        fit_parts(change(parts))


def test_an_encoder_is_refused_since_it_is_not_solved():
    with pytest.raises(ValueError, match="trained by epochs"):
        fit_parts(parted(made_panel(3), [3]), KLMemoryForecaster(horizon=6, encoder="gru"))

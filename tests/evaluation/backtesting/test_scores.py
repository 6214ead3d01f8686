"""Scores against their plain definitions, written as loops over rows."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster, backtest

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.fixture(scope="module")
def result():
    """Two series of two channels; one truth is missing."""
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([["a", "b"], range(90)], names=["site", "step"])
    values = 10 + rng.normal(size=(180, 2)).cumsum(axis=0) + 4 * np.sin(np.arange(180) / 2)[:, None]
    y = pd.DataFrame(values, index, ["load", "heat"])
    y.loc[("a", 85), "heat"] = np.nan
    forecaster = KLMemoryForecaster(horizon=5)
    return y, backtest(forecaster, y, horizon=5, n_windows=3, levels=LEVELS, season=7)


def plain_scores(y, rows):
    errors, scaled, squared, percent, pinball, size, inside = [], [], [], [], [], [], []
    for row in rows.itertuples(index=False):
        if np.isnan(row.truth):
            continue
        past = y.loc[row.series][row.channel].loc[: row.cutoff].to_numpy()
        changes = past[7:] - past[:-7]
        error = abs(row.truth - row.forecast)
        errors.append(error)
        scaled.append(error / np.nanmean(np.abs(changes)))
        squared.append(error**2 / np.nanmean(changes**2))
        percent.append(200 * error / (abs(row.truth) + abs(row.forecast)))
        quantiles = row[-len(LEVELS) :]
        losses = [
            2 * (row.truth - q) * (p - (row.truth < q))
            for p, q in zip(LEVELS, quantiles, strict=True)
        ]
        pinball.append(np.mean(losses))
        size.append(abs(row.truth))
        inside.append(quantiles[0] <= row.truth <= quantiles[-1])
    return {
        "mae": np.mean(errors),
        "mase": np.mean(scaled),
        "rmsse": np.sqrt(np.mean(squared)),
        "smape": np.mean(percent),
        "wql": np.sum(pinball) / np.sum(size),
        "coverage_80": np.mean(inside),
    }


@pytest.mark.parametrize("by", [[], ["series"], ["step"], ["cutoff"], ["series", "channel"]])
def test_scores_are_their_definitions_in_every_group(result, by):
    y, backtested = result
    scores = backtested.scores(by=by)
    rows = backtested.forecasts
    groups = rows.groupby(by, sort=False) if by else [((0,), rows)]
    assert len(scores) == (groups.ngroups if by else 1)
    for name, group in groups:
        found = scores.loc[name if len(by) > 1 else name[0]]
        for score, wanted in plain_scores(y, group).items():
            assert found[score] == pytest.approx(wanted, rel=1e-12), (name, score)


def test_coverage_is_told_of_each_pair_of_levels(result):
    _, backtested = result
    columns = ["mae", "mase", "rmsse", "smape", "wql", "coverage_80", "coverage_50"]
    assert list(backtested.scores()) == columns
    with pytest.raises(ValueError, match="by='shop'; pass some of series, channel, cutoff, step"):
        backtested.scores(by="shop")


def test_a_median_bounds_no_interval():
    y = pd.Series(np.sin(np.arange(60.0)))
    tested = backtest(KLMemoryForecaster(3), y, horizon=3, n_windows=2, levels=[0.5, 0.9])
    assert "coverage_0" not in tested.scores()


def test_a_past_that_repeats_itself_exactly_counts_in_no_scaled_error():
    y = pd.Series(np.tile([1.0, 2.0, 3.0], 20))
    scores = backtest("mean", y, horizon=3, n_windows=2, season=3).scores()
    assert scores[["mase", "rmsse"]].isna().all(axis=None)
    assert scores["mae"][0] == pytest.approx(2 / 3)


def test_a_perfect_forecast_of_zero_is_no_error():
    y = pd.Series(np.zeros(30))
    scores = backtest("persistence", y, horizon=3, n_windows=1, season=1).scores()
    assert scores["smape"][0] == 0
    assert np.isnan(scores["wql"][0])

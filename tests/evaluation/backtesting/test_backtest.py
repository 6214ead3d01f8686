import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from sktime.forecasting.compose import TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.theta import ThetaForecaster
from sktime.forecasting.trend import TrendForecaster
from sktime.performance_metrics.forecasting import (
    MeanAbsolutePercentageError,
    MeanAbsoluteScaledError,
    MeanSquaredScaledError,
)
from sktime.split import ExpandingWindowSplitter
from sktime.transformations.series.boxcox import LogTransformer

from klforecast import KLMemoryForecaster, backtest

# sktime 1.2 warns whenever one of its own forecasters is made.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The default of config ``remember_data``:FutureWarning"
)


@pytest.fixture(scope="module")
def airline() -> pd.Series:
    return load_airline()


@pytest.fixture(scope="module")
def shops() -> pd.DataFrame:
    """Two series of unequal length with a weekly cycle."""
    rng = np.random.default_rng(3)
    parts = {
        name: pd.DataFrame(
            {"sales": 20 + 5 * np.sin(2 * np.pi * np.arange(n) / 7) + rng.normal(size=n)},
            pd.date_range("2024-01-01", periods=n, freq="D"),
        )
        for name, n in {"north": 150, "south": 120}.items()
    }
    return pd.concat(parts, names=["shop", "day"])


def evaluated(y, n_windows, step, strategy, X=None, forecaster=None):
    splitter = ExpandingWindowSplitter(
        fh=np.arange(1, 13), initial_window=len(y) - 12 - (n_windows - 1) * step, step_length=step
    )
    return evaluate(
        KLMemoryForecaster(horizon=12) if forecaster is None else forecaster,
        splitter,
        y,
        X=X,
        strategy=strategy,
        scoring=[
            MeanAbsoluteScaledError(sp=12),
            MeanSquaredScaledError(sp=12, square_root=True),
            MeanAbsolutePercentageError(symmetric=True),
        ],
        return_data=True,
        error_score="raise",
    )


@pytest.mark.parametrize(("refit", "strategy"), [(False, "no-update_params"), (True, "refit")])
def test_forecasts_and_scores_equal_those_of_sktimes_evaluate(airline, refit, strategy):
    ours = backtest(
        KLMemoryForecaster(horizon=12), airline, horizon=12, n_windows=3, step=5, refit=refit
    )
    theirs = evaluated(airline, 3, 5, strategy)
    forecasts = np.concatenate([window.to_numpy() for window in theirs["y_pred"]])
    np.testing.assert_allclose(ours.forecasts["forecast"], forecasts, rtol=1e-9)
    scores = ours.scores(by="cutoff")
    pd.testing.assert_index_equal(
        pd.PeriodIndex(scores.index), pd.PeriodIndex(theirs["cutoff"]), check_names=False
    )
    np.testing.assert_allclose(scores["mase"], theirs["test_MeanAbsoluteScaledError"], rtol=1e-9)
    np.testing.assert_allclose(scores["rmsse"], theirs["test_MeanSquaredScaledError"], rtol=1e-9)
    smape = 100 * theirs["test_MeanAbsolutePercentageError"]
    np.testing.assert_allclose(scores["smape"], smape, rtol=1e-9)


def test_another_forecaster_of_sktime_equals_evaluate_too(airline):
    naive = NaiveForecaster(strategy="last", sp=12)
    ours = backtest(naive, airline, horizon=12, n_windows=3, step=4, levels=())
    theirs = evaluated(airline, 3, 4, "no-update_params", forecaster=naive)
    forecasts = np.concatenate([window.to_numpy() for window in theirs["y_pred"]])
    np.testing.assert_array_equal(ours.forecasts["forecast"], forecasts)


def test_a_known_covariate_and_a_past_one_give_the_forecasts_of_evaluate(airline):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-1, 1, (len(airline), 2)), airline.index, ["known", "past"])
    y = airline + 40 * X["known"] + 20 * X["past"].shift(1, fill_value=0.0)
    forecaster = KLMemoryForecaster(horizon=12, past_covariates=["past"])
    ours = backtest(forecaster, y, X, horizon=12, n_windows=3, levels=())
    theirs = evaluated(y, 3, 12, "no-update_params", X=X, forecaster=forecaster)
    forecasts = np.concatenate([window.to_numpy() for window in theirs["y_pred"]])
    np.testing.assert_allclose(ours.forecasts["forecast"], forecasts, rtol=1e-7)


def test_one_fit_serves_as_many_windows_as_refit_says(airline):
    every_second = backtest(
        KLMemoryForecaster(horizon=12), airline, horizon=12, n_windows=4, step=3, refit=2
    ).forecasts
    for first, last in ((0, 2), (2, 4)):
        rows = airline[: len(airline) - (4 - last) * 3]
        alone = backtest(
            KLMemoryForecaster(horizon=12), rows, horizon=12, n_windows=2, step=3
        ).forecasts
        block = every_second.iloc[first * 12 : last * 12].reset_index(drop=True)
        pd.testing.assert_frame_equal(block, alone)


def test_forecasts_of_a_panel_are_those_of_update_and_predict(shops):
    ours = backtest(KLMemoryForecaster(horizon=7), shops, horizon=7, n_windows=2, levels=(0.1, 0.9))
    to_end = shops.groupby(level=0).cumcount(ascending=False)
    forecaster = KLMemoryForecaster(horizon=7).fit(shops[to_end >= 14])
    first = forecaster.predict(fh=range(1, 8))
    forecaster.update(shops[(to_end >= 7) & (to_end < 14)], update_params=False)
    second = forecaster.predict(fh=range(1, 8))
    spread = forecaster.predict_quantiles(fh=range(1, 8), alpha=[0.1, 0.9])
    for name in ("north", "south"):
        found = ours.forecasts[ours.forecasts["series"] == name]
        wanted = np.concatenate([first.loc[name, "sales"], second.loc[name, "sales"]])
        np.testing.assert_array_equal(found["forecast"], wanted)
        np.testing.assert_array_equal(found[["q0.1", "q0.9"]][7:], spread.loc[name])
        np.testing.assert_array_equal(found["truth"], shops.loc[name, "sales"][-14:])
        pd.testing.assert_index_equal(
            pd.DatetimeIndex(found["time"]), shops.loc[name].index[-14:], check_names=False
        )


@pytest.mark.parametrize("forecaster", [KLMemoryForecaster(horizon=7), "seasonal-naive", "theta"])
def test_no_forecast_reads_what_comes_after_its_cutoff(shops, forecaster):
    changed = shops.copy()
    to_end = shops.groupby(level=0).cumcount(ascending=False)
    changed[to_end < 7] *= -3
    settings = {"horizon": 7, "n_windows": 2}
    for y, other in ((shops, changed), (shops.loc["north"], changed.loc["north"])):
        before = backtest(forecaster, y, **settings).forecasts
        after = backtest(forecaster, other, **settings).forecasts
        pd.testing.assert_frame_equal(before.drop(columns="truth"), after.drop(columns="truth"))
        assert not np.array_equal(before["truth"], after["truth"])


def test_plain_forecasts_are_their_definitions(airline):
    naive = backtest("seasonal-naive", airline, horizon=14, n_windows=1, season=12).forecasts
    past = airline.to_numpy()[:-14]
    np.testing.assert_array_equal(naive["forecast"], [*past[-12:], *past[-12:-10]])
    last = backtest("persistence", airline, horizon=2, n_windows=1, season=12).forecasts
    np.testing.assert_array_equal(last["forecast"], airline.to_numpy()[[-3, -3]])
    assert not [name for name in backtest("theta", airline, horizon=2).forecasts if name[0] == "q"]


def test_the_forecaster_itself_is_never_fitted(airline):
    forecaster = KLMemoryForecaster(horizon=12)
    backtest(forecaster, airline, horizon=12, n_windows=2)
    assert not forecaster.is_fitted


def test_a_horizon_beyond_that_of_the_forecaster_is_forecast_all_the_same(airline):
    ours = backtest(KLMemoryForecaster(horizon=6), airline, horizon=12, n_windows=2, levels=())
    wanted = KLMemoryForecaster(horizon=6).fit(airline[:-24]).predict(fh=range(1, 13))
    np.testing.assert_array_equal(ours.forecasts["forecast"][:12], wanted)


REFUSED = [
    ({"horizon": 0}, ValueError, "horizon=0; pass a number from 1 on"),
    ({"horizon": 2.5}, TypeError, r"horizon=2\.5 is no integer"),
    ({"n_windows": 40}, ValueError, "y has 144 rows .* pass n_windows=11 or a smaller step"),
    ({"horizon": 200}, ValueError, "pass a shorter horizon or a longer series"),
    ({"refit": -1}, ValueError, "refit=-1; pass False, True"),
    ({"refit": "yes"}, TypeError, "refit='yes'; pass False"),
    ({"levels": [0.5, 0.1]}, ValueError, "pass ascending levels"),
    ({"levels": [80]}, ValueError, "between 0 and 1"),
    ({"season": 0}, ValueError, "season=0; pass"),
    ({"forecaster": "prophet"}, ValueError, "unknown forecaster 'prophet'; pass .* theta"),
    ({"forecaster": 3}, TypeError, "forecaster is a int; pass a forecaster of sktime"),
    ({"forecaster": TrendForecaster}, ValueError, "TrendForecaster takes in no new rows"),
    (
        {"forecaster": TrendForecaster, "refit": True, "levels": [0.5]},
        ValueError,
        r"forecasts no quantiles; pass levels=\(\)",
    ),
]


@pytest.mark.parametrize(("changes", "kind", "message"), REFUSED)
def test_what_cannot_be_done_is_refused_in_a_sentence(airline, changes, kind, message):
    settings = {"forecaster": KLMemoryForecaster(horizon=12), "horizon": 12} | changes
    forecaster = settings.pop("forecaster")
    forecaster = forecaster() if isinstance(forecaster, type) else forecaster
    with pytest.raises(kind, match=message):
        backtest(forecaster, airline, **settings)


def test_rows_and_covariates_that_cannot_be_used_are_refused(airline):
    forecaster = KLMemoryForecaster(horizon=12)
    with pytest.raises(TypeError, match="y is a ndarray; pass a pandas Series"):
        backtest(forecaster, airline.to_numpy(), horizon=12)
    X = pd.DataFrame({"a": 1.0}, airline.index[5:])
    with pytest.raises(ValueError, match="X has no row for 5 of the 144 rows of y"):
        backtest(forecaster, airline, X, horizon=12)
    with pytest.raises(TypeError, match="X is a ndarray"):
        backtest(forecaster, airline, X.to_numpy(), horizon=12)
    with pytest.raises(ValueError, match="'theta' reads no covariates"):
        backtest("theta", airline, X, horizon=12)


@pytest.mark.filterwarnings("ignore:NotImplementedWarning:UserWarning")
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_forecaster_that_moves_its_cutoff_alone_is_refused(airline, wrapped):
    forecaster = ThetaForecaster(sp=12)
    if wrapped:
        forecaster = TransformedTargetForecaster([("log", LogTransformer()), ("of", forecaster)])
    with pytest.raises(ValueError, match="takes in no new rows without a new fit"):
        backtest(forecaster, airline, horizon=12, n_windows=2, levels=())


def test_a_forecaster_that_looks_at_its_rows_needs_no_new_fit(airline):
    logs = [("log", LogTransformer()), ("of", NaiveForecaster(sp=12))]
    found = backtest(TransformedTargetForecaster(logs), airline, horizon=12, n_windows=2, levels=())
    np.testing.assert_allclose(found.forecasts["forecast"][:12], airline[-36:-24])
    np.testing.assert_allclose(found.forecasts["forecast"][12:], airline[-24:-12])


def test_series_named_by_several_labels_are_in_the_frame_of_a_backtest(shops):
    both = pd.concat({"east": shops, "west": 2 * shops}, names=["region"])
    found = backtest(KLMemoryForecaster(horizon=7), both, horizon=7, n_windows=2).forecasts
    west = found[found["series"] == ("west", "south")]
    truth = 2 * shops.loc["south"]["sales"].to_numpy()[-14:]
    np.testing.assert_allclose(west["truth"], truth)
    assert west["time"].tolist() == pd.date_range("2024-04-16", periods=14).tolist()
    assert west["cutoff"].unique().tolist() == [
        pd.Timestamp("2024-04-15"),
        pd.Timestamp("2024-04-22"),
    ]


def test_a_forecaster_that_needs_a_fit_gets_one_at_every_cutoff(airline):
    found = backtest(TrendForecaster(), airline, horizon=12, n_windows=2, refit=True)
    wanted = TrendForecaster().fit(airline[:-12]).predict(fh=range(1, 13))
    np.testing.assert_allclose(found.forecasts["forecast"][12:], wanted)
    assert found.levels == ()

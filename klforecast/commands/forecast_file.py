"""From the series of a file to their forecasts, and the error to expect of them.

The expected error is measured: the newest whole horizons, four at most, are held out, forecast after
one fit to the rows before them, and set beside the seasonal naive forecast of the same steps.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from klforecast.commands.ahead import steps_after
from klforecast.commands.series_file import SeriesFile
from klforecast.estimators.covariates.holidays import PREFIX
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.long_frames.columns import as_series, interval_names
from klforecast.evaluation.backtesting.backtest import Backtest, backtest

_MOST_WINDOWS = 4  # held out; more say little that is new, and leave less to learn from
_LEAST_PAST = 2  # horizons before the first window

FORECAST = "forecast"


class Held(NamedTuple):
    """Forecasts of held-out rows, ours and the seasonal naive ones."""

    ours: Backtest
    naive: Backtest

    def errors(self) -> pd.DataFrame:
        """Mean absolute errors by series, columns ours and naive."""
        return pd.DataFrame(
            {
                "ours": self.ours.scores(by="series")["mae"],
                "naive": self.naive.scores(by="series")["mae"],
            }
        )


class Outlook(NamedTuple):
    """What is told of a file.

    Attributes
    ----------
    file : SeriesFile
    horizon : int
    levels : tuple of float
        Coverages of the intervals in percent.
    forecasts : DataFrame, indexed by series and time
        Columns forecast, and lo-80, hi-80 and so on.
    periods : list of int
        Cycles found, in steps.
    held : Held or None
        None where all series are too short to hold rows out.
    notes : list of str
        Of the file and of the fit.
    outliers : DataFrame
        Of `KLMemoryForecaster.outliers`.
    """

    file: SeriesFile
    horizon: int
    levels: tuple[float, ...]
    forecasts: pd.DataFrame
    periods: list[int]
    held: Held | None
    notes: list[str]
    outliers: pd.DataFrame


def forecast_file(
    file: SeriesFile, horizon: int, levels: Sequence[float], on_stage: Callable[[str], None]
) -> Outlook:
    """Test on held-out rows, fit to all rows, forecast.

    Raises
    ------
    ValueError
        If a level is no percentage between 0 and 100, or the forecaster cannot use the rows.
    """
    quantiles = {name.removeprefix("-"): p for name, p in interval_names("", levels).items()}
    with warnings.catch_warnings(record=True) as caught_in_test:
        warnings.simplefilter("always", UserWarning)
        on_stage("testing on held-out rows")
        held = hold_out(file, horizon, tuple(sorted(set(quantiles.values()))))
    # What the forecaster warns of is told to the user with the other notes.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        on_stage("fitting to all rows")
        X = file.exogenous
        forecaster = make_forecaster(file, horizon).fit(file.y, X=X)
        on_stage("forecasting")
        points = forecaster.predict(fh=range(1, horizon + 1), X=X)
        forecasts = pd.DataFrame({FORECAST: points.iloc[:, 0].to_numpy()})
        if quantiles:
            alpha = sorted(set(quantiles.values()))
            found = forecaster.predict_quantiles(fh=range(1, horizon + 1), X=X, alpha=alpha)
            spread = dict(zip(alpha, found.to_numpy().T, strict=True))
            forecasts = forecasts.assign(**{name: spread[p] for name, p in quantiles.items()})
    index = steps_after(file.panel, file.frequency, horizon)
    said = list(dict.fromkeys(str(warning.message) for warning in caught))
    # The rows that are left before the held-out ones are fewer than those of the file.
    tested = dict.fromkeys(str(warning.message) for warning in caught_in_test)
    said += [f"in the test on held-out rows: {words}" for words in tested if words not in said]
    return Outlook(
        file,
        horizon,
        tuple(levels),
        forecasts.set_axis(index),
        list(forecaster.periods_),
        held,
        [*file.notes, *said],
        forecaster.outliers(),
    )


def make_forecaster(file: SeriesFile, horizon: int) -> KLMemoryForecaster:
    """Return the forecaster of a file, not fitted."""
    calendar = None if file.holidays is None else [PREFIX + file.holidays]
    return KLMemoryForecaster(
        horizon, past_covariates=file.past_covariates or None, calendar_features=calendar
    )


def hold_out(file: SeriesFile, horizon: int, levels: Sequence[float]) -> Held | None:
    """Forecast the newest whole horizons of the series that are long enough; None where none is."""
    lengths = file.lengths
    n_windows = min(_MOST_WINDOWS, int(lengths.max()) // horizon - _LEAST_PAST)
    if n_windows < 1:
        return None
    kept = lengths.index[lengths >= (n_windows + _LEAST_PAST) * horizon]
    y, X = chosen_series(file, kept)
    ours = backtest(
        make_forecaster(file, horizon), y, X, horizon=horizon, n_windows=n_windows, levels=levels
    )
    naive = backtest(
        "seasonal-naive", y, horizon=horizon, n_windows=n_windows, levels=(), season=ours.season
    )
    return Held(named(ours, kept), named(naive, kept))


def chosen_series(file: SeriesFile, labels: pd.Index) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Rows and covariates of some series, as forecasters take them."""
    y = as_series(file.panel[file.panel.index.get_level_values(0).isin(labels)])
    if file.X is None:
        return y, None
    X = file.X[file.X.index.get_level_values(0).isin(labels)]
    return y, X if isinstance(y.index, pd.MultiIndex) else X.droplevel(0)


def named(tested: Backtest, labels: pd.Index) -> Backtest:
    """Give a single series, which has no name in a backtest, that of the file."""
    if len(labels) > 1:
        return tested
    return replace(
        tested,
        forecasts=tested.forecasts.assign(series=labels[0]),
        naive=tested.naive.assign(series=labels[0]),
    )

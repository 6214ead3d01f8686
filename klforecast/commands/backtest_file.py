"""A backtest of the series of a file: our forecaster beside seasonal naive and Theta."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from klforecast.commands.forecast_file import chosen_series, make_forecaster, named
from klforecast.commands.series_file import SeriesFile
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.backtesting.backtest import Backtest, backtest

OURS = "klforecast"
PEERS = {"seasonal naive": "seasonal-naive", "Theta": "theta"}
_LEAST_PAST = 2  # rows before the first cutoff


class Tested(NamedTuple):
    """Backtests of all models, ours first.

    Attributes
    ----------
    file : SeriesFile
    models : dict of str to Backtest
    notes : list of str
        Of the file and of the fits.
    """

    file: SeriesFile
    models: dict[str, Backtest]
    notes: list[str]

    def scores(self, by: str | None = None) -> pd.DataFrame:
        """Scores of all models, by model and, where asked for, by series, step or cutoff."""
        parts = {
            name: tested.scores(by=by or ()).assign(
                seconds=tested.fit_seconds + tested.predict_seconds
            )
            for name, tested in self.models.items()
        }
        if by == "cutoff":
            parts = {
                name: scores.set_axis(self.file.shown(scores.index))
                for name, scores in parts.items()
            }
        return pd.concat(parts, names=["model"]) if by else pd.concat(parts).droplevel(1)

    def rows(self) -> pd.DataFrame:
        """Forecasts of all models as one tidy frame."""
        parts = {name: tested.forecasts for name, tested in self.models.items()}
        rows = pd.concat(parts, names=["model"]).reset_index(level=0).drop(columns="channel")
        return self.file.written(rows, "cutoff", "time")


def backtest_file(
    file: SeriesFile,
    horizon: int,
    n_windows: int,
    step: int | None,
    refit: int,
    on_stage: Callable[[str], None],
) -> Tested:
    """Forecast the ends of all series from many cutoffs by each model.

    Raises
    ------
    ValueError
        If no series is long enough for the windows.
    """
    wanted = horizon + (n_windows - 1) * (step or horizon) + _LEAST_PAST
    lengths = file.lengths
    kept = lengths.index[lengths >= wanted]
    if not len(kept):
        raise ValueError(
            f"{file.name}: {n_windows} windows of {horizon} steps take {wanted} rows, and the longest "
            f"series ({lengths.idxmax()}) has {lengths.max()}; ask for fewer with --windows, or a "
            "shorter --horizon"
        )
    notes = file.notes_without_short(wanted)
    y, X = chosen_series(file, kept)

    def run(forecaster: KLMemoryForecaster | str, season: int | None = None) -> Backtest:
        peer = isinstance(forecaster, str)
        return named(
            backtest(
                forecaster,
                y,
                None if peer else X,
                horizon=horizon,
                n_windows=n_windows,
                step=step,
                refit=refit,
                season=season,
            ),
            kept,
        )

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        on_stage(f"forecasting {n_windows} windows with {OURS}")
        models = {OURS: run(make_forecaster(file, horizon))}
        for name, peer in PEERS.items():
            on_stage(f"forecasting {n_windows} windows with {name}")
            models[name] = run(peer, models[OURS].season)
    notes += dict.fromkeys(str(warning.message) for warning in caught)
    return Tested(file, models, notes)

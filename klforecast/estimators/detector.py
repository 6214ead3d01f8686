"""The detector: outliers and changes of level as forecasts that were too far off to be chance.

    fit       rows -> forecasts of held-out rows -> scores of their errors        `detection.series`
    predict   rows -> scores -> p-values among those scores -> events             `detection.verdicts`

This file is what a user and sktime see. The mathematics is in `klforecast.ops.surprise`.
"""

from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.random import RandomState
from sktime.detection.base import BaseDetector

from klforecast.estimators.arguments import (
    check_choice,
    check_integer,
    check_number,
    check_seed,
    show,
)
from klforecast.estimators.checks import check_channels, check_columns, check_panel, check_rows
from klforecast.estimators.cycles import window_periods
from klforecast.estimators.detection.series import SeriesDetector, choose_cycle, fit_series
from klforecast.estimators.detection.verdicts import Verdicts
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, TimeSeries, name_series, split_series
from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.training.rollback import unchanged_on_error

KINDS = ("", "outlier", "shift up", "shift down")
"""Names of what is found, by their number."""

_EVENTS = ("outliers", "shifts", "both")


class KLMemoryDetector(SavedSktimeEstimator, BaseDetector):
    """Find outliers and changes of level, with a stated rate of false alarms.

    Every row is forecast from the rows before it by a `KLMemoryForecaster`. A row is an outlier if the
    p-value of its error, among the errors of held-out rows, is below the false alarm rate. A change of
    level is where the forecasts of whole cycles were too low, or too high, by more than chance: p-values
    of the cycles add up to an alarm, of which undisturbed series have one in 1 / rate cycles, at most.

    Parameters
    ----------
    false_alarm_rate : float, default=0.01
        Share of undisturbed rows that are called outliers, and of undisturbed cycles after which a
        change of level is called, between 0 and 1.
    events : {"both", "outliers", "shifts"}, default="both"
        What `predict` returns. With ``"shifts"`` the task of sktime is change point detection, else
        anomaly detection.
    cycle : int or None, default=None
        Rows of a cycle, a sixth of each series at most. None: whole leading periods of each series,
        seven rows or more.
    forecaster : KLMemoryForecaster or None, default=None
        Forecasts the rows; cloned for each series, with a horizon of one cycle. None:
        ``KLMemoryForecaster(local_experts=False, clean_outliers=False)``.
    random_state : int, RandomState or None, default=None
        Seed of the forecaster; only trained encoders use it. None leaves that of `forecaster`.

    Attributes
    ----------
    series_ : dict of tuple to SeriesDetector
        What was learned of each series, by its labels; ``()`` names a single one.
    cycles_ : dict of tuple to int
        Rows of a cycle of each series.
    n_channels_ : int
        Channels of each series.

    Notes
    -----
    - X may be a series or a panel, with several channels, and NaN for missing values; these are never
      outliers. Each series of a panel has a forecaster of its own. `predict_segments` and
      `predict_points` of sktime take one series only.
    - `predict` knows the rows of `fit`: their p-values are those of errors held out, each among the
      others. Rows that follow them directly are forecast with the rows of `fit` as their past. All other
      rows, of a series of `fit` or of another one where `fit` saw a single one, are a series of
      their own, whose first rows, as many as in the first forecast of `fit`, are past alone.
    - Channels are judged together: the smallest p-value counts as many times as there are channels.
    - The rate holds for rows like those of `fit`. True outliers among them make it hold more than it
      says: their errors are references too.
    - Costs: three times a fit of the forecaster at most, for each series.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast import KLMemoryDetector
    >>> y = load_airline()
    >>> y.iloc[100] += 150
    >>> KLMemoryDetector().fit(y).detections(y)[["time", "kind"]].to_numpy().tolist()
    [[Period('1957-05', 'M'), 'outlier']]
    """

    _tags = {
        "authors": "klforecast developers",
        "maintainers": "klforecast developers",
        "task": "anomaly_detection",
        "learning_type": "unsupervised",
        "capability:multivariate": True,
        "capability:missing_values": True,
        "capability:update": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "fit_is_empty": False,
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex"],
    }

    series_: dict[Key, SeriesDetector]
    cycles_: dict[Key, int]
    n_channels_: int

    def __init__(
        self,
        false_alarm_rate: float = 0.01,
        *,
        events: str = "both",
        cycle: int | None = None,
        forecaster: KLMemoryForecaster | None = None,
        random_state: int | RandomState | None = None,
    ):
        self.false_alarm_rate = false_alarm_rate
        self.events = events
        self.cycle = cycle
        self.forecaster = forecaster
        self.random_state = random_state
        super().__init__()
        if events == "shifts":
            self.set_tags(task="change_point_detection")

    def _check_state(self) -> None:
        super()._check_state()
        if hasattr(self, "series_"):
            cycles = {key: detector.cycle for key, detector in self.series_.items()}
            channels = {detector.rows.values.shape[1] for detector in self.series_.values()}
            if self.cycles_ != cycles or channels != {self.n_channels_}:
                raise ValueError(
                    f"cycles {self.cycles_} and {self.n_channels_} channels, and series of {cycles} "
                    f"and {channels}"
                )

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small settings with which sktime's checks run in seconds."""
        light = KLMemoryForecaster(input_length=2, local_experts=False)
        return [{"cycle": 3, "forecaster": light}, {"events": "shifts", "false_alarm_rate": 0.05}]

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn how large errors of forecasts are in undisturbed rows.

        Parameters
        ----------
        X : Series, DataFrame or ndarray, (time, channels)
            One series or a panel, 18 rows of each at least.
        y : ignored
            Known events; there is no use for them.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If X or a parameter cannot be used; the detector is as it was before.
        """
        with unchanged_on_error(self):
            return super().fit(X)

    def update(self, X: Any, y: Any = None) -> Self:
        """Fit anew to the rows known so far and those of X; where both have a row, that of X counts."""
        self.check_is_fitted(method_name="update")
        with unchanged_on_error(self):
            check_columns(pd.DataFrame(self._X).columns, self._check_X(X).columns, "X")
            return super().update(X)

    def verdicts(self, X: Any) -> pd.DataFrame:
        """Say of every row what was expected of it, and how surprising it is.

        Parameters
        ----------
        X : Series, DataFrame or ndarray, (time, channels)
            Rows with the channels, and of a panel the series, of `fit`.

        Returns
        -------
        DataFrame, (rows, 6), with the index of X
            ``channel`` the most surprising channel, ``value`` and ``expected`` in the units of the data,
            ``p_value`` of the row, ``shift_p_value`` of the cycle that it is in, and ``kind``:
            ``"outlier"``, ``"shift up"``, ``"shift down"`` or ``""``. NaN where nothing is known.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryDetector
        >>> y = load_airline()
        >>> KLMemoryDetector().fit(y).verdicts(y).loc["1957-05", ["value", "expected"]].round().tolist()
        [355.0, 352.0]
        """
        self.check_is_fitted(method_name="verdicts")
        return self._verdicts(self._check_X(X))

    def detections(self, X: Any) -> pd.DataFrame:
        """List what was found, one line for each event.

        Parameters
        ----------
        X : see `verdicts`

        Returns
        -------
        DataFrame
            Columns series (of a panel), time, channel, value, expected, p_value, kind. The p-value of a
            shift is that of its cycle.
        """
        found = self.verdicts(X)
        found = found[self._wanted(found["kind"])]
        p = found["p_value"].where(found["kind"] == "outlier", found["shift_p_value"])
        lines = found.assign(p_value=p, time=found.index.get_level_values(-1))
        if isinstance(found.index, pd.MultiIndex):
            labels = found.index.droplevel(-1)
            lines = lines.assign(series=labels)
        order = ["series", "time", "channel", "value", "expected", "p_value", "kind"]
        return lines[[name for name in order if name in lines]].reset_index(drop=True)

    def transform(self, X: Any) -> pd.DataFrame:
        """Label every row: 0 nothing, 1 outlier, 2 first row of a higher level, 3 of a lower one.

        Returns
        -------
        DataFrame, (rows, 1), with the index of X
            Column ``labels``.
        """
        kinds = self.verdicts(X)["kind"]
        labels = kinds.where(self._wanted(kinds), "").map(KINDS.index)
        return labels.astype("int64").to_frame("labels")

    def fit_transform(self, X: Any, y: Any = None) -> pd.DataFrame:
        """Fit, then label every row: `fit` and then `transform`."""
        return self.fit(X, y).transform(X)

    def _check_X(self, X: Any) -> Any:
        """Refuse bad rows in our own words, before sktime converts them."""
        if isinstance(X, pd.Series | pd.DataFrame):
            check_rows(X, "X")
        return super()._check_X(X)

    def _fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        check_number("false_alarm_rate", self.false_alarm_rate, 0, 1, above_low=True)
        check_choice("events", self.events, _EVENTS)
        check_integer("cycle", self.cycle, minimum=1, optional=True)
        check_seed("random_state", self.random_state)
        if not isinstance(self.forecaster, KLMemoryForecaster | None):
            raise TypeError(
                f"forecaster is {show(self.forecaster)}; pass a KLMemoryForecaster or None"
            )
        # sktime keeps the rows as they came, and joins frames to them.
        self._X = X
        panel = split_series(X)
        frequency = check_panel(panel, "X")
        series = {}
        for key, rows in panel.items():
            periods = window_periods([rows.values], frequency, self._forecaster().period)
            cycle = choose_cycle(key, len(rows.values), periods, self.cycle)
            series[key] = fit_series(
                partial(self._fitted_to, cycle),
                rows,
                frequency,
                cycle,
                self.false_alarm_rate,
            )
        self.series_ = series
        self.cycles_ = {key: detector.cycle for key, detector in series.items()}
        self.n_channels_ = X.shape[1]
        return self

    def _predict(self, X: pd.DataFrame) -> pd.DataFrame:
        kinds = self._verdicts(X)["kind"].to_numpy()
        places = np.flatnonzero(self._wanted(kinds))
        return pd.DataFrame(
            {"ilocs": places, "labels": [KINDS.index(kind) for kind in kinds[places]]},
            dtype="int64",
        )

    def _predict_points(self, X: pd.DataFrame) -> pd.DataFrame:
        # What sktime makes segments of may hold places alone.
        return self._predict(self._check_X(X))[["ilocs"]]

    def _transform_scores(self, X: pd.DataFrame) -> pd.DataFrame:
        """P-values of the rows and of their cycles: small ones are surprising."""
        return self._verdicts(X)[["p_value", "shift_p_value"]]

    def _predict_scores(self, X: pd.DataFrame) -> pd.DataFrame:
        places = self._predict(X)["ilocs"].to_numpy()
        return self._transform_scores(X).iloc[places].reset_index(drop=True)

    def _fitted_to(self, horizon: int, rows: TimeSeries) -> KLMemoryForecaster:
        return self._forecaster(horizon).fit(pd.DataFrame(rows.values, index=rows.index))

    def _forecaster(self, horizon: int | None = None) -> KLMemoryForecaster:
        # Local experts are run at every row anew, which takes longer than all the rest together.
        # What is to be found is not to be read as usual before it was looked for.
        given = self.forecaster or KLMemoryForecaster(local_experts=False, clean_outliers=False)
        forecaster = given.clone()
        if horizon is not None:
            forecaster.set_params(horizon=horizon)
        if self.random_state is not None:
            forecaster.set_params(random_state=self.random_state)
        return forecaster

    def _wanted(self, kinds: Any) -> Any:  # (rows,) bool
        if self.events == "both":
            return kinds != ""
        if self.events == "outliers":
            return kinds == "outlier"
        return (kinds != "") & (kinds != "outlier")

    def _verdicts(self, X: pd.DataFrame) -> pd.DataFrame:
        check_channels(self.n_channels_, X.shape[1], "X")
        panel = split_series(X)
        unknown = [key for key in panel if key not in self.series_]
        if unknown:
            raise ValueError(
                f"{name_series(unknown[0], 'X')} was not in fit, which was given "
                f"{', '.join(name_series(key, 'X') for key in list(self.series_)[:3])}; pass series "
                "with the labels of fit"
            )
        parts = [
            _frame(X.columns, rows, self.series_[key].judge(rows)) for key, rows in panel.items()
        ]
        order = np.concatenate(list(_places(X).values()))
        joined = pd.concat(parts, ignore_index=True)
        return joined.iloc[np.argsort(order)].set_axis(X.index)


def _places(X: pd.DataFrame) -> dict[Key, np.ndarray]:
    """Places in X of the rows of each series, in the order of `split_series`."""
    counted = pd.DataFrame({"place": np.arange(len(X))}, index=X.index)
    return {key: rows.values[:, 0].astype(np.int64) for key, rows in split_series(counted).items()}


def _frame(columns: pd.Index, rows: TimeSeries, found: Verdicts) -> pd.DataFrame:
    each = np.arange(len(rows.values))
    return pd.DataFrame(
        {
            "channel": columns.take(found.channel),
            "value": rows.values[each, found.channel],
            "expected": found.expected[each, found.channel],
            "p_value": found.outlier,
            "shift_p_value": found.shift,
            "kind": np.array(KINDS, dtype=object)[found.kinds],
        }
    )

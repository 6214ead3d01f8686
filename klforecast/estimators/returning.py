"""What returns at the same place of every cycle: taken off the rows before they are forecast, and put back.

    residual   rows less the effect at their stamps
    forecast   that of the residual and the effect at the stamps ahead

Days of the month, events of the year and trading days are taken off for the core and the local experts; a week for the
core alone where local experts know it as a season of their own, since they need the rows as they are for logarithms,
factors and counts.

`klforecast.estimators.trading_days`, `months`, `years` and `weeks` look for it, by the rules of `returning_rules`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, Easter

from klforecast.core.plan import CorePlan
from klforecast.core.solve import solve_from_plan
from klforecast.data.scaling import Standardizer
from klforecast.estimators.frames.context import fill_panel
from klforecast.estimators.frames.indices import Stamp, kind_of_index, step_numbers
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.ops.arrays import to_tensor

PlanOf = Callable[[Mapping[Key, np.ndarray]], CorePlan]
"""The plan of a core for some rows."""

PlanWith = Callable[[Mapping[Key, np.ndarray], Sequence[int]], CorePlan]
"""The plan of a core for some rows and cycles."""


class ReturningEffects(NamedTuple):
    """What returns in the series of a panel: every month, year or week, or with the calendar of 28 years.

    Attributes
    ----------
    effects : dict of tuple to ndarray of shape (T + A, channels)
        On the T rows of the fit and on the A of the cycle after it, in the units of the data, of the series that
        have any.
    floors : dict of tuple to ndarray of shape (channels,)
        Values below which these are not forecast; minus infinity for none.
    first : dict of tuple to stamp
        Of these series.
    frequency : offset or None
    cycle : float
        Steps after which it returns; a year of steps for days of the month.
    name : {"month", "month and year", "year", "week", "trading days"}
        What returns.
    for_core_alone : bool, default=False
        Whether local experts see the rows with it. In files of earlier versions they never do.
    back : dict of tuple to ndarray of shape (T + A, channels), or None, default=None
        What is put back on forecasts, where that is not what is taken off the rows: a row is no part of its forecast.
    """

    effects: dict[Key, np.ndarray]
    floors: dict[Key, np.ndarray]
    first: dict[Key, Stamp]
    frequency: BaseOffset | None
    cycle: float
    name: str
    for_core_alone: bool = False
    back: dict[Key, np.ndarray] | None = None

    @classmethod
    def on(
        cls,
        series: Mapping[Key, TimeSeries],
        effects: dict[Key, np.ndarray],
        frequency: BaseOffset | None,
        cycle: float,
        name: str,
        for_core_alone: bool = False,
    ) -> Self:
        """Effects on some of the series of a fit, those that are none left out; not below zero where no row was."""
        effects = {key: effect for key, effect in effects.items() if effect.any()}
        rows = {key: series[key] for key in effects}
        floors = {
            key: np.where(np.nanmin(own.values, axis=0) < 0, -np.inf, 0.0)
            for key, own in rows.items()
        }
        first = {key: own.index[0] for key, own in rows.items()}
        return cls(effects, floors, first, frequency, cycle, name, for_core_alone)

    def joined(self, other: Self) -> Self:
        """The same of other series of the panel too."""
        return self._replace(
            effects=self.effects | other.effects,
            floors=self.floors | other.floors,
            first=self.first | other.first,
            back=None if self.back is None or other.back is None else self.back | other.back,
        )

    @property
    def words(self) -> str:
        """What is added to a forecast, as messages and summaries call it."""
        words = {
            "month": "days of the month",
            "month and year": "days of the month and events of the year",
            "year": "events of the year",
            "week": "days of the week",
        }
        return words.get(self.name, self.name)

    def of(self, key: Key, stamps: pd.Index) -> np.ndarray:  # (n, channels), or a zero
        """Effect on some rows of a series; beyond those that it was found for that of whole cycles ago.

        Raises
        ------
        TypeError
            If the stamps are of another kind than those of the fit.
        """
        if key not in self.effects:
            return np.zeros(1)
        self._check_kind(key, stamps)
        return self._at(self.effects[key], step_numbers(stamps, self.first[key], self.frequency))

    def of_rows(self, key: Key, index: pd.Index) -> np.ndarray:  # (n, channels), or a zero
        """Effect on neighbouring rows of a series, which are those of the fit more often than not."""
        known = self.effects.get(key)
        if known is not None and 0 < len(index) <= len(known) and index[0] == self.first[key]:
            last = _steps_between(self.first[key], index[-1], self.frequency)
            if last == len(index) - 1:
                return known[: len(index)]
        return self.of(key, index)

    def ahead(
        self, key: Key, cutoff: Stamp, steps: np.ndarray
    ) -> np.ndarray:  # (n, channels), or a zero
        """What is put back at some steps after a cutoff."""
        if key not in self.effects:
            return np.zeros(1)
        known = _steps_between(self.first[key], cutoff, self.frequency)
        return self._at(self._back[key], known + steps)

    def after_each(
        self, key: Key, stamps: pd.Index, cutoffs: np.ndarray, horizon: int
    ) -> np.ndarray:  # (n, horizon, channels), or a zero
        """What is put back after many cutoffs of one series, numbers of its known stamps."""
        if key not in self.effects:
            return np.zeros(1)
        self._check_kind(key, stamps)
        first, last = (
            _steps_between(self.first[key], stamp, self.frequency)
            for stamp in (stamps[0], stamps[cutoffs.max() - 1])
        )
        if last - first != cutoffs.max() - 1:
            raise ValueError(
                f"{self.words} were found on rows {self.frequency} apart, and y has rows of another step; "
                "pass y with the step that fit was given"
            )
        return self._at(self._back[key], first + cutoffs[:, None] + np.arange(horizon))

    @property
    def _back(self) -> dict[Key, np.ndarray]:
        return self.effects if self.back is None else self.back

    def _at(self, known: np.ndarray, steps: np.ndarray) -> np.ndarray:  # (..., channels)
        """Effect at numbers of steps from the first row."""
        beyond = np.ceil(np.maximum(steps - len(known) + 1, 0) / self.cycle)
        before = np.ceil(np.maximum(-steps, 0) / self.cycle)
        places = steps + np.round((before - beyond) * self.cycle).astype(int)
        return known[np.clip(places, 0, len(known) - 1)]

    def _check_kind(self, key: Key, stamps: pd.Index) -> None:
        first = self.first[key]
        if isinstance(stamps, pd.PeriodIndex) != isinstance(first, pd.Period) or (
            isinstance(stamps, pd.DatetimeIndex) != isinstance(first, pd.Timestamp)
        ):
            raise TypeError(
                f"y has {kind_of_index(stamps)}, but {self.words} are found by stamps such as {first}; "
                "pass y with the kind of index that fit was given"
            )


@lru_cache(maxsize=4096)
def _steps_between(first: Stamp, last: Stamp, frequency: BaseOffset | None) -> int:
    """Steps from one stamp to another; most series of a panel share theirs, and a look-up takes a while."""
    return int(step_numbers(pd.Index([last]), first, frequency)[0])


def easter_of(years: pd.Index) -> pd.DatetimeIndex:
    """Easter Sunday of each year, as the western churches have it.

    Examples
    --------
    >>> easter_of(pd.Index([2024, 2025])).strftime("%d %B").tolist()
    ['31 March', '20 April']
    """
    sundays = {year: pd.Timestamp(year, 1, 1) + Easter() for year in set(years)}
    return pd.DatetimeIndex([sundays[year] for year in years])


def squared_error(
    panel: Mapping[Key, np.ndarray], scalers: Mapping[Key, Standardizer], plan: CorePlan
) -> np.ndarray:  # (channels,)
    """Mean over the windows that a core was not solved on."""
    scaled = [to_tensor(scalers[key].transform(rows)) for key, rows in panel.items()]
    filled, _ = fill_panel(scaled, plan.period)
    residuals = solve_from_plan(filled, plan).residuals
    assert residuals is not None, "errors are held by default"
    return residuals.errors.double().square().mean(dim=(0, 1)).numpy()

"""The nodes of a hierarchy, by the labels of sktime: `__total` at each level that a series is summed over.

("__total", "__total")    everything
("north", "__total")      one region
("__total", "hotels")     one kind, over all regions: levels that cross
("north", "hotels")       a bottom series
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from klforecast.estimators.frames.panel import (
    Key,
    TimeSeries,
    join_series,
    name_series,
    split_series,
)
from klforecast.ops.arrays import to_tensor
from klforecast.ops.reconciliation import Hierarchy

TOTAL = "__total"
"""Label of a level that is summed over."""

_ROUNDING = 1e-6  # of the sum of absolute values, that a given total may differ by


class Nodes(NamedTuple):
    """Labels of the nodes, totals first, and which totals each bottom series adds to."""

    keys: list[Key]
    hierarchy: Hierarchy

    @property
    def bottom(self) -> list[Key]:
        """Labels of the bottom series."""
        return self.keys[self.hierarchy.n_totals :]

    def check_parts(self) -> None:
        """Raise a ValueError unless there is a label for each node."""
        if len(self.keys) != self.hierarchy.n_totals + self.hierarchy.n_bottom:
            raise ValueError(f"{len(self.keys)} labels do not go with the nodes of the hierarchy")

    def stacked(self, panel: Mapping[Key, TimeSeries], of: str = "y") -> np.ndarray:
        """Rows of all nodes, (N, time, channels); totals that are not given, or missing, are sums.

        Raises
        ------
        ValueError
            If a bottom series is missing, their stamps differ, or a total is not the sum of its series.
        """
        rows = self._without_totals(panel, of)
        index = panel[self.bottom[0]].index
        bottom = rows[self.hierarchy.n_totals :]
        size = self.hierarchy.sums(to_tensor(np.abs(bottom))).numpy()
        for place, key in enumerate(self.keys[: self.hierarchy.n_totals]):
            if key in panel:
                given = panel[key]
                if not given.index.equals(index):
                    raise ValueError(f"{name_series(key, of)} has other stamps than its series")
                _check_total(key, given, rows[place], size[place], of)
                known = np.isfinite(given.values)
                rows[place][known] = given.values[known]
        return rows

    def in_order(self, with_totals: bool) -> np.ndarray:  # (nodes,) int
        """Places of the nodes to show, in the order of their labels where these have one."""
        places = range(0 if with_totals else self.hierarchy.n_totals, len(self.keys))
        try:
            return np.array(sorted(places, key=lambda place: self.keys[place]))
        except TypeError:  # labels such as 1 and "__total"
            return np.array(places)

    def forecast_rows(self, base: pd.Series | pd.DataFrame) -> tuple[np.ndarray, pd.Index]:
        """Forecasts of all nodes, in one frame, as (N, steps, columns), and their stamps."""
        panel = split_series(pd.DataFrame(base))
        return np.stack([panel[key].values for key in self.keys]), panel[self.keys[0]].index

    def averaged(self, X: pd.DataFrame | None) -> pd.DataFrame | None:
        """Covariates of all nodes: a total without any has the mean of its series."""
        if X is None or not self.hierarchy.n_totals:
            return X
        panel = split_series(X)
        absent = [key for key in self.keys[: self.hierarchy.n_totals] if key not in panel]
        if not absent:
            return X
        sums = self._without_totals(panel, "X")
        stamps = panel[self.bottom[0]].index
        means = sums / self.hierarchy.sizes().numpy()[:, None, None]
        made = dict(zip(self.keys, means, strict=True))
        rows = {key: made[key] for key in absent} | {key: own.values for key, own in panel.items()}
        indices = [panel[key].index if key in panel else stamps for key in rows]
        return join_series(rows, indices, X.columns, list(X.index.names))

    def _without_totals(self, panel: Mapping[Key, TimeSeries], of: str) -> np.ndarray:
        """Rows of all nodes, totals being sums, (N, time, columns)."""
        absent = [key for key in self.bottom if key not in panel]
        if absent:
            raise ValueError(
                f"{name_series(absent[0], of)} is missing ({len(absent)} of {len(self.bottom)} bottom "
                "series are); pass all that y of fit has"
            )
        index = panel[self.bottom[0]].index
        for key in self.bottom:
            own = panel[key].index
            if not own.equals(index):
                raise ValueError(
                    f"{name_series(key, of)} runs from {own[0]} to {own[-1]} and "
                    f"{name_series(self.bottom[0], of)} from {index[0]} to {index[-1]}; a total takes "
                    "rows of all of its series: pass rows at the same stamps, NaN where one is missing"
                )
        bottom = np.stack([panel[key].values for key in self.bottom])
        return self.hierarchy.whole(to_tensor(bottom)).numpy()


def find_nodes(keys: Iterable[Key], crossed: bool) -> Nodes:
    """Find the totals of some series: those that are named among them, else all that there can be.

    Parameters
    ----------
    keys : iterable of tuple
        Labels of the series; those with `__total` are totals.
    crossed : bool
        Where no total is named: whether series are summed over each level by itself too, or only over the last
        ones, as where each level lies within the one before.

    Returns
    -------
    Nodes
        Totals of one series, and of the same series as a larger total, are left out unless they are named.

    Raises
    ------
    ValueError
        If there is no bottom series, or a total without one.

    Examples
    --------
    >>> find_nodes([("n", "a"), ("n", "b"), ("s", "a"), ("s", "b")], crossed=False).keys[:3]
    [('__total', '__total'), ('n', '__total'), ('s', '__total')]
    """
    given = list(keys)
    bottom = [key for key in given if TOTAL not in key]
    named = [key for key in given if TOTAL in key]
    if not bottom:
        raise ValueError(f"all series of y are totals ({named[0]}); pass the series that they sum")
    if named:
        return _of_totals(named, bottom)
    return _of_totals(list(_distinct_totals(bottom, crossed)), bottom)


def _of_totals(totals: Sequence[Key], bottom: Sequence[Key]) -> Nodes:
    patterns = list(dict.fromkeys(map(_pattern, totals)))
    places = {key: place for place, key in enumerate(totals)}
    rows = [[places.get(_summed(key, pattern), -1) for key in bottom] for pattern in patterns]
    reached = {place for row in rows for place in row}
    empty = [key for key, place in places.items() if place not in reached]
    if empty:
        raise ValueError(f"{name_series(empty[0])} is a total without a series; leave it out")
    shape = (len(patterns), len(bottom))
    return Nodes(
        [*totals, *bottom], Hierarchy(torch.tensor(rows, dtype=torch.int64).reshape(shape))
    )


def _distinct_totals(bottom: Sequence[Key], crossed: bool) -> Iterable[Key]:
    """Labels of the totals of two or more series, larger totals first, each set of series once."""
    depth = len(bottom[0])
    if crossed:
        patterns = sorted(product([True, False], repeat=depth), key=lambda summed: -sum(summed))
    else:
        patterns = [(False,) * kept + (True,) * (depth - kept) for kept in range(depth)]
    seen = set()
    for pattern in patterns:
        members: dict[Key, list[int]] = {}
        for place, key in enumerate(bottom):
            members.setdefault(_summed(key, pattern), []).append(place)
        for total, places in members.items():
            if len(places) > 1 and (own := tuple(places)) not in seen:
                seen.add(own)
                yield total


def _pattern(key: Key) -> tuple[bool, ...]:
    return tuple(label == TOTAL for label in key)


def _summed(key: Key, pattern: Sequence[bool]) -> Key:
    return tuple(TOTAL if summed else label for label, summed in zip(key, pattern, strict=True))


def _check_total(key: Key, given: TimeSeries, sums: np.ndarray, size: np.ndarray, of: str) -> None:
    off = np.abs(given.values - sums) > _ROUNDING * size
    if off.any():
        row, channel = np.argwhere(off)[0]
        raise ValueError(
            f"{name_series(key, of)} is {given.values[row, channel]:g} at {given.index[row]}, and its "
            f"series add up to {sums[row, channel]:g}; leave the totals out, or mend them"
        )

"""The effect of covariates after a cutoff, and how far it can be believed.

    effect    of the rows of X ahead, each column held within the range in which `fit` saw it
    doubt     | effect without these edges - effect |, in the units of y

A column within its range leaves no doubt. Outside of it nobody knows whether the effect goes on or
ends, so a warning names the column, and intervals are wider by the doubt.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import ndtri

from klforecast.core.covariate_effect import CovariateEffect
from klforecast.core.linear_core import LinearCore
from klforecast.estimators.covariates.effects import Effects
from klforecast.estimators.covariates.table import Covariates
from klforecast.estimators.frames.indices import Stamp, name_stamps, stamps_ahead
from klforecast.estimators.frames.panel import Key, name_series


def effect_ahead(
    effects: Effects | None,
    covariates: Covariates,
    key: Key,
    past: pd.Index,
    steps: np.ndarray,  # (n,) int, 1 for the first step after the past
) -> np.ndarray:  # (n, channels)
    """Effect on some of the rows after the last one of `past`, in the units of y.

    Rows of X between these may be left out: what is averaged over the last cycle is then the row
    before, and a UserWarning says so. Another one names columns that are far from all that `fit`
    saw, whose effect is that of the edge.

    Raises
    ------
    ValueError
        If rows of X are missing at the steps, whether they have an effect or not.
    """
    future = stamps_ahead(past[-1], np.arange(1, steps.max() + 1), covariates.frequency)
    covariates.table(key, future[steps - 1], past[-1])
    if effects is None:
        return np.zeros((len(steps), 1))
    known = _known_rows(effects, covariates, key, past, future)
    if known.carried:
        warnings.warn(
            f"X has no row at {known.carried} steps between those of fh; the row before "
            "stands for each of them in means over the last cycle",
            UserWarning,
            stacklevel=2,
        )
    ahead = slice(len(known.stamps) - len(future), None)
    _warn_far(known.effect, covariates, key, known.stamps[ahead], *known.rows(ahead))
    effect = known.effect.of(*known.rows()).numpy()[ahead][steps - 1]
    if effects.core is not None:
        rows = _rows_read(effects, effects.core, past)
        _warn_far_past(effects, covariates, key, rows)
        part = effects.forecast_part(effects.core, covariates, key, rows, [len(rows)], steps.max())
        effect = effect + part[0, steps - 1]
    return effects.scales[key] * effect


def doubt_ahead(
    effects: Effects,
    covariates: Covariates,
    key: Key,
    past: pd.Index,
    steps: np.ndarray,  # (n,) int, 1 for the first step after the past
) -> np.ndarray:  # (n, channels), at least 0
    """How far `effect_ahead` is, in the units of y, from an effect that goes on linearly.

    Zero as long as columns stay within the range that `fit` saw; intervals are wider by it.
    """
    future = stamps_ahead(past[-1], np.arange(1, steps.max() + 1), covariates.frequency)
    known = _known_rows(effects, covariates, key, past, future)
    doubt = known.effect.doubt(*known.rows()).numpy()[-len(future) :][steps - 1]
    if effects.core is not None:
        rows = _rows_read(effects, effects.core, past)
        part = effects.doubt_of_part(effects.core, covariates, key, rows, [len(rows)], steps.max())
        doubt = doubt + part[0, steps - 1]
    return effects.scales[key] * doubt


def doubt_quantiles(doubt: np.ndarray, levels: np.ndarray) -> np.ndarray:  # (..., C) -> (..., C, Q)
    """What a doubt adds to the quantiles of a forecast: as much as itself at 0.1 and 0.9.

    In between and beyond as for a normal distribution: nothing at the median, and quantiles do not cross.

    Examples
    --------
    >>> import numpy as np
    >>> doubt_quantiles(np.array([2.0]), np.array([0.1, 0.5, 0.9]))
    array([[-2.,  0.,  2.]])
    """
    return doubt[..., None] * (ndtri(levels) / ndtri(0.9))


class _KnownRows(NamedTuple):
    """The rows of the last cycle and of the future, and the effect of what is known of them.

    Attributes
    ----------
    effect : CovariateEffect
        Of the columns whose future is known.
    stamps : Index, (n,)
    table : Tensor of shape (n, k)
    steps : Tensor of shape (n,)
    carried : int
        Rows that X does not have, for which the row before stands.
    """

    effect: CovariateEffect
    stamps: pd.Index
    table: torch.Tensor
    steps: torch.Tensor
    carried: int

    def rows(self, which: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor]:
        return self.table[which], self.steps[which]


def _known_rows(
    effects: Effects, covariates: Covariates, key: Key, past: pd.Index, future: pd.Index
) -> _KnownRows:
    part = effects.effect.part(~effects.past)
    stamps = past[-effects.effect.basis.period :].append(future)
    carried = covariates.carried(key, stamps)
    table = torch.from_numpy(covariates.table(key, carried, past[-1]))
    steps = torch.from_numpy(covariates.steps(stamps))
    count = int((carried != stamps).sum()) if len(part.basis.terms) else 0
    return _KnownRows(part, stamps, table, steps, count)


def effect_of_windows(
    effects: Effects | None,
    covariates: Covariates,
    rows: pd.Index,
    cutoffs: np.ndarray,  # (n,) int, 1 .. len(rows)
    horizon: int,
) -> np.ndarray:  # (n, horizon, channels)
    """Effect on the rows after each cutoff of a single series, as by :func:`effect_ahead`."""
    if effects is None:
        stamps, last = _stamps_of_windows(covariates, rows, cutoffs, horizon)
        covariates.table((), stamps, last)
        return np.zeros((len(cutoffs), horizon, 1))
    part, stamps, *known = _rows_of_windows(effects, covariates, rows, cutoffs, horizon)
    _warn_far(part, covariates, (), stamps, *known)
    effect = part.of(*known).numpy()[cutoffs[:, None] + np.arange(horizon)]
    if effects.core is not None:
        past = rows[: cutoffs.max()]
        reach = effects.core.depth + effects.effect.basis.period
        _warn_far_past(effects, covariates, (), past[max(0, cutoffs.min() - reach) :])
        effect = effect + effects.forecast_part(
            effects.core, covariates, (), past, cutoffs, horizon
        )
    return effects.scales[()] * effect


def doubt_of_windows(
    effects: Effects,
    covariates: Covariates,
    rows: pd.Index,
    cutoffs: np.ndarray,  # (n,) int, 1 .. len(rows)
    horizon: int,
) -> np.ndarray:  # (n, horizon, channels), at least 0
    """What `doubt_ahead` gives after each cutoff of a single series."""
    part, _, *known = _rows_of_windows(effects, covariates, rows, cutoffs, horizon)
    doubt = part.doubt(*known).numpy()[cutoffs[:, None] + np.arange(horizon)]
    if effects.core is not None:
        past = rows[: cutoffs.max()]
        doubt = doubt + effects.doubt_of_part(effects.core, covariates, (), past, cutoffs, horizon)
    return effects.scales[()] * doubt


def _stamps_of_windows(
    covariates: Covariates, rows: pd.Index, cutoffs: np.ndarray, horizon: int
) -> tuple[pd.Index, Stamp]:
    """All rows up to the last step of the last window, and the last cutoff."""
    last = rows[cutoffs.max() - 1]
    future = stamps_ahead(last, np.arange(1, horizon + 1), covariates.frequency)
    return rows[: cutoffs.max()].append(future), last


def _rows_of_windows(
    effects: Effects, covariates: Covariates, rows: pd.Index, cutoffs: np.ndarray, horizon: int
) -> tuple[CovariateEffect, pd.Index, torch.Tensor, torch.Tensor]:
    stamps, last = _stamps_of_windows(covariates, rows, cutoffs, horizon)
    table = torch.from_numpy(covariates.table((), stamps, last))
    steps = torch.from_numpy(covariates.steps(stamps))
    return effects.effect.part(~effects.past), stamps, table, steps


def _rows_read(effects: Effects, core: LinearCore, past: pd.Index) -> pd.Index:
    """Rows from which the effect of the past-only columns is forecast, means over a cycle included."""
    return past[-core.depth - effects.effect.basis.period :]


def _warn_far_past(effects: Effects, covariates: Covariates, key: Key, rows: pd.Index) -> None:
    """Say which past-only columns were far, at rows up to the cutoff, from all that `fit` saw."""
    table = torch.from_numpy(covariates.table(key, rows, rows[-1]))
    steps = torch.from_numpy(covariates.steps(rows))
    _warn_far(effects.effect.part(effects.past), covariates, key, rows, table, steps)


def _warn_far(
    effect: CovariateEffect,
    covariates: Covariates,
    key: Key,
    stamps: pd.Index,
    table: torch.Tensor,
    steps: torch.Tensor,
) -> None:
    """Say which columns with an effect are far from all that `fit` saw."""
    far = effect.basis.is_far(table, steps)
    for column in effect.basis.terms[:, 0].unique().tolist():
        rows = far[:, column].numpy()
        if rows.any():
            values = table[rows, column]
            lowest, highest = (float(edge[column]) for edge in effect.basis.seen())
            warnings.warn(
                f"column {covariates.columns[column]!r} of {name_series(key, 'X')} runs from "
                f"{values.min():.4g} to {values.max():.4g} at {rows.sum()} steps "
                f"({name_stamps(stamps[rows])}), far from the {lowest:.4g} to {highest:.4g} of fit: "
                "its effect there is that of the edge of this range, and intervals are wider",
                UserWarning,
                stacklevel=3,
            )

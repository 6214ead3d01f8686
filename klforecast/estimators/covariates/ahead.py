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
from klforecast.estimators.frames.indices import name_stamps, stamps_ahead
from klforecast.estimators.frames.panel import Key, name_series


class EffectAhead(NamedTuple):
    """The effect of covariates at some steps ahead, in the units of y.

    Attributes
    ----------
    effect : CovariateEffect
        Of the columns whose future is known.
    table : Tensor of shape (n, k)
        Rows of X around the steps.
    steps : Tensor of shape (n,)
        Their numbers.
    places : ndarray of int
        Those rows that are forecast, in any shape.
    of_past : ndarray of shape (places..., channels) or None
        Forecast of the effect of the past-only columns, in deviations.
    doubt_of_past : ndarray of shape (places..., channels) or None
        How far that is from the forecast of an effect that goes on beyond the edges.
    scale : ndarray of shape (channels,)
        Deviation of the series.
    """

    effect: CovariateEffect
    table: torch.Tensor
    steps: torch.Tensor
    places: np.ndarray
    of_past: np.ndarray | None
    doubt_of_past: np.ndarray | None
    scale: np.ndarray

    def values(self) -> np.ndarray:  # (*places, channels)
        """Add this to the forecast of the residual."""
        effect = self.effect.of(self.table, self.steps).numpy()[self.places]
        return self.scale * (effect if self.of_past is None else effect + self.of_past)

    def doubt(self) -> np.ndarray:  # (*places, channels), at least 0
        """How far the effect is from one that goes on linearly beyond the range that `fit` saw.

        Zero as long as columns stay within it; intervals are wider by it.
        """
        doubt = self.effect.doubt(self.table, self.steps).numpy()[self.places]
        return self.scale * (doubt if self.doubt_of_past is None else doubt + self.doubt_of_past)


def effect_ahead(
    effects: Effects | None,
    covariates: Covariates,
    key: Key,
    past: pd.Index,
    steps: np.ndarray,  # (n,) int, 1 for the first step after the past
) -> EffectAhead | None:
    """Effect on some of the rows after the last one of `past`; None if nothing has an effect.

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
        return None
    effect = effects.effect.part(~effects.past)
    stamps = past[-effects.effect.basis.period :].append(future)
    carried = covariates.carried(key, stamps)
    table = torch.from_numpy(covariates.table(key, carried, past[-1]))
    numbers = torch.from_numpy(covariates.steps(stamps))
    n_carried = int((carried != stamps).sum()) if len(effect.basis.terms) else 0
    if n_carried:
        warnings.warn(
            f"X has no row at {n_carried} steps between those of fh; the row before "
            "stands for each of them in means over the last cycle",
            UserWarning,
            stacklevel=2,
        )
    first = len(stamps) - len(future)
    _warn_far(effect, covariates, key, stamps[first:], table[first:], numbers[first:])
    of_past, doubt = None, None
    if effects.core is not None:
        rows = rows_read(effects, effects.core, past)
        _warn_far_past(effects, covariates, key, rows)
        asked = (effects.core, covariates, key, rows, [len(rows)], steps.max())
        of_past = effects.forecast_part(*asked)[0, steps - 1]
        doubt = effects.doubt_of_part(*asked)[0, steps - 1]
    places = first + steps - 1
    return EffectAhead(effect, table, numbers, places, of_past, doubt, effects.scales[key])


def effect_of_windows(
    effects: Effects | None,
    covariates: Covariates,
    rows: pd.Index,
    cutoffs: np.ndarray,  # (n,) int, 1 .. len(rows)
    horizon: int,
) -> EffectAhead | None:
    """Effect on the `horizon` rows after each cutoff of a single series, as by :func:`effect_ahead`."""
    last = rows[cutoffs.max() - 1]
    future = stamps_ahead(last, np.arange(1, horizon + 1), covariates.frequency)
    stamps = rows[: cutoffs.max()].append(future)
    table = torch.from_numpy(covariates.table((), stamps, last))
    if effects is None:
        return None
    effect = effects.effect.part(~effects.past)
    numbers = torch.from_numpy(covariates.steps(stamps))
    _warn_far(effect, covariates, (), stamps, table, numbers)
    of_past, doubt = None, None
    if effects.core is not None:
        past = rows[: cutoffs.max()]
        reach = effects.core.depth + effects.effect.basis.period
        _warn_far_past(effects, covariates, (), past[max(0, cutoffs.min() - reach) :])
        asked = (effects.core, covariates, (), past, cutoffs, horizon)
        of_past, doubt = effects.forecast_part(*asked), effects.doubt_of_part(*asked)
    places = cutoffs[:, None] + np.arange(horizon)
    return EffectAhead(effect, table, numbers, places, of_past, doubt, effects.scales[()])


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


def rows_read(effects: Effects, core: LinearCore, past: pd.Index) -> pd.Index:
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

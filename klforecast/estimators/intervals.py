"""Intervals around the forecasts of a reader: quantiles of its errors out of fold, which follow the rows seen.

    offsets         scale of the moment x quantile of scores, around a scaled point forecast
    IntervalLevels  the levels at which they are read, which follow the rows seen (`following`)

The mathematics is in `klforecast.ops.conformal`; here are series and batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.window_reader import WindowReader, WindowsOf
from klforecast.exceptions import KLForecastError
from klforecast.ops.adaptive_levels import nominal_levels
from klforecast.ops.arrays import to_tensor
from klforecast.ops.conformal import (
    Calibration,
    extend_steps,
    score_quantiles,
)
from klforecast.ops.volatility import (
    expected_scale,
    phase_scale,
    phase_volatility,
    recent_volatility,
)

_VALUES_PER_BATCH = 2**22  # 32 MB in float64


class IntervalLevels(NamedTuple):
    """The levels at which the scores of each series are read, and up to where its rows have moved them.

    Attributes
    ----------
    levels : dict of tuple to Tensor of shape (C, G)
        Stand for the levels of `GRID`.
    learned_until, scored_until : dict of tuple to stamp
        Last stamp that the weights have seen, and that the levels have seen.
    """

    levels: dict[Key, Tensor]
    learned_until: dict[Key, Stamp]
    scored_until: dict[Key, Stamp]

    @classmethod
    def start(cls, cutoffs: Mapping[Key, Stamp], channels: int) -> "IntervalLevels":
        """Take the levels as they are asked for; only rows after the present cutoffs move them."""
        nominal = nominal_levels(channels)
        return cls(dict.fromkeys(cutoffs, nominal), dict(cutoffs), dict(cutoffs))

    def newly_complete(self, key: Key, rows: TimeSeries, horizon: int) -> np.ndarray:  # (m,) int
        """Cutoffs of forecasts from rows after the fit, whose last step is among the new rows."""
        learned, scored = (
            rows.index.searchsorted(stamps[key], side="right")
            for stamps in (self.learned_until, self.scored_until)
        )
        return np.arange(max(learned, scored + 1 - horizon), len(rows.index) - horizon + 1)


def offsets(
    calibration: Calibration | None,
    reader: WindowReader,
    windows_of: WindowsOf,
    keys: Sequence[Key],  # the series of each window
    lengths: Sequence[int] | np.ndarray,  # rows known before each window's cutoff
    steps: int,
    read: Sequence[Tensor],  # (C, Q) each, the same for all windows of a series
) -> np.ndarray:  # (windows, steps, C, Q), scaled
    """Quantiles around the forecasts of windows, as distances from them.

    Raises
    ------
    KLForecastError
        If there is no calibration.
    """
    if calibration is None:
        raise KLForecastError(
            "this forecaster holds no errors out of fold, from which intervals are made; "
            "call fit or pretrain again"
        )
    levels = dict(zip(keys, read, strict=True))
    n_levels = read[0].shape[-1]
    size = max(steps, calibration.scores.shape[1]) * reader.channels * n_levels
    of_series: dict[Key, Tensor] = {}
    for some in _batches(list(levels), size):
        found = score_quantiles(calibration, torch.stack([levels[key] for key in some]))
        quantiles = extend_steps(found, calibration.growth, steps)
        of_series |= dict(zip(some, quantiles, strict=True))
    scales = _scales(calibration, reader, windows_of, lengths, steps)
    around = np.empty((len(keys), steps, reader.channels, n_levels))
    for row, (key, scale) in enumerate(zip(keys, scales, strict=True)):
        around[row] = scale[..., None] * of_series[key]
    return around


def _scales(
    calibration: Calibration,
    reader: WindowReader,
    windows_of: WindowsOf,
    lengths: Sequence[int] | np.ndarray,
    steps: int,
) -> Tensor:  # (windows, 1 or steps, C)
    """Scale of the errors to expect after each window; of one size where phases make no difference."""
    # What continues a short past to the left was not observed.
    known = torch.as_tensor(lengths).clamp(max=reader.depth)
    size = max(1, _VALUES_PER_BATCH // (reader.depth * reader.channels))
    rows = 1 if calibration.phase is None else steps
    scales = torch.empty(len(known), rows, reader.channels, dtype=torch.float64)
    for start in range(0, len(known), size):
        batch = slice(start, start + size)
        past = to_tensor(windows_of(batch)).mT
        observed = known[batch, None]
        features = recent_volatility(past, reader.period, observed)
        scales[batch] = expected_scale(calibration.scale, features)[:, None]
        if calibration.phase is not None:
            phases = phase_volatility(past, reader.period, observed)
            scales[batch] *= phase_scale(calibration.phase, phases, steps)
    return scales


def _batches(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    """Runs of keys whose arrays of `size` values fit into a batch."""
    step = max(1, _VALUES_PER_BATCH // size)
    for start in range(0, len(keys), step):
        yield keys[start : start + step]

"""Intervals around the forecasts of a reader: quantiles of its errors out of fold, which follow the rows seen.

    offsets         scale of the moment x quantile of scores, around a scaled point forecast
    update_levels   windows whose horizon is complete move the levels at which scores are read

The mathematics is in `klforecast.ops.conformal`; here are series and batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows
from klforecast.estimators.window_reader import WindowReader, WindowsOf
from klforecast.exceptions import KLForecastError
from klforecast.ops.arrays import to_tensor
from klforecast.ops.conformal import (
    GRID,
    Calibration,
    adapt_levels,
    adapted_levels,
    extend_steps,
    nominal_levels,
    score_quantiles,
)
from klforecast.ops.volatility import (
    expected_scale,
    phase_scale,
    phase_volatility,
    recent_volatility,
)

_HORIZONS = 20  # horizons over which the levels follow a drift; `docs/intervals.md` compares others
# Windows that one update looks at, all series together, one for each at least: an update stays cheap.
_SCORED_WINDOWS = 256
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

    def read_for(self, keys: Sequence[Key], levels: np.ndarray) -> list[Tensor]:  # (C, Q) each
        """The levels that are read for each of some windows, from the series that they belong to."""
        wanted = to_tensor(levels)
        read = {key: adapted_levels(self.levels[key], wanted) for key in dict.fromkeys(keys)}
        return [read[key] for key in keys]

    def newly_complete(self, key: Key, rows: TimeSeries, horizon: int) -> np.ndarray:  # (m,) int
        """Cutoffs of forecasts from rows after the fit, whose last step is among the new rows."""
        learned, scored = (
            rows.index.searchsorted(stamps[key], side="right")
            for stamps in (self.learned_until, self.scored_until)
        )
        return np.arange(max(learned, scored + 1 - horizon), len(rows.index) - horizon + 1)


def update_levels(
    present: IntervalLevels,
    known: Mapping[Key, TimeSeries],
    cutoffs: Mapping[Key, Stamp],
    reader: WindowReader,
    calibration: Calibration | None,
    horizon: int,
) -> IntervalLevels:
    """Let every horizon that new rows complete move the levels of its series.

    Parameters
    ----------
    present : IntervalLevels
    known : mapping of tuple to TimeSeries
        Rows of each series up to its cutoff.
    cutoffs : mapping of tuple to stamp
    reader : WindowReader
    calibration : Calibration or None
        None has no scores to read, and nothing moves.
    horizon : int
        Steps that the net forecasts at once.

    Returns
    -------
    IntervalLevels
    """
    if calibration is None:
        return present
    most = max(1, _SCORED_WINDOWS // len(known))
    windows, steps = {}, {}
    for key, rows in known.items():
        complete = present.newly_complete(key, rows, horizon)
        steps[key] = max(1, -(-len(complete) // most))
        # The latest one is among those kept.
        windows[key] = complete[::-1][:: steps[key]][::-1]
    places = [(key, cutoff) for key, complete in windows.items() for cutoff in complete]
    levels = present.levels
    if places:
        errors = _scaled_errors(known, places, reader, calibration, horizon)
        levels = _moved(levels, errors, [key for key, _ in places], steps, calibration, horizon)
    return present._replace(levels=levels, scored_until=dict(cutoffs))


def offsets(
    present: IntervalLevels,
    calibration: Calibration | None,
    reader: WindowReader,
    windows_of: WindowsOf,
    keys: Sequence[Key],  # the series of each window
    lengths: Sequence[int] | np.ndarray,  # rows known before each window's cutoff
    steps: int,
    levels: np.ndarray,  # (Q,)
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
    wanted = to_tensor(levels)
    size = max(steps, calibration.scores.shape[1]) * reader.channels * len(levels)
    of_series: dict[Key, Tensor] = {}
    for some in _batches(list(dict.fromkeys(keys)), size):
        adapted = adapted_levels(torch.stack([present.levels[key] for key in some]), wanted)
        quantiles = extend_steps(score_quantiles(calibration, adapted), calibration.growth, steps)
        of_series |= dict(zip(some, quantiles, strict=True))
    scales = _scales(calibration, reader, windows_of, lengths, steps)
    around = np.empty((len(keys), steps, reader.channels, len(levels)))
    for row, (key, scale) in enumerate(zip(keys, scales, strict=True)):
        around[row] = scale[..., None] * of_series[key]
    return around


def _moved(
    levels: Mapping[Key, Tensor],
    errors: Tensor,  # (places, H, C)
    keys: Sequence[Key],  # of each place
    steps: Mapping[Key, int],
    calibration: Calibration,
    horizon: int,
) -> dict[Key, Tensor]:
    moved = dict(levels)
    of_series: dict[Key, list[int]] = {}
    for place, key in enumerate(keys):
        of_series.setdefault(key, []).append(place)
    size = horizon * errors.shape[2] * len(GRID)
    # Series do not wait for each other: the first windows of all of them, then the second ones.
    for turn in range(max(map(len, of_series.values()))):
        due = [key for key, own in of_series.items() if len(own) > turn]
        for some in _batches(due, size):
            rates = [min(1.0, steps[key] / (_HORIZONS * horizon)) for key in some]
            adapted = adapt_levels(
                torch.stack([moved[key] for key in some]),
                errors[[of_series[key][turn] for key in some]],
                calibration,
                torch.tensor(rates, dtype=torch.float64)[:, None, None],
            )
            moved |= dict(zip(some, adapted, strict=True))
    return moved


def _scaled_errors(
    known: Mapping[Key, TimeSeries],
    places: Sequence[tuple[Key, int]],
    reader: WindowReader,
    calibration: Calibration,
    horizon: int,
) -> Tensor:  # (places, H, C)
    windows_of = reader.windows_before(
        [(key, first_rows(known[key], cutoff)) for key, cutoff in places]
    )
    forecasts = reader.forecast(windows_of, len(places), horizon)
    truth = np.stack(
        [
            reader.residual(key, first_rows(known[key], cutoff + horizon), cutoff)
            for key, cutoff in places
        ]
    )
    lengths = [cutoff for _, cutoff in places]
    scales = _scales(calibration, reader, windows_of, lengths, horizon)
    return to_tensor(truth - forecasts) / scales


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

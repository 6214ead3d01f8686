"""The forecast of every series as a sum of contributions, in one tidy frame.

    point = level + sum of contributions            one row for each series, channel, step and contribution

level         what is forecast when every row of the past is at the mean of the training rows
core, local   what the linear core and the local experts make of the past, by the share that each has
covariate     the effect of a column of X, or of a feature of the calendar, on the step
season        the same of a long season
year, week    what returns at the same date of every year, or in every week
floor         what it takes to lift a forecast of a series that was never below zero to zero
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
from torch import nn

from klforecast.core.linear_core import LinearCore
from klforecast.estimators.arguments import check_choice
from klforecast.estimators.explanation.known import (
    Block,
    KnownPast,
    LocalPast,
    Split,
    known_pasts,
)
from klforecast.estimators.explanation.of_core import (
    core_by_component,
    core_by_expert,
    core_by_row,
)
from klforecast.estimators.explanation.of_covariates import covariate_parts
from klforecast.estimators.explanation.of_local import local_as_one, local_by_copy, local_by_row
from klforecast.estimators.fitting import OpenStream
from klforecast.estimators.forecasting import Predictor
from klforecast.estimators.frames.panel import Key, TimeSeries

VIEWS = ("lag", "cycle", "component", "expert")
"""What the past may be taken apart by."""


def require_linear(module: nn.Module, encoder: str) -> LinearCore:
    """Return a copy of the linear core in float64 on the CPU.

    Raises
    ------
    ValueError
        If a trained encoder forecasts, whose map is not linear.
    """
    if not isinstance(module, LinearCore):
        raise ValueError(
            f"encoder={encoder!r} is not linear, so that its forecasts are no sum of contributions; "
            'use encoder="linear", or plot_memory, which draws derivatives'
        )
    return copy.deepcopy(module).double().cpu()


def check_view(by: str, period: int) -> None:
    """Raise a ValueError unless forecasts can be taken apart in this way."""
    check_choice("by", by, VIEWS)
    if by == "cycle" and period == 1:
        raise ValueError(
            "by='cycle' needs a cycle, and the forecaster found none; pass by='lag', or fit with a period"
        )


def explain_series(
    fitted: Predictor,
    core: LinearCore,  # of the reader, in float64
    known: Mapping[Key, TimeSeries],
    steps: Mapping[Key, np.ndarray],  # (n,) int each
    by: str,
    opened: OpenStream | None = None,
) -> dict[Key, list[Block]]:
    """Take the forecasts of `forecast_series` apart.

    Parameters
    ----------
    fitted : Predictor
    core : LinearCore
        The module of its reader, in float64 on the CPU.
    known : mapping of tuple to TimeSeries
        Rows of each series up to its cutoff.
    steps : mapping of tuple to ndarray of int
        Steps ahead, from 1, of each series.
    by : {"lag", "cycle", "component", "expert"}
    opened : OpenStream, optional
        Moments of the windows, from which experts are solved again.

    Returns
    -------
    dict of tuple to list of Block
        Their values at each step and channel add up to the point forecast.
    """
    reader, rows = fitted.reader, fitted.reader.period if by == "cycle" else 1
    # What X lacks is refused before anything that takes long.
    effects = {
        key: covariate_parts(reader.effects, reader.covariates, key, past, steps[key])
        for key, past in known.items()
    }
    pasts = known_pasts(fitted, known, max(int(own.max()) for own in steps.values()))
    splits = _split_core(core, list(pasts.values()), by, rows, opened)
    blocks = {}
    for (key, past), of_core in zip(pasts.items(), splits, strict=True):
        level, parts = _of_past(past, of_core, by, rows)
        level, parts = level[steps[key] - 1], [part.at(steps[key] - 1) for part in parts]
        returning = reader.returning
        if returning is not None and key in returning.effects:
            added = returning.ahead(key, known[key].index[-1], steps[key])
            if returning.for_core_alone:
                added = (1 - past.share[steps[key] - 1]) * added
            parts.append(_single(returning.name, added))
        floor = np.maximum(past.floor, reader.floor(key))
        lifted = floor - level - sum(part.values.sum(axis=-1) for part in parts)
        if (lifted > 0).any():
            parts.append(_single("floor", np.maximum(lifted, 0.0)))
        blocks[key] = [
            _single("level", level + effects[key].rest),
            *parts,
            *effects[key].blocks,
        ]
    return blocks


def _of_past(past: KnownPast, of_core: Split, by: str, rows: int) -> tuple[np.ndarray, list[Block]]:
    """Level, (steps, channels), and the contributions of core and local experts, in the units of the data."""
    of_rest = (1 - past.share) * past.scaler.scale
    level = past.scaler.mean + of_rest * of_core.rest
    blocks = [of_core.block.times(of_rest)]
    if past.local is not None:
        of_local = _split_local(past, past.local, by, rows)
        level = level + past.share * of_local.rest
        blocks.append(of_local.block.times(past.share))
    return level, blocks


def _split_core(
    core: LinearCore, pasts: Sequence[KnownPast], by: str, rows: int, opened: OpenStream | None
) -> list[Split]:
    if by == "component":
        return core_by_component(core, pasts)
    if by == "expert":
        return core_by_expert(core, pasts, opened)
    return core_by_row(core, pasts, rows)


def _split_local(past: KnownPast, local: LocalPast, by: str, rows: int) -> Split:
    if by == "component":
        return local_as_one(past, local)
    if by == "expert":
        return local_by_copy(past, local)
    return local_by_row(past, local, rows)


def _single(part: str, values: np.ndarray) -> Block:  # (steps, channels)
    return Block(part, [part], None, values[..., None])

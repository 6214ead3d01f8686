"""What rows and copies of a series add to the forecast of its local experts; see `local.explanation`."""

import numpy as np

from klforecast.estimators.explanation.known import Block, KnownPast, LocalPast, Split
from klforecast.local.explanation import copy_parts, row_parts
from klforecast.local.model import forecast

PART = "local"


def local_by_row(past: KnownPast, local: LocalPast, size: int) -> Split:
    """One contribution for so many rows, along the tangent of the forecast at the past, the newest first."""
    lags = np.arange(1, len(local.rows) + 1, size)
    shape = (past.steps, len(local.models))
    values, rest = np.zeros((*shape, len(lags))), np.zeros(shape)
    for channel, (model, unit) in enumerate(zip(local.models, local.units, strict=True)):
        if not past.share[:, channel].any():
            continue
        rows, mean = local.rows[:, channel], past.scaler.mean[channel] / unit
        parts = row_parts(model, rows, past.steps, mean, size)
        whole = forecast(model, [rows], past.steps)[0] - mean
        values[:, channel] = unit * parts.T
        rest[:, channel] = unit * (whole - parts.sum(axis=0))
    return Split(Block(PART, past.names_of(lags, size), lags, values), rest)


def local_by_copy(past: KnownPast, local: LocalPast) -> Split:
    """One contribution for the experts of each copy of the series."""
    found: dict[str, np.ndarray] = {}
    shape = (past.steps, len(local.models))
    for channel, (model, unit) in enumerate(zip(local.models, local.units, strict=True)):
        parts = copy_parts(model, local.rows[:, channel], past.steps)
        for name, (weight, weighted) in parts.items():
            own = found.setdefault(name, np.zeros(shape))
            own[:, channel] = unit * weighted - past.scaler.mean[channel] * weight
    values = np.stack(list(found.values()), axis=-1)
    return Split(Block(PART, list(found), None, values), np.zeros(shape))


def local_as_one(past: KnownPast, local: LocalPast) -> Split:
    """All local experts together."""
    made = [
        unit * forecast(model, [local.rows[:, channel]], past.steps)[0]
        for channel, (model, unit) in enumerate(zip(local.models, local.units, strict=True))
    ]
    values = np.stack(made, axis=-1) - past.scaler.mean
    return Split(Block(PART, ["local experts"], None, values[..., None]), np.zeros(values.shape))

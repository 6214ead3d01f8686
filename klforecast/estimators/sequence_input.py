"""Series as the sequence estimators take them, from arrays and frames to tensors without gaps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from klforecast.ops.arrays import to_tensor

ANY_SHAPE_WITH_GAPS: dict[str, Any] = {
    "dtype": np.float64,
    "allow_nd": True,
    "ensure_all_finite": "allow-nan",
}
"""How scikit-learn checks arrays of series."""

# Squares of larger numbers overflow, and of smaller ones are zero.
_LARGEST, _SMALLEST = 1e100, 1e-140


def check_is_array(X: Any, owner: str, of_panels: str) -> None:
    """Raise a TypeError for containers of sktime and for series of unequal lengths, which are no array.

    Parameters
    ----------
    X : object
        What should be array-like, (n, length) or (n, channels, length).
    owner, of_panels : str
        Names of the estimator, and of the one that takes such containers.
    """
    found = None
    if isinstance(X, pd.DataFrame):
        if X.index.nlevels > 1:
            found = "a frame indexed by series and time"
        elif X.size and not np.isscalar(X.iat[0, 0]):
            found = "a frame of series in its cells"
    elif isinstance(X, list | tuple) and len(X):
        if any(isinstance(one, pd.DataFrame) for one in X):
            found = "a list of frames, whose rows are times"
        elif len({np.shape(one) for one in X if not _is_ragged(one)}) > 1 or any(
            map(_is_ragged, X)
        ):
            found = "a list of series of unequal lengths"
    if found is not None:
        raise TypeError(
            f"X is {found}, and {owner} takes an array of shape (n, length) or (n, channels, length); fill "
            f"shorter series up with NaN at their end, or pass X to {of_panels}, which takes the "
            "containers of sktime"
        )


def _is_ragged(rows: Any) -> bool:
    return isinstance(rows, list | tuple) and len({np.size(row) for row in rows}) > 1


def check_series(
    series: Sequence[np.ndarray], n_channels: int | None = None, owner: str = "classifier"
) -> list[Tensor]:
    """Return series without gaps as float64 tensors; raise unless they can be learned from.

    Steps at the end in which every channel is missing stand for a shorter series. Other missing
    values are bridged by straight lines, and by the next value at the ends of a channel.

    Parameters
    ----------
    series : sequence of ndarray, (channels, length) each
        Unequal lengths are fine.
    n_channels : int or None, default=None
        Channels that the estimator was fitted on; None while it is being fitted.
    owner : str, default="classifier"
        What the estimator is, for the message.

    Raises
    ------
    ValueError
        If there are no series, channels differ, a series has no steps or no value in a channel,
        all have only one step, a value is infinite or above 1e100 in magnitude, or all are below 1e-140.
    """
    if not len(series):
        raise ValueError("X has no series; pass at least one")
    wanted = len(series[0]) if n_channels is None else n_channels
    checked = []
    for number, values in enumerate(series):
        if len(values) != wanted:
            origin = "the first one" if n_channels is None else f"those the {owner} was fitted on"
            raise ValueError(
                f"series {number} of X has {len(values)} channels and {origin} {wanted}; pass the "
                "same channels for every series"
            )
        if np.isinf(values).any():
            raise ValueError(
                f"series {number} of X has infinite values; mark them as missing by NaN"
            )
        seen = ~np.isnan(values)
        length = int(np.flatnonzero(seen.any(axis=0)).max(initial=-1)) + 1
        if not length:
            raise ValueError(f"series {number} of X has 0 steps with a value; leave it out")
        if not seen.any(axis=1).all():
            empty = int(np.flatnonzero(~seen.any(axis=1))[0])
            raise ValueError(
                f"series {number} of X has no value in channel {empty}; fill the channel or leave "
                "the series out"
            )
        if np.nanmax(np.abs(values)) > _LARGEST:
            raise ValueError(
                f"series {number} of X reaches {np.nanmax(np.abs(values)):.0e} in magnitude; rescale "
                f"the series to less than {_LARGEST:.0e}"
            )
        checked.append(to_tensor(_bridged(values[:, :length], seen[:, :length])))
    largest = max(float(values.abs().max()) for values in checked)
    if n_channels is None and 0 < largest < _SMALLEST:
        raise ValueError(
            f"no value of X is larger than {largest:.0e} in magnitude; rescale the series to more than "
            f"{_SMALLEST:.0e}"
        )
    if n_channels is None and max(values.shape[1] for values in checked) < 2:
        raise ValueError(
            "every series of X has 1 step (n_features = 1 where X has two dimensions); pass series "
            "of at least 2 steps"
        )
    return checked


def _bridged(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Values with lines across their gaps; the mask `seen` has a True in every channel."""
    if seen.all():
        return np.asarray(values, dtype=np.float64)
    steps = np.arange(values.shape[1])
    return np.stack(
        [
            np.interp(steps, steps[known], channel[known])
            for channel, known in zip(values, seen, strict=True)
        ]
    )


def with_channels(values: np.ndarray) -> list[np.ndarray]:
    """(n, length) or (n, channels, length) as one (channels, length) for each series."""
    if values.ndim > 3:
        raise ValueError(
            f"X has {values.ndim} dimensions; pass (n, length) or (n, channels, length)"
        )
    return list(values[:, None] if values.ndim == 2 else values)


def channels_first(
    frames: Sequence[pd.DataFrame], names: pd.Index, origin: str
) -> list[np.ndarray]:  # (channels, length) each
    """Values of the frames, their columns in the order of `names`."""
    return [
        _in_order(frame, names, number, origin).to_numpy(dtype=np.float64).T
        for number, frame in enumerate(frames)
    ]


def _in_order(frame: pd.DataFrame, names: pd.Index, number: int, origin: str) -> pd.DataFrame:
    columns = frame.columns
    # A wrong number of columns is reported with the other faults of series.
    if (
        columns.equals(names)
        or len(columns) != len(names)
        or _nameless(columns)
        or _nameless(names)
    ):
        return frame
    if columns.is_unique and set(columns) == set(names):
        return frame[list(names)]
    raise ValueError(
        f"series {number} of X has the columns {_listed(columns)} and {origin} {_listed(names)}; "
        "pass the same columns for every series, in any order"
    )


def _nameless(columns: pd.Index) -> bool:
    """Whether columns are numbered, as sktime numbers those of an array."""
    numbers = range(len(columns))
    return list(columns) in (list(numbers), [f"var_{number}" for number in numbers])


def _listed(columns: pd.Index) -> str:
    return ", ".join(map(repr, columns))

"""Sample paths: each the quantiles of a forecast at levels that are drawn together.

    path_hc = q_hc(Phi(z_hc))        z: normal scores of `ops.copula`, q: quantiles of step h and channel c

Quantiles are asked for at levels evenly spread in z, and are linear in z between them. So every step by itself has
the distribution of the intervals, and what steps and channels share is that of the errors out of fold. Series of a
panel are drawn apart from each other.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd
import torch

from klforecast.exceptions import KLForecastError
from klforecast.ops.conformal import Calibration
from klforecast.ops.copula import JointErrors, draw_normal_scores

_FARTHEST = 3.4  # deviations; the level 0.0003 is met three times in 10,000 paths
_INTERVALS = 68  # between the levels, a tenth of a deviation each: a fifth misses steep ends by 4 % of a width

PATH_LEVELS = [
    NormalDist().cdf(float(z)) for z in np.linspace(-_FARTHEST, _FARTHEST, _INTERVALS + 1)
]
"""Levels of the quantiles that paths are made from."""


def require_joint_errors(calibration: Calibration | None) -> JointErrors:
    """What errors have in common, as `fit` has learned it.

    Raises
    ------
    KLForecastError
        If the forecaster comes from a file that does not hold it, or holds no errors out of fold.
    """
    if calibration is None or calibration.joint is None:
        raise KLForecastError(
            "this forecaster does not know how its errors vary together, from which paths are made; "
            "call fit or pretrain again"
        )
    return calibration.joint


def sample_paths(
    quantiles: pd.DataFrame,  # (rows, channels x levels)
    steps: Sequence[np.ndarray],  # (n,) int each, of the rows of each series
    joint: JointErrors,
    n_paths: int,
    seed: int,
) -> pd.DataFrame:
    """Draw paths of all series.

    Parameters
    ----------
    quantiles : DataFrame of shape (rows, channels x levels)
        At `PATH_LEVELS`, series one after the other.
    steps : sequence of ndarray of int
        Steps ahead, from 1, of each series.
    joint : JointErrors
    n_paths : int
    seed : int

    Returns
    -------
    DataFrame of shape (n_paths x rows, channels)
        The levels of its index are "path" and those of the quantiles.

    Notes
    -----
    O(n_paths rows channels) for the quantiles and as much times the modes for the scores.
    """
    generator = torch.Generator().manual_seed(seed)
    table = quantiles.to_numpy().reshape(len(quantiles), -1, len(PATH_LEVELS))
    paths = np.empty((n_paths, *table.shape[:2]))
    start = 0
    for own in steps:
        rows = slice(start, start + len(own))
        z = draw_normal_scores(joint, n_paths, int(own.max()), generator)
        paths[:, rows] = read_quantiles(table[rows], z[:, own - 1].numpy())
        start += len(own)
    return pd.DataFrame(
        paths.reshape(-1, table.shape[1]),
        index_of_paths(n_paths, quantiles.index),
        quantiles.columns.unique(level=0),
    )


def read_quantiles(
    table: np.ndarray,  # (..., Q)
    z: np.ndarray,  # (P, ...)
) -> np.ndarray:  # (P, ...)
    """Quantiles at normal scores, linear between those of the table and constant beyond."""
    place = (np.clip(z, -_FARTHEST, _FARTHEST) + _FARTHEST) * (_INTERVALS / (2 * _FARTHEST))
    below = np.minimum(place.astype(np.intp), _INTERVALS - 1)
    share = place - below
    below += np.arange(0, table.size, table.shape[-1]).reshape(table.shape[:-1])
    # Both parts keep within floats, where the difference of two quantiles might not.
    return (1 - share) * table.take(below) + share * table.take(below + 1)


def index_of_paths(n_paths: int, index: pd.Index) -> pd.MultiIndex:
    """The rows of an index once for each path, behind a level "path"."""
    rows = np.arange(len(index))
    levels, codes, names = [index], [rows], [index.name]
    if isinstance(index, pd.MultiIndex):
        levels, codes, names = list(index.levels), list(index.codes), list(index.names)
    return pd.MultiIndex(
        levels=[pd.RangeIndex(n_paths), *levels],
        codes=[
            np.repeat(np.arange(n_paths), len(index)),
            *(np.tile(code, n_paths) for code in codes),
        ],
        names=["path", *names],
    )

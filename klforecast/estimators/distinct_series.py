"""Weights of series are repetitions: a fit sees every series once, with the weight of all its rows."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

_DIGEST_BYTES = 16  # two of 10^10 different series agree with a probability of 10^-19


def distinct_series(
    series: Sequence[Tensor],  # (channels, length) each
    answers: np.ndarray,  # (n,), a class or a number for each
    sample_weight: Any = None,
) -> tuple[list[Tensor], np.ndarray, Tensor]:  # k series, (k,) answers, (k,) weights
    """Series that differ, or whose answers do, each with the sum of its weights.

    A weight of zero leaves a series out, and a whole number is so many copies of it: whatever is
    drawn or left out afterwards, copies and weights give the same fit. Where the weights are equal,
    the series keep their order; else theirs is one that depends on the series alone.

    Parameters
    ----------
    sample_weight : array-like of shape (n,), a number or None, default=None
        Numbers of at least zero; None is one for each series.

    Raises
    ------
    ValueError
        If the weights are of another shape, negative, not finite, or all zero.

    Notes
    -----
    One series alone is given twice, each with half of its weight: there is no model without it.

    Examples
    --------
    >>> few, numbers = [torch.zeros(1, 3), torch.ones(1, 3), torch.zeros(1, 3)], np.arange(3) % 2
    >>> kept, answers, weights = distinct_series(few, numbers)
    >>> len(kept), answers.tolist(), weights.tolist()
    (2, [0, 1], [2.0, 1.0])
    """
    rows = np.empty((len(series), 1))
    weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    places: dict[tuple[Any, bytes], list[int]] = {}
    for place in np.flatnonzero(weights).tolist():
        key = (answers[place], _digest(series[place]))
        places.setdefault(key, []).append(place)
    totals = {key: weights[copies].sum() for key, copies in places.items()}
    equal = len(set(totals.values())) == 1
    keys = list(places) if equal else sorted(places)
    if len(keys) == 1:
        keys, totals = 2 * keys, {key: total / 2 for key, total in totals.items()}
    first = [places[key][0] for key in keys]
    return (
        [series[place] for place in first],
        answers[first],
        torch.tensor([totals[key] for key in keys], dtype=torch.float64),
    )


def _digest(values: Tensor) -> bytes:
    digest = blake2b(str(tuple(values.shape)).encode(), digest_size=_DIGEST_BYTES)
    digest.update(values.contiguous().numpy().tobytes())
    return digest.digest()

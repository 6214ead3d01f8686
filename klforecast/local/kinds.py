"""Experts of a kind err alike: what a record says between kinds counts for less than what it says within one.

    W_ig  = sum_{e in g} w_ie                        share of a kind g
    w_ie <- w_ie W_ig^(a - 1) / sum of the same      a < 1

The origins of a short past overlap and lie in one stretch of history. Whether slopes or levels were right there, or the
logarithm, is one observation more than it is many, and all experts of a kind share it. Weights that take the origins
for independent are too sure of the kind, and a mean of kinds has errors that cancel. The power is that of a tempered
posterior: Gruenwald (2012), "The safe Bayesian", in Algorithmic Learning Theory, doi:10.1007/978-3-642-34106-9_16.

Kinds are told apart twice: by the copy of the series that is filtered, and by whether a forecast has a slope.

Letters   N series, E experts, X further experts
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.local.experts import Bank, expert_copies
from klforecast.local.filters import LEVELS, N_FILTERS, SLOPES

# Powers of the two. On M1, M3 and hospitals before their test parts 0.3 and 0.4 of copies, and 0.6 and 0.8 of slopes,
# are within 0.3 % of these (docs/method/local_experts.md).
_OF_COPIES, _OF_SLOPES = 0.5, 0.7
# Of a kind, below which it gains no more: where a kind is exact, as on a line, the others are not to come back.
_LEAST_SHARE = 1e-3
_UNFILTERED = ("last cycles", "its changes")


class ExpertKinds(NamedTuple):
    """Kinds of the experts of a bank.

    Attributes
    ----------
    copies : tuple of str
        The copy of the series that each filters.
    slopes : tuple of str
        Whether its forecast has a slope. Experts that filter nothing are of the same kind in both.
    """

    copies: tuple[str, ...]
    slopes: tuple[str, ...]


def expert_kinds(bank: Bank, positive: bool, others: int = 0) -> ExpertKinds:
    """Kinds of the experts of a bank.

    Parameters
    ----------
    bank, positive
        As for `experts.expert_copies`.
    others : int, default=0
        Further experts, each of a kind of its own.

    Examples
    --------
    >>> kinds = expert_kinds(Bank((12,), (3, 13, 24), with_log=False), positive=False)
    >>> list(dict.fromkeys(kinds.copies))
    ['as it is', 'less its season', 'last cycles', 'its changes']
    >>> list(dict.fromkeys(kinds.slopes)), kinds.slopes.count("sloping")
    (['flat', 'sloping', 'last cycles', 'its changes'], 100)
    """
    copies = expert_copies(bank, positive)
    filters = ["sloping" if slope.share > 0 else "flat" for slope in SLOPES for _ in LEVELS]
    filters += ["flat"] * (N_FILTERS - len(filters))  # returns
    slopes = [
        copy if copy in _UNFILTERED else filters[place % N_FILTERS]
        for place, copy in enumerate(copies)
    ]
    own = [f"further {number}" for number in range(others)]
    return ExpertKinds((*copies, *own), (*slopes, *own))


def tempered_by_kind(weights: np.ndarray, kinds: ExpertKinds) -> np.ndarray:
    """Weights that are less sure of a kind, first of copies and then of slopes.

    Parameters
    ----------
    weights : ndarray of shape (..., E)
        Non-negative with sum one.
    kinds : ExpertKinds

    Returns
    -------
    ndarray of shape (..., E)
        With sum one.

    Examples
    --------
    >>> kinds = ExpertKinds(("a", "a", "b"), ("flat", "flat", "flat"))
    >>> tempered_by_kind(np.array([0.4, 0.24, 0.36]), kinds).round(3)
    array([0.357, 0.214, 0.429])
    """
    of_copies = _tempered(weights, kinds.copies, _OF_COPIES)
    return _tempered(of_copies, kinds.slopes, _OF_SLOPES)


def _tempered(weights: np.ndarray, kinds: Sequence[str], power: float) -> np.ndarray:
    belongs = np.array(kinds)[:, None] == np.unique(kinds)  # (E, kinds)
    shares = np.maximum(weights @ belongs, _LEAST_SHARE)
    of_kind: np.ndarray = weights * (shares ** (power - 1) @ belongs.T)
    return of_kind / of_kind.sum(axis=-1, keepdims=True)

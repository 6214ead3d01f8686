"""Running mean and covariance of rows that come in blocks.

m rows X with mean x and covariance S join what has the weight n, mean mu and covariance C by

    n <- f n        N = n + m        gap = x - mu
    mu <- mu + gap m / N
    C  <- (n C + m S + gap gap' n m / N) / N

with f the weight of a block relative to the one after it. Within a block all rows count the same,
so that their order does not matter.

Cost      O(m d**2) for a block, O(d**2) memory. `klforecast.ops.online` keeps O(k d) instead, at
          the price of a singular value decomposition for each block.
See       Chan, Golub & LeVeque 1983, The American Statistician 37, 242-247 (joining two blocks).
"""

from typing import NamedTuple

from torch import Tensor

from klforecast.ops.linalg import require_finite
from klforecast.ops.precision import like


class RunningCovariance(NamedTuple):
    """Statistics of the rows seen so far."""

    mean: Tensor  # (d,)
    covariance: Tensor  # (d, d), divided by the weight
    weight: Tensor  # (), sum of the weights of the rows


def absorb_block(
    state: RunningCovariance,
    rows: Tensor,  # (m, d)
    forgetting: float = 1.0,
) -> RunningCovariance:
    """Add a block of rows to running statistics.

    Parameters
    ----------
    state : RunningCovariance
        What was seen so far; zeros for nothing. It is not changed.
    rows : Tensor of shape (m, d)
        In any order. m = 0 returns the state as it is.
    forgetting : float, default=1.0
        Weight of an earlier block relative to this one, in (0, 1]. With 1 the statistics are those
        of all rows, however they were cut into blocks.

    Returns
    -------
    RunningCovariance
        Detached from any graph.

    Raises
    ------
    ValueError
        If a row is not finite.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.covariance import RunningCovariance, absorb_block
    >>> nothing = RunningCovariance(torch.zeros(1), torch.zeros(1, 1), torch.tensor(0.0))
    >>> state = absorb_block(nothing, torch.tensor([[1.0], [3.0]]))
    >>> state = absorb_block(state, torch.tensor([[2.0], [6.0]]))
    >>> state.mean, state.covariance
    (tensor([3.]), tensor([[3.5000]]))
    """
    require_finite(rows, "the new rows")
    if len(rows) == 0:
        return state
    rows = like(rows.detach(), state.mean)
    m, n = len(rows), forgetting * state.weight
    total = n + m
    row_mean = rows.mean(dim=0)
    centred = rows - row_mean
    gap = row_mean - state.mean
    scatter = n * state.covariance + centred.mT @ centred + gap.outer(gap) * (n * m / total)
    return RunningCovariance(state.mean + gap * (m / total), scatter / total, total)

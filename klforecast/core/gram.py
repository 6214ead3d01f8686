"""The exact Gram matrix of all sliding windows of a series, without making the windows.

    G[i, j] = sum_{t = 0}^{n - 1} y[t + i] y[t + j]          i, j < length,   n = T - length + 1 windows

Two neighbours on a diagonal differ by the products that the last window brings and the first one leaves behind,

    G[i + 1, j + 1] = G[i, j] + y[n + i] y[n + j] - y[i] y[j],

so the first row (a correlation, by FFT) and the two ends of the series hold the whole matrix: O(T log T) for the row
and O(length^2) for the rest, where the plain product of all windows costs O(T length^2).

Where the window that starts at t counts f^(n - 1 - t), the newest one 1, a step along a diagonal makes every window
one older, and the recurrence stays exact:

    G[i + 1, j + 1] = f G[i, j] + y[n + i] y[n + j] - f^n y[i] y[j].

Letters   T time steps, C channels, n windows, L = length of a window
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.core.moments import WindowMoments

_ROUNDING = 1e-10  # of the energy of the windows


class PooledMoments(NamedTuple):
    """Moments of the windows of many series, whose size does not depend on how many there are.

    Attributes
    ----------
    products : Tensor of shape (C, L)
        First rows of the Gram matrices, summed over series.
    steps : Tensor of shape (C, L - 1, L - 1)
        What a step along a diagonal adds, ``tail' tail - f^n head' head`` summed over series.
    n_windows : int
        Number of windows.
    forgetting : float
        Weight of a window relative to the next newer one.
    """

    products: Tensor
    steps: Tensor
    n_windows: int
    forgetting: float


def pool_moments(moments: Sequence[WindowMoments], channels: int | None = None) -> PooledMoments:
    """Moments of many series as one, whose Gram matrix is the sum of theirs.

    Parameters
    ----------
    moments : sequence of WindowMoments
        At least one, with the same windows and forgetting.
    channels : int, optional
        Of each series, where moments are of several series side by side; None takes all channels for one series.

    Returns
    -------
    PooledMoments

    Notes
    -----
    O(C L^2) for each series, and as much memory in all.

    Examples
    --------
    >>> import torch
    >>> from klforecast.core.moments import window_moments
    >>> one, two = (window_moments(torch.arange(n)[:, None], 2) for n in (5.0, 9.0))
    >>> pooled = add_pooled(pool_moments([one]), pool_moments([two]))
    >>> torch.equal(window_gram(pooled), window_gram([one, two]))
    True
    """
    width = len(moments[0].products) if channels is None else channels
    picks = [slice(channel, None, width) for channel in range(width)]
    rows, steps = zip(*(_first_row_and_step(moments, pick) for pick in picks), strict=True)
    return PooledMoments(
        torch.stack(rows),
        torch.stack(steps),
        sum(len(part.products) // width * part.n_windows for part in moments),
        moments[0].forgetting,
    )


def add_pooled(first: PooledMoments, second: PooledMoments) -> PooledMoments:
    """Moments of the series of both."""
    return PooledMoments(
        first.products + second.products,
        first.steps + second.steps,
        first.n_windows + second.n_windows,
        first.forgetting,
    )


def window_gram(
    moments: Iterable[WindowMoments] | PooledMoments, channel: int | None = None
) -> Tensor:
    """Gram matrix of all windows of all given series, of one channel or summed over channels.

    Parameters
    ----------
    moments : iterable of WindowMoments, or PooledMoments
        One for each series, with the same forgetting; the Gram matrices of several series add up.
    channel : int, optional
        The channel; None sums over all of them.

    Returns
    -------
    Tensor of shape (L, L), float64
        Symmetric, positive semi-definite up to rounding.

    Notes
    -----
    Cost O(L^2) time and memory for each call, plus O(L^2) for each series and channel.

    Examples
    --------
    >>> import torch
    >>> from klforecast.core.moments import window_moments
    >>> series = torch.tensor([[1.0], [2.0], [4.0]])
    >>> window_gram([window_moments(series, 2)])
    tensor([[ 5., 10.],
            [10., 20.]], dtype=torch.float64)
    """
    pick = slice(None) if channel is None else slice(channel, channel + 1)
    if isinstance(moments, PooledMoments):
        first_row, step = moments.products[pick].sum(dim=0), moments.steps[pick].sum(dim=0)
        forgetting = moments.forgetting
    else:
        parts = list(moments)
        first_row, step = _first_row_and_step(parts, pick)
        forgetting = parts[0].forgetting
    length = len(first_row)
    # A row of length + 1 starts on the diagonal, so that diagonals run down its columns. Where they have ended, columns
    # go on with what lies below the diagonal of the matrix, which is not read.
    diagonals = first_row.new_zeros(length, length + 1)
    gram = diagonals.view(-1)[: length * length].view(length, length)
    gram[0], gram[1:, 1:] = first_row, step
    if forgetting == 1:
        diagonals.cumsum_(dim=0)
    else:
        for older, newer in pairwise(diagonals):
            newer.add_(older, alpha=forgetting)
    return gram.triu_().add_(gram.triu(1).T)


def _first_row_and_step(
    moments: Sequence[WindowMoments], pick: slice
) -> tuple[Tensor, Tensor]:  # (L,), (L - 1, L - 1)
    """First row of the Gram matrix of some channels, and what a step along a diagonal adds."""
    first_row = torch.stack([part.products[pick].sum(dim=0) for part in moments]).sum(dim=0)
    forgetting = moments[0].forgetting
    head = torch.cat([forgetting ** (part.n_windows / 2) * part.head[pick] for part in moments])
    tail = torch.cat([part.tail[pick] for part in moments])
    return first_row, torch.addmm(head.T @ head, tail.T, tail, beta=-1.0)


def fold_gram(gram: Tensor, period: int) -> Tensor:  # (n * period, n * period) -> (n, n)
    """Gram matrix over whole cycles: the windows seen as cycles x phase, all phases pooled.

    ``F[n, m] = sum_p G[n P + p, m P + p]``: the Karhunen-Loeve view of a window as a matrix of cycles.

    Raises
    ------
    ValueError
        If the size of the matrix is not a multiple of the period.
    """
    size = len(gram)
    if size % period:
        raise ValueError(
            f"a Gram matrix of {size} steps has no whole number of cycles of {period} steps; pad it first"
        )
    cycles = gram.reshape(size // period, period, size // period, period)
    return torch.einsum("npmp->nm", cycles)


def center_gram(gram: Tensor, level: Tensor, ones: Tensor | None = None) -> Tensor:
    """Gram matrix of the windows after each was centred by its own level ``level @ window``.

    Centring is the linear map I - 1 level', so it acts on the Gram matrix from both sides.

    Parameters
    ----------
    gram : Tensor of shape (L, L)
    level : Tensor of shape (L,)
        Gives 1 for the window that is one everywhere.
    ones : Tensor of shape (L,), optional
        The window that is one everywhere, where the matrix is one of coordinates.

    Returns
    -------
    Tensor of shape (L, L)
        Zero where windows are constant up to rounding, 1e-10 of their energy: rounding errors have no inverse.
    """
    one = torch.ones_like(level) if ones is None else ones
    projected = gram @ level
    # Half of the constant term on either side leaves one product of rank two to subtract.
    shift = projected - 0.5 * (projected @ level) * one
    centred = torch.addmm(
        gram, torch.stack([one, shift], dim=1), torch.stack([shift, one]), alpha=-1.0
    )
    if centred.trace() <= _ROUNDING * gram.trace():
        return torch.zeros_like(gram)
    return centred

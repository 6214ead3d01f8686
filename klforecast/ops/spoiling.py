"""What is not finite spoils what comes after it, and nothing before it.

A recurrence runs in chunks as products with matrices that are zero above the diagonal. Zero times
NaN is NaN: one such step would spoil those before it in its chunk. So it is set apart,

    z[s] = 0 x[s]        x[s] <- 0 where x[s] is not finite        y[t] <- y[t] + sum_{s <= t} z[s]

where z is zero for a finite step and NaN for any other.
"""

import torch
from torch import Tensor


def set_apart(time: int, *terms: Tensor) -> tuple[list[Tensor], Tensor]:
    """Replace what is not finite by zeros, and say from where on there was such a step.

    Parameters
    ----------
    time : int
        Dimension of the steps, the same in all terms; dimension 0 is the batch.
    *terms : Tensor of shape (batch, ..., length, ...)
        Real or complex.

    Returns
    -------
    terms : list of Tensor
        The same without NaN and infinite entries.
    spoiled : Tensor of shape (batch, length)
        Zero before the first step of a sequence with such an entry in any term, NaN from it on.

    Examples
    --------
    >>> [x], spoiled = set_apart(1, torch.tensor([[1.0, float("inf"), 3.0]]))
    >>> x, spoiled
    (tensor([[1., 0., 3.]]), tensor([[0., nan, nan]]))
    """
    marks = [_over_the_rest(0 * term.detach().abs(), time) for term in terms]
    cleaned = [term.where(term.isfinite(), 0.0) for term in terms]
    return cleaned, torch.stack(marks).sum(dim=0).cumsum(dim=1)


def _over_the_rest(values: Tensor, time: int) -> Tensor:  # -> (batch, length)
    return values.movedim(time, 1).flatten(2).sum(dim=2) if values.dim() > 2 else values

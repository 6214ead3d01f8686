"""Sizes that cannot be, refused before anything is computed with them."""

from numbers import Integral
from typing import Any


def require_positive(**sizes: Any) -> None:
    """Raise a ValueError for the first size that is not a whole number above zero.

    Parameters
    ----------
    **sizes
        By the names that the message shall have.

    Raises
    ------
    ValueError
        If a size is no integer, or below 1.

    Examples
    --------
    >>> require_positive(n_modes=4, n_layers=0)
    Traceback (most recent call last):
        ...
    ValueError: got n_layers=0; pass a whole number of at least 1
    """
    for name, size in sizes.items():
        whole = isinstance(size, Integral) and not isinstance(size, bool)
        if not whole or size < 1:
            raise ValueError(f"got {name}={size!r}; pass a whole number of at least 1")


def require_steps(length: int) -> None:
    """Raise a ValueError for sequences without a step.

    Parameters
    ----------
    length : int
        Steps of every sequence of a batch. The batch itself may be empty.

    Raises
    ------
    ValueError
        If `length` is below 1.
    """
    if length < 1:
        raise ValueError(
            f"got sequences of length {length}; pass at least one step, or leave them out of the batch"
        )


def require_depth(past: Any, depth: int) -> None:
    """Raise a ValueError where a past, (batch, depth, channels), has another number of steps.

    Examples
    --------
    >>> import torch
    >>> require_depth(torch.zeros(2, 3, 1), depth=4)
    Traceback (most recent call last):
        ...
    ValueError: got a past of 3 steps; pass the 4 before the cutoff
    """
    if past.shape[1] != depth:
        raise ValueError(f"got a past of {past.shape[1]} steps; pass the {depth} before the cutoff")

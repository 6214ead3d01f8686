"""Sliding windows as views: overlapping rows are shared, never copied.

A series of `time` rows has ``time - length + 1`` windows of `length` steps, and none when it is
shorter than one window.
"""

from typing import overload

import numpy as np
from torch import Tensor


@overload
def sliding_windows(series: Tensor, length: int) -> Tensor: ...
@overload
def sliding_windows(series: np.ndarray, length: int) -> np.ndarray: ...
def sliding_windows(series: Tensor | np.ndarray, length: int) -> Tensor | np.ndarray:
    """View a series as all its windows of `length` steps, one step apart.

    Costs O(1) time and memory: window ``i`` is ``series[i : i + length]`` itself. Do not write to
    it; the view of an array is read-only.

    Parameters
    ----------
    series : Tensor or ndarray of shape (time, channels)
    length : int
        Length of a window, in steps.

    Returns
    -------
    Tensor or ndarray of shape (max(time - length + 1, 0), length, channels)
        Of the type of `series`.

    Raises
    ------
    ValueError
        If `series` is not two-dimensional or `length` is below 1.

    Examples
    --------
    >>> import torch
    >>> sliding_windows(torch.arange(4.0)[:, None], 3)[..., 0]
    tensor([[0., 1., 2.],
            [1., 2., 3.]])
    """
    if series.ndim != 2:
        raise ValueError(f"series must have shape (time, channels), got {tuple(series.shape)}")
    if length < 1:
        raise ValueError(f"a window must have at least 1 step, got length={length}")
    if len(series) < length:
        shape = (0, length, series.shape[1])
        if isinstance(series, Tensor):
            return series.new_empty(shape)
        return np.empty(shape, dtype=series.dtype)
    if isinstance(series, Tensor):
        return series.unfold(0, length, 1).transpose(1, 2)
    return np.lib.stride_tricks.sliding_window_view(series, length, axis=0).swapaxes(1, 2)

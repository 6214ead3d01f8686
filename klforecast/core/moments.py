"""What a series must remember of its sliding windows so that their Gram matrix can be written down at any time.

Kept are the first row of the matrix and the two ends of the series (see `gram`): rows are appended and taken
away, and the whole is moved to another scale, at a cost that does not depend on how long the series was before.

Letters   T time steps, C channels, n windows, L = length of a window
"""

from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 1 << 18  # values of one FFT: bounds the memory for long series, some 20 MB


class WindowMoments(NamedTuple):
    """What a series must remember so that its window Gram matrix can be written down at any time.

    Attributes
    ----------
    products : Tensor of shape (C, L)
        First row of the Gram matrix, ``sum_t y[t] y[t + j]`` over the starts of all windows.
    sums : Tensor of shape (C,)
        ``sum_t y[t]`` over the starts of all windows.
    head, tail : Tensor of shape (C, L - 1)
        The first `L - 1` rows, and the `L - 1` rows from the first one that starts no window.
    n_windows : int
        Number of windows.
    forgetting : float
        Weight of a window relative to the next newer one; it weighs the terms of both sums.
    """

    products: Tensor
    sums: Tensor
    head: Tensor
    tail: Tensor
    n_windows: int
    forgetting: float


def window_moments(series: Tensor, length: int, forgetting: float = 1.0) -> WindowMoments:
    """Moments of all windows of `length` rows of one series, in float64.

    Parameters
    ----------
    series : Tensor of shape (T, C)
        The series; channels do not interact.
    length : int
        Rows of a window, at least 1 and at most T.
    forgetting : float, default=1.0
        Weight of a window relative to the next newer one, in (0, 1]; the newest one has weight 1.

    Raises
    ------
    ValueError
        If the series is shorter than one window.

    Notes
    -----
    Cost O(C T log(L)) time; the memory does not grow with T beyond the series itself.

    Examples
    --------
    >>> import torch
    >>> window_moments(torch.arange(5.0)[:, None], 2).products
    tensor([[14., 20.]], dtype=torch.float64)
    """
    rows = len(series)
    if not 1 <= length <= rows:
        raise ValueError(
            f"a series of {rows} rows has no window of {length} rows; pass a length from 1 to {rows}"
        )
    y = series.double().T  # (C, T)
    count = rows - length + 1
    weights = _weights(count, forgetting)
    products = torch.zeros(y.shape[0], length, dtype=torch.float64)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        at_once = max(1, _CHUNK // (stop - start))
        for some in range(0, len(y), at_once):
            both = y[some : some + at_once, start : stop + length - 1]
            first = both[:, : stop - start] * weights[start:stop]
            products[some : some + at_once] += _correlation(first, both)
    return WindowMoments(
        products,
        y[:, :count] @ weights,
        y[:, : length - 1].clone(),
        y[:, count : count + length - 1].clone(),
        count,
        forgetting,
    )


def _weights(count: int, forgetting: float) -> Tensor:  # (count,), the newest last
    return forgetting ** torch.arange(count - 1, -1, -1, dtype=torch.float64)


def _correlation(first: Tensor, second: Tensor) -> Tensor:  # (..., m), (..., m + L - 1) -> (..., L)
    """``sum_t first[t] second[t + j]`` for every shift j that stays inside."""
    size = 1 << (second.shape[-1] - 1).bit_length()
    spectrum = torch.fft.rfft(first, size).conj() * torch.fft.rfft(second, size)
    # second is no longer than the transform, so the shifts j >= 0 that are kept never wrap around.
    return torch.fft.irfft(spectrum, size)[..., : second.shape[-1] - first.shape[-1] + 1]


def extend_moments(moments: WindowMoments, rows: Tensor) -> WindowMoments:  # rows: (m, C)
    """Moments after `rows` were appended to the series: O(m C L), whatever the length of the past.

    Notes
    -----
    Equal to `window_moments` of the whole series up to float64 rounding.
    """
    length = moments.products.shape[-1]
    recent = torch.cat(
        [moments.tail, rows.double().T], dim=1
    )  # starts at the first row that starts no window
    weights = _weights(len(rows), moments.forgetting)
    starts = recent[:, : len(rows)]
    kept = moments.forgetting ** len(rows)
    return moments._replace(
        products=kept * moments.products + _correlation(starts * weights, recent),
        sums=kept * moments.sums + starts @ weights,
        tail=recent[:, recent.shape[1] - (length - 1) :].clone(),
        n_windows=moments.n_windows + len(rows),
    )


def shorten_moments(moments: WindowMoments, rows: Tensor, count: int) -> WindowMoments:
    """Moments of the series before its `count` newest rows: O(C (L + m) log L), whatever the length of the past.

    Parameters
    ----------
    moments : WindowMoments
        Of the whole series.
    rows : Tensor of shape (count + L - 1, C)
        Its newest rows.
    count : int
        At least 1, and fewer than there are windows.

    Returns
    -------
    WindowMoments

    Notes
    -----
    Equal to `window_moments` of the shorter series up to the rounding of the sums that are taken apart.

    Examples
    --------
    >>> import torch
    >>> series = torch.arange(6.0)[:, None]
    >>> shorten_moments(window_moments(series, 2), series[-3:], 2).products
    tensor([[5., 8.]], dtype=torch.float64)
    """
    length = moments.products.shape[-1]
    newest = rows.double().T  # starts at the first window that is left out
    weights = _weights(count, moments.forgetting)
    starts = newest[:, :count]
    kept = moments.forgetting**-count
    return moments._replace(
        products=kept * (moments.products - _correlation(starts * weights, newest)),
        sums=kept * (moments.sums - starts @ weights),
        tail=newest[:, : length - 1].clone(),
        n_windows=moments.n_windows - count,
    )


def rescale_moments(moments: WindowMoments, scale: Tensor, shift: Tensor) -> WindowMoments:
    """Moments of the series ``scale y + shift``, without the series.

    With a the scale, b the shift, W the sum of the weights of all windows and s[j] the weighted sum of their steps j,

        sum_t w_t (a y[t] + b) (a y[t + j] + b) = a^2 products[j] + a b (s[0] + s[j]) + b^2 W,
        s[0] = sums,    s[j + 1] = f s[j] + tail[j] - f^n head[j].

    Parameters
    ----------
    moments : WindowMoments
        Of y.
    scale, shift : Tensor of shape (C,)
        One number for each channel.

    Returns
    -------
    WindowMoments

    Notes
    -----
    Cost O(C L). Where |shift| is large the level drowns the rest: rounding errors grow with its square.

    Examples
    --------
    >>> import torch
    >>> series = torch.tensor([[1.0], [2.0], [4.0]])
    >>> two, three = torch.tensor([2.0]), torch.tensor([3.0])
    >>> rescale_moments(window_moments(series, 2), two, three).products
    tensor([[ 74., 112.]], dtype=torch.float64)
    >>> window_moments(2 * series + 3, 2).products
    tensor([[ 74., 112.]], dtype=torch.float64)
    """
    f, n = moments.forgetting, moments.n_windows
    a, b = scale.double()[:, None], shift.double()[:, None]
    total = n if f == 1 else (1 - f**n) / (1 - f)
    sums = _step_sums(moments)
    return moments._replace(
        products=a**2 * moments.products + a * b * (sums[:, :1] + sums) + b**2 * total,
        sums=(a * sums[:, :1] + b * total)[:, 0],
        head=a * moments.head + b,
        tail=a * moments.tail + b,
    )


def _step_sums(moments: WindowMoments) -> Tensor:  # (C, L)
    """Weighted sums of each step of all windows."""
    f, first = moments.forgetting, moments.sums[:, None]
    gains = moments.tail - f**moments.n_windows * moments.head
    if f == 1:
        return torch.cat([first, gains], dim=1).cumsum(dim=1)
    steps = [moments.sums]
    for gain in gains.T:
        steps.append(f * steps[-1] + gain)
    return torch.stack(steps, dim=1)

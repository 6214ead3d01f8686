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
from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 1 << 18  # values of one FFT: bounds the memory for long series, some 20 MB
_ROUNDING = 1e-10  # of the energy of the windows


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
    gram = first_row.new_empty(length, length)
    gram[0] = first_row
    for i in range(length - 1):
        torch.add(step[i, i:], gram[i, i:-1], alpha=forgetting, out=gram[i + 1, i + 1 :])
    return gram.triu_().add_(gram.triu(1).T.clone())


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

"""Moments of a series from those of stretches of its time."""

import torch

from klforecast.core.moments import WindowMoments, window_moments


def join_moments(earlier: WindowMoments, later: WindowMoments) -> WindowMoments:
    """Moments of one series from those of two stretches of it, the later one right after the earlier one.

    The windows across the border lie in the last L - 1 rows before it and the first L - 1 rows after it,
    which both stretches keep.

    Parameters
    ----------
    earlier, later : WindowMoments
        Of windows of the same length and forgetting, in the same scale.

    Returns
    -------
    WindowMoments

    Notes
    -----
    Equal to `window_moments` of the whole series up to float64 rounding. O(C L log L).

    Examples
    --------
    >>> series = torch.arange(9.0)[:, None]
    >>> joined = join_moments(window_moments(series[:4], 3), window_moments(series[4:], 3))
    >>> torch.allclose(joined.products, window_moments(series, 3).products)
    True
    """
    length, forgetting = earlier.products.shape[-1], earlier.forgetting
    if length == 1:
        across = earlier._replace(
            products=torch.zeros_like(earlier.products),
            sums=torch.zeros_like(earlier.sums),
            n_windows=0,
        )
    else:
        border = torch.cat([earlier.tail, later.head], dim=1).T
        across = window_moments(border, length, forgetting)
    of_across = forgetting**later.n_windows
    of_earlier = forgetting ** (later.n_windows + across.n_windows)
    return WindowMoments(
        of_earlier * earlier.products + of_across * across.products + later.products,
        of_earlier * earlier.sums + of_across * across.sums + later.sums,
        earlier.head,
        later.tail,
        earlier.n_windows + across.n_windows + later.n_windows,
        forgetting,
    )

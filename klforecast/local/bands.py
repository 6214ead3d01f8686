"""A series as a sum of bands: what happens within days, within a week, within a month, and the level that is left.

    s_0 = y,      s_{j+1, t} = (s_{j, t - 2^j} + 2 s_{j, t} + s_{j, t + 2^j}) / 4,      band_j = s_j - s_{j+1}

Source    the undecimated wavelet transform "a trous": Holschneider et al. (1989), doi:10.1007/978-3-642-97177-8_28; the
          linear spline as its kernel: Starck & Murtagh (2006), Astronomical Image and Data Analysis.
Letters   T rows, C channels, B bands
"""

import numpy as np


def widening_bands(rows: np.ndarray, count: int) -> np.ndarray:  # (T, C) -> (B, T, C)
    """Bands of a series, the narrowest first; what they leave is its level.

    Parameters
    ----------
    rows : ndarray of shape (T, C)
        NaN where nothing was observed.
    count : int
        Band j holds what happens within some 2^j rows.

    Returns
    -------
    ndarray of shape (count, T, C)
        NaN where a band looks beyond an end of the series, by 2^(j+1) - 1 rows, and where nothing was observed; gaps
        are bridged by lines for their neighbours.

    Notes
    -----
    O(T C) for each band.

    Examples
    --------
    >>> line = np.arange(8.0)[:, None]
    >>> line[4] += 8
    >>> widening_bands(line, 1)[0, :, 0]
    array([nan,  0.,  0., -2.,  4., -2.,  0., nan])
    """
    bands = np.empty((count, *rows.shape))
    missing, finer = np.isnan(rows), _bridged(rows)
    for number in range(count):
        coarser = _smoothed(finer, 2**number)
        bands[number] = np.where(missing, np.nan, finer - coarser)
        finer = coarser
    return bands


def local_means(rows: np.ndarray, reach: int) -> np.ndarray:  # (T, C)
    """Means over `reach` rows before and after each; NaN where nothing was observed.

    Examples
    --------
    >>> local_means(np.array([[1.0], [np.nan], [3.0], [8.0]]), reach=1)[:, 0]
    array([1. , 2. , 5.5, 5.5])
    """
    known = np.isfinite(rows)
    sums, counts = (
        np.cumsum(np.pad(part, ((1, 0), (0, 0))), axis=0)
        for part in (np.where(known, rows, 0.0), known.astype(np.float64))
    )
    places = np.arange(len(rows))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(rows))
    total, count = sums[last] - sums[first], counts[last] - counts[first]
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _bridged(rows: np.ndarray) -> np.ndarray:
    bridged = rows.copy()
    for channel in bridged.T:
        known = np.flatnonzero(np.isfinite(channel))
        if len(known):
            within = slice(known[0], known[-1] + 1)
            channel[within] = np.interp(np.arange(known[0], known[-1] + 1), known, channel[known])
    return bridged


def _smoothed(rows: np.ndarray, apart: int) -> np.ndarray:
    smoothed = np.full_like(rows, np.nan)
    if len(rows) > 2 * apart:
        neighbours = rows[: -2 * apart] + rows[2 * apart :]
        smoothed[apart:-apart] = (neighbours + 2 * rows[apart:-apart]) / 4
    return smoothed

"""Missing values of a series by their conditional mean, given the values around them.

The series is taken as stationary with autocovariance c and an unknown level. In a segment of w steps its covariance is

    S[i, j] = c(|i - j|) + c(0) + n [i = j]          n = 0.3 (c(0) - c(1)), noise that no neighbour can tell

and the missing values m of the segment follow from the observed ones o by the best linear prediction (Kriging with
a diffuse level; for a Gaussian series the conditional mean),

    y_m = S_mo S_oo^-1 y_o = -Q_mm^-1 Q_mo y_o,      Q = S^-1.

The autocovariance comes from the series itself, its gaps filled by the mean cycle and straight lines. It is divided by
T at every lag, so it is positive semi-definite, and it knows no phase, so it serves any stretch of the series.

Letters   T time steps, C channels, w reach, n segments
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

# Runs of half a day missing, a tenth in all; squared error with a reach of 128, 256, 512 and 1,024 steps:
# ETTh1 .150 .140 .138 .144, ETTm1 .305 .244 .194 .196, weather .098 .082 .080 .074; CPU 1 : 2 : 5 : 20.
_CYCLES = 14
_SHORTEST = 256
_LONGEST = 512
_NOISE = 0.3  # of half the mean squared step from one value to the next
_ROUNDING = 1e-6  # of the variance, below which nothing is resolved


def gap_covariance(panel: Sequence[Tensor], period: int) -> Tensor:  # (T, C) each -> (C, w)
    """First row of S, the covariance within a segment, for every channel.

    Parameters
    ----------
    panel : sequence of Tensor of shape (time, channels)
        Standardised series; NaN where a value is missing.
    period : int
        Steps of one cycle; 1 for none.

    Returns
    -------
    Tensor of shape (C, w), float64
        w is 14 cycles, but from 256 to 512 steps.

    Notes
    -----
    O(C T log T) time for all series together.
    """
    reach = min(_LONGEST, max(_SHORTEST, _CYCLES * period))
    total = torch.zeros(panel[0].shape[1], reach, dtype=torch.float64)
    for series in panel:
        filled = interpolate(series.double(), period).T
        size = 1 << (len(series) + reach).bit_length()
        power = torch.fft.rfft(filled, size).abs() ** 2
        total += torch.fft.irfft(power, size)[:, :reach]
    covariance = total / sum(map(len, panel))
    variance = covariance[:, :1].clone()
    noise = _NOISE * (variance - covariance[:, 1:2]) + _ROUNDING * variance
    covariance += variance
    covariance[:, :1] += noise
    return torch.where(variance > 0, covariance, torch.eye(1, reach, dtype=torch.float64))


def interpolate(series: Tensor, period: int) -> Tensor:  # (T, C) -> (T, C)
    """Fill gaps by the mean cycle of the series and straight lines through what it leaves over.

    Beyond the first and the last observed value the line is level. A channel without any value becomes zero.
    """
    observed = torch.isfinite(series)
    if observed.all():
        return series
    values = torch.where(observed, series, 0.0)
    # Differences of the largest floats are none; those of numbers of size one are, and a power of two is exact.
    largest = values.abs().amax(dim=0)
    unit = torch.ldexp(torch.ones_like(largest), largest.frexp().exponent - 1)
    values = values / unit
    phase = torch.arange(len(series)) % period
    sums = torch.zeros(period, series.shape[1], dtype=series.dtype).index_add_(0, phase, values)
    counts = torch.zeros_like(sums).index_add_(0, phase, observed.to(series.dtype))
    everywhere = values.sum(dim=0) / observed.sum(dim=0).clamp(min=1)
    cycle = torch.where(counts > 0, sums / counts.clamp(min=1), everywhere)[phase]
    residual = torch.where(observed, values - cycle, 0.0)
    filled = torch.empty_like(residual)
    for channel, (known, value) in enumerate(zip(observed.T, residual.T, strict=True)):
        filled[:, channel] = _straight_lines(known, value)
    last = torch.finfo(series.dtype).max
    return torch.where(observed, series, ((filled + cycle) * unit).clamp(-last, last))


def _straight_lines(observed: Tensor, values: Tensor) -> Tensor:  # (T,), (T,) -> (T,)
    known = observed.nonzero()[:, 0]
    if len(known) == 0:
        return values
    time = torch.arange(len(values))
    after = torch.searchsorted(known, time).clamp(max=len(known) - 1)
    before = (torch.searchsorted(known, time, right=True) - 1).clamp(min=0)
    left, right = known[before], known[after]
    share = (time - left).clamp(min=0) / (right - left).clamp(min=1)
    return values[left] + share * (values[right] - values[left])


class GapFiller:
    """Conditional means of the missing values of a series, for any cutoff.

    Rows are looked at in segments of w steps that start every w / 2 steps, and each segment settles its middle half.
    Rows that are not settled before a cutoff come from the last segment before it, so that what is filled before a
    cutoff never depends on a row at or after it.

    Parameters
    ----------
    covariance : Tensor of shape (channels, w)
        Of :func:`gap_covariance`.

    Notes
    -----
    O(C w^3) time at the first gap, then O(min(missing, observed)^3 + w^2) for each segment and channel with
    a missing value. A segment without any value is filled with zero, the mean of the training rows.

    Examples
    --------
    >>> import torch
    >>> wave = torch.sin(torch.arange(300, dtype=torch.float64) * torch.pi / 6)[:, None]
    >>> gappy = wave.clone()
    >>> gappy[100:105] = torch.nan
    >>> filler = GapFiller(gap_covariance([gappy], period=12))
    >>> bool((filler.fill(gappy) - wave).abs().max() < 0.05)
    True
    """

    def __init__(self, covariance: Tensor):
        self.reach = covariance.shape[1]
        self._first_rows = covariance

    @cached_property
    def _covariance(self) -> Tensor:
        lag = torch.arange(self.reach)
        return self._first_rows[:, (lag[:, None] - lag).abs()]

    @cached_property
    def _precision(self) -> Tensor:
        return torch.cholesky_inverse(torch.linalg.cholesky(self._covariance))

    def first_row(self, cutoff: int, depth: int) -> int:
        """First row that has a say in the last `depth` rows before a cutoff; the segments start there too."""
        step = self.reach // 2
        return max(0, cutoff - depth - 2 * self.reach) // step * step

    def fill(self, series: Tensor) -> Tensor:  # (T, C) -> (T, C)
        """Fill all gaps of a series."""
        return self.before(series, self.settle(series), len(series), len(series))

    def settle(self, series: Tensor) -> Tensor:  # (T, C) -> (T, C)
        """Fill what no later cutoff will change; NaN stays in at most the last 3 w / 4 rows."""
        rows, step = series.clone(), self.reach // 2
        for start in range(0, len(series) - self.reach + 1, step):
            first = 0 if start == 0 else start + self.reach // 4
            segment = series[start : start + self.reach]
            self._fill(rows[first : start + 3 * step // 2], segment, first - start)
        return rows

    def before(self, series: Tensor, settled: Tensor, cutoff: int, depth: int) -> Tensor:
        """Fill the last `depth` rows before a cutoff from the rows before it, (min(depth, cutoff), C).

        Parameters
        ----------
        series, settled : Tensor of shape (time, channels)
            The series and what `settle` makes of it.
        cutoff : int
            From 1 to time.
        depth : int
        """
        start, step, border = max(0, cutoff - self.reach), self.reach // 2, 0
        if cutoff >= self.reach:
            border = start // step * step + 3 * step // 2
        first = max(0, cutoff - depth)
        rows = torch.cat([settled[first:border], series[max(first, border) : cutoff]])
        last = max(first, border)
        self._fill(rows[last - first :], series[start:cutoff], last - start)
        return rows

    def _fill(self, rows: Tensor, segment: Tensor, first: int) -> None:
        """Fill `rows`, those of the segment from `first` on, in place."""
        missing = torch.isnan(segment)
        stop = first + len(rows)
        for channel in missing[first:stop].any(dim=0).nonzero()[:, 0].tolist():
            mean = self._conditional_mean(channel, segment[:, channel], missing[:, channel])
            gaps = missing[first:stop, channel]
            rows[gaps, channel] = mean[first:stop][gaps]

    def _conditional_mean(self, channel: int, values: Tensor, gaps: Tensor) -> Tensor:
        missing, observed = gaps.nonzero()[:, 0], (~gaps).nonzero()[:, 0]
        known, mean = values[observed], torch.zeros_like(values)
        if len(missing) < len(observed) and len(values) == self.reach:
            precision = self._precision[channel][missing]
            mean[missing] = -_solve(precision[:, missing], precision[:, observed] @ known)
        elif len(observed):
            covariance = self._covariance[channel][: len(values)][:, observed]
            mean[missing] = covariance[missing] @ _solve(covariance[observed], known)
        return mean


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    return torch.cholesky_solve(right[:, None], torch.linalg.cholesky(matrix))[:, 0]

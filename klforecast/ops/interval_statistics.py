"""Statistics of a series, and of what is derived from it, over intervals of halving length.

    views       the series, its differences smoothed over five steps, its second differences, and
                the moduli of its Fourier transform
    intervals   the whole, its halves, quarters ...; and the same shifted by half of their length
    quantiles   evenly spaced from the smallest value to the largest, one for four steps; every
                second one less the mean of the interval
    spread      standard deviation
    slope       of the least-squares line, in units of the view a step

They say where in a series a level, a spread or a frequency differs, which pooling over all of the
time forgets. Views, intervals and quantiles after QUANT (Dempster, Schmidt & Webb 2024, arXiv
2308.00928); spread and slope, as in the time series forest (Deng et al. 2013), add to them, see
docs/method/spectral_ssm.md.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_STEPS = 8  # fewer leave a view without steps
_DEPTHS = 6  # of halving; as in QUANT
_STEPS_PER_QUANTILE = 4  # as in QUANT
_MOST_QUANTILES = 16  # of an interval, so that long series have no more features than others
_SMOOTHED = 5  # differences, as in QUANT


class Interval(NamedTuple):
    """Steps from `start` to before `stop` of a view, and how many quantiles are taken there.

    Of fewer than five steps there is one, the median, and neither spread nor slope.
    """

    view: int
    start: int
    stop: int
    quantiles: int

    @property
    def size(self) -> int:
        """How many statistics there are."""
        return self.quantiles + 2 if self.quantiles > 1 else 1


def views(
    values: Tensor,  # (..., steps), at least `LEAST_STEPS`
) -> tuple[Tensor, ...]:  # (..., steps of the view) each
    """The series and what is derived from it."""
    differences = values.diff(dim=-1)
    margin = (_SMOOTHED // 2, _SMOOTHED // 2)
    rows = F.pad(differences.reshape(-1, 1, differences.shape[-1]), margin, mode="replicate")
    smoothed = F.avg_pool1d(rows, _SMOOTHED, stride=1).reshape(differences.shape)
    return values, smoothed, differences.diff(dim=-1), torch.fft.rfft(values).abs()


def intervals(
    steps: int,  # of the series
) -> list[Interval]:
    """All intervals of all views of a series of so many steps.

    Examples
    --------
    >>> [(part.start, part.stop) for part in intervals(8) if part.view == 0][:4]
    [(0, 8), (0, 4), (4, 8), (2, 6)]
    """
    lengths = [view.shape[-1] for view in views(torch.zeros(steps))]
    return [
        Interval(view, start, stop, _n_quantiles(stop - start))
        for view, length in enumerate(lengths)
        for start, stop in _dyadic(length)
    ]


def interval_statistics(
    view: Tensor,  # (..., steps)
    interval: Interval,
) -> Tensor:  # (..., interval.size)
    """Quantiles of the values in one interval, their spread and slope; O(m log m) for m steps."""
    inside = view[..., interval.start : interval.stop]
    if interval.quantiles == 1:
        return inside.quantile(0.5, dim=-1, keepdim=True)
    levels = torch.linspace(0, 1, interval.quantiles, dtype=view.dtype)
    found = inside.quantile(levels, dim=-1).movedim(0, -1)
    found[..., 1::2] -= inside.mean(-1, keepdim=True)
    steps = torch.arange(inside.shape[-1], dtype=view.dtype)
    steps -= steps.mean()
    spread = inside.std(-1, correction=0, keepdim=True)
    slope = (inside @ steps / steps.square().sum())[..., None]
    return torch.cat([found, spread, slope], dim=-1)


def _dyadic(length: int) -> Iterator[tuple[int, int]]:
    """Starts and stops; a part has at least one step, one that is shifted at least two."""
    for depth in range(_DEPTHS):
        parts = 2**depth
        if parts > length:
            return
        equal = list(pairwise(round(part * length / parts) for part in range(parts + 1)))
        yield from equal
        shift = length // (2 * parts)
        if shift:
            yield from ((start + shift, stop + shift) for start, stop in equal[:-1])


def _n_quantiles(steps: int) -> int:
    return min(_MOST_QUANTILES, 1 + (steps - 1) // _STEPS_PER_QUANTILE)

"""Gains of a memory in percent of the error without it: means over seeds, and how many lie beyond chance.

gain = 100 (MSE without - MSE with) / MSE without         seed by seed, then mean and interval
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median, stdev
from typing import NamedTuple

from scipy.stats import t as student_t


class Estimate(NamedTuple):
    """A mean over seeds and half the width of its 95 % interval."""

    mean: float
    half_width: float  # NaN for one seed
    n_seeds: int

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of zero, else 0."""
        return 0 if not abs(self.mean) > self.half_width else int(math.copysign(1, self.mean))

    def __format__(self, spec: str) -> str:
        """Write the mean and, where there is one, the interval."""
        if math.isnan(self.half_width):
            return format(self.mean, spec)
        return f"{self.mean:{spec}} ± {self.half_width:{spec.lstrip('+')}}"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % t-interval over seeds.

    Examples
    --------
    >>> f"{estimate([1.0, 2.0, 3.0]):.1f}"
    '2.0 ± 2.5'
    >>> f"{estimate([1.0]):+.1f}"
    '+1.0'
    """
    n = len(values)
    if n < 2:
        return Estimate(fmean(values), math.nan, n)
    half = float(student_t.ppf(0.975, n - 1)) * stdev(values) / math.sqrt(n)
    return Estimate(fmean(values), half, n)


def paired_gain(without: Mapping[int, float], with_it: Mapping[int, float]) -> Estimate | None:
    """Gain over the seeds that both have; None where there is no such seed.

    Parameters
    ----------
    without, with_it : mapping of int to float
        Errors by seed.

    Examples
    --------
    >>> f"{paired_gain({0: 0.5, 1: 0.4}, {0: 0.4, 2: 0.1}):+.0f} %"
    '+20 %'
    """
    seeds = sorted(set(without) & set(with_it))
    if not seeds:
        return None
    return estimate([100 * (1 - with_it[seed] / without[seed]) for seed in seeds])


class Tally(NamedTuple):
    """How many gains are what: those above zero, and those beyond chance over seeds."""

    n: int
    n_above: int
    median: float
    n_helps: int
    n_harms: int


def tally(gains: Sequence[Estimate]) -> Tally:
    """Count gains.

    Examples
    --------
    >>> tally([estimate([5.0]), estimate([-2.0, -2.1]), estimate([1.0, -1.0])])
    Tally(n=3, n_above=1, median=0.0, n_helps=0, n_harms=1)
    """
    helps, harms = (sum(gain.sign == sign for gain in gains) for sign in (1, -1))
    above = sum(gain.mean > 0 for gain in gains)
    return Tally(len(gains), above, median(gain.mean for gain in gains), helps, harms)

"""Features of a series that say where something is: statistics over intervals, for trees.

Series are resampled to the middle length of the training part, so that an interval is the same share
of each. Of more features than memory allows for, intervals drawn at random are kept.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from klforecast.classify.filter_features import channel_scale
from klforecast.ops.interval_statistics import (
    LEAST_STEPS,
    Interval,
    interval_statistics,
    intervals,
    views,
)

_FEATURE_VALUES = 5e7  # memory of the features of a training part: rows times features
_VALUES_AT_ONCE = 2_000_000  # steps that are sorted at a time


class IntervalFeatures:
    """Statistics over intervals of every channel.

    Parameters
    ----------
    seed : int, default=0
        Draws intervals where there are too many.

    Attributes
    ----------
    mean_, scale_ : Tensor (channels, 1)
        Of the training part; features are in units of the deviation of a channel.
    length_ : int
        Steps that every series is resampled to.
    intervals_ : list of list of Interval
        Those of each channel.
    """

    seed: int
    mean_: Tensor
    scale_: Tensor
    length_: int
    intervals_: list[list[Interval]]

    def __init__(self, seed: int = 0):
        self.seed = seed

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> "IntervalFeatures":
        """Learn scales and length, and choose the intervals; labels are not looked at."""
        steps = torch.cat(list(series), dim=1)
        self.mean_ = steps.mean(1, keepdim=True)
        self.scale_ = channel_scale(steps)
        lengths = torch.tensor([values.shape[1] for values in series])
        self.length_ = max(LEAST_STEPS, int(lengths.median()))
        generator = torch.Generator().manual_seed(self.seed)
        candidates = [
            (channel, interval)
            for channel in range(len(steps))
            for interval in intervals(self.length_)
        ]
        affordable = _FEATURE_VALUES / len(series)
        self.intervals_ = [[] for _ in range(len(steps))]
        for number in torch.randperm(len(candidates), generator=generator).tolist():
            channel, interval = candidates[number]
            affordable -= interval.size
            if affordable >= 0 or not any(self.intervals_):
                self.intervals_[channel].append(interval)
        return self

    def keep(
        self,
        asked: Tensor,  # (features,), bool
    ) -> Tensor:  # (features,), their places among those that stay
        """Forget the intervals of which no feature is asked for; one stays in any case.

        Of many channels trees ask for few, and what is forgotten is not computed for new series.
        """
        sizes = torch.tensor([one.size for chosen in self.intervals_ for one in chosen])
        owner = torch.arange(len(sizes)).repeat_interleave(sizes)
        stays = torch.zeros(len(sizes), dtype=torch.bool)
        stays[owner[asked]] = True
        stays[0] |= not asked.any()
        verdicts = iter(stays.tolist())
        self.intervals_ = [[one for one in chosen if next(verdicts)] for chosen in self.intervals_]
        return stays[owner].cumsum(0) - 1

    def transform(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n, features), float32
        """Features of every series; those of one do not depend on the others."""
        at_once = max(1, _VALUES_AT_ONCE // (self.length_ * len(self.mean_)))
        return torch.cat(
            [self._some(series[i : i + at_once]) for i in range(0, len(series), at_once)]
        )

    def _some(self, series: Sequence[Tensor]) -> Tensor:
        values = torch.stack([self._resampled(one) for one in series])
        derived = views(values)
        # Of many channels those that share an interval are sorted at once.
        sharing: dict[Interval, list[int]] = {}
        for channel, chosen in enumerate(self.intervals_):
            for interval in chosen:
                sharing.setdefault(interval, []).append(channel)
        found = {
            interval: iter(
                interval_statistics(derived[interval.view][:, channels], interval).float().unbind(1)
            )
            for interval, channels in sharing.items()
        }
        return torch.cat([next(found[one]) for chosen in self.intervals_ for one in chosen], dim=1)

    def _resampled(self, values: Tensor) -> Tensor:  # (channels, length_)
        scaled = (values - self.mean_) / self.scale_
        return F.interpolate(scaled[None], self.length_, mode="linear", align_corners=True)[0]

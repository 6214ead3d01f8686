"""The second look at a part of a panel: the moments of all its windows, which add up to those of the panel.

    travels    2 C (L^2 + L) numbers, and the rows of at most 2,048 series       L: rows of a window, C channels

whatever the number of series and rows. Windows before the newest rows are summed apart, since the core is solved once
more without those, to be compared with local experts.
"""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from torch import Tensor

from klforecast.core.gram import PooledMoments, add_pooled, pool_moments
from klforecast.core.stream import moments_before, moments_now, scale_before, start_stream
from klforecast.distributed.agreement import Agreement
from klforecast.estimators.fitting import judged_keys
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.sampling import sample_keys
from klforecast.estimators.side_by_side import Block


class PartMoments(NamedTuple):
    """What the core is solved from.

    Attributes
    ----------
    whole : PooledMoments or None
        Of all windows; None where no series is as long as one.
    before : PooledMoments or None
        Of those before the newest rows.
    judged : dict of tuple to Tensor of shape (time, channels)
        Scaled rows of at most 2,048 of the series that have windows, by which experts are weighed.

    Examples
    --------
    See `part_moments`, which makes one.
    """

    whole: PooledMoments | None
    before: PooledMoments | None
    judged: dict[Key, Tensor]

    def merge(self, other: "PartMoments") -> "PartMoments":
        """Moments of both parts."""
        joined = self.judged | other.judged
        return PartMoments(
            _sum(self.whole, other.whole),
            _sum(self.before, other.before),
            {key: joined[key] for key in sorted(sample_keys(joined))},
        )

    def n_bytes(self) -> int:
        """What travels, in bytes."""
        pooled = [part for part in (self.whole, self.before) if part is not None]
        tensors = [*self.judged.values(), *(t for part in pooled for t in part[:2])]
        return sum(tensor.nbytes for tensor in tensors)


def part_moments(part: Mapping[Key, TimeSeries], agreed: Agreement) -> PartMoments:
    """Moments of the windows of some whole series.

    Parameters
    ----------
    part : mapping of tuple to TimeSeries
        As for `survey_part`.
    agreed : Agreement
        Of the whole panel.

    Notes
    -----
    O(C (T log L + L^2)) for each series of T rows.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from klforecast import KLMemoryForecaster
    >>> from klforecast.estimators.frames.panel import split_series
    >>> waves = np.sin(np.arange(60) * np.pi / 6)
    >>> parts = {name: pd.DataFrame({"y": size * waves}) for name, size in {"a": 1.0, "b": 3.0}.items()}
    >>> panel = split_series(pd.concat(parts, names=["id", "month"]))
    >>> forecaster = KLMemoryForecaster(horizon=3, local_experts=False)
    >>> from klforecast.distributed import agree, survey_part
    >>> agreed = agree(survey_part(panel), forecaster)
    >>> north, south = (part_moments({key: panel[key]}, agreed) for key in panel)
    >>> north.merge(south).n_bytes() < north.n_bytes() + south.n_bytes()
    True
    """
    plan, lag = agreed.plan, agreed.scale_lag
    blocks = agreed.separate(part).blocks
    # A block goes through as one series with the channels of all of its series.
    rows = {(place,): block.rows for place, block in enumerate(blocks)}
    statistics = {(place,): block.statistics for place, block in enumerate(blocks)}
    stream = start_stream(rows, statistics, plan, lag)
    whole, before = list(moments_now(stream).values()), []
    if agreed.spared:
        changes = {
            place: scale_before(wide, agreed.spared, plan.forgetting, lag)
            for place, wide in rows.items()
        }
        before = moments_before(stream, rows, changes, agreed.spared)
    channels = len(agreed.gap_covariance)
    judged = set(judged_keys({key: series.index for key, series in part.items()}, plan))
    return PartMoments(
        pool_moments(whole, channels) if whole else None,
        pool_moments(before, channels) if before else None,
        _rows_of(judged, blocks),
    )


def _rows_of(keys: Set[Key], blocks: Sequence[Block]) -> dict[Key, Tensor]:
    """Scaled rows of some of the series, in the order of their labels."""
    found: dict[Key, Tensor] = {}
    for block in blocks:
        apart = block.rows_apart()
        found |= {key: apart[key].clone() for key in keys & apart.keys()}
    return {key: found[key] for key in sorted(found)}


def _sum(first: PooledMoments | None, second: PooledMoments | None) -> PooledMoments | None:
    if first is None or second is None:
        return second if first is None else first
    return add_pooled(first, second)

"""The first look at a part of a panel: how long its series are, and a sample of them.

What has one answer for a whole panel is decided from the survey of all of it: cycles, the depth of the memory, how
gaps are filled, what local experts are like. Surveys of parts add up, in any order, to that of the panel.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from pandas.tseries.offsets import BaseOffset

from klforecast.estimators import checks
from klforecast.estimators.frames.indices import check_regular
from klforecast.estimators.frames.panel import Key, TimeSeries, name_series
from klforecast.estimators.sampling import sample_keys


class Survey(NamedTuple):
    """What is known of some series before anything is learned from them.

    Attributes
    ----------
    lengths : dict of int to int
        How many series have so many rows.
    sample : dict of tuple to TimeSeries
        Rows of at most 2,048 series, in the order of their labels.
    longest : TimeSeries
        The first of the longest series by its label.
    longest_key : tuple
        That label.
    frequency : offset or None
        Step of all times; None for whole numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from klforecast.estimators.frames.indices import check_regular
    >>> from klforecast.estimators.frames.panel import split_series
    >>> index = pd.MultiIndex.from_product([["a", "b"], [0, 1, 2]])
    >>> panel = split_series(pd.DataFrame({"y": range(6)}, index=index))
    >>> north, south = (survey_part({key: panel[key]}) for key in panel)
    >>> whole = south.merge(north)
    >>> whole.n_series, list(whole.sample)
    (2, [('a',), ('b',)])
    """

    lengths: dict[int, int]
    sample: dict[Key, TimeSeries]
    longest: TimeSeries
    longest_key: Key
    frequency: BaseOffset | None

    @property
    def n_series(self) -> int:
        """Series of the panel."""
        return sum(self.lengths.values())

    def row_counts(self) -> np.ndarray:  # (series,) int
        """Rows of every series, shortest first."""
        rows = np.array(sorted(self.lengths))
        return np.repeat(rows, [self.lengths[count] for count in rows])

    def merge(self, other: "Survey") -> "Survey":
        """The survey of both parts.

        Raises
        ------
        ValueError
            If the parts have other steps or channels, or a series in common.
        """
        if self.frequency != other.frequency:
            raise ValueError(
                f"one part has steps of {_name(self.frequency)}, another one of "
                f"{_name(other.frequency)}; name the step with freq, or bring both to one"
            )
        channels = self.longest.values.shape[1], other.longest.values.shape[1]
        if channels[0] != channels[1]:
            raise ValueError(
                f"one part has {channels[0]} channels, another one {channels[1]}; pass the same "
                "columns in every part"
            )
        both = self.sample.keys() & other.sample.keys()
        if both:
            raise ValueError(
                f"{name_series(min(both), 'the panel')} is in two parts; a part holds whole series: "
                "put all rows of each series into one part"
            )
        joined = self.sample | other.sample
        first, second = sorted((self, other), key=lambda part: part.longest_key)
        longer = second if len(second.longest.values) > len(first.longest.values) else first
        return Survey(
            dict(Counter(self.lengths) + Counter(other.lengths)),
            {key: joined[key] for key in sorted(sample_keys(joined))},
            longer.longest,
            longer.longest_key,
            self.frequency,
        )


def survey_part(part: Mapping[Key, TimeSeries], freq: BaseOffset | None = None) -> Survey:
    """Look at some whole series.

    Parameters
    ----------
    part : mapping of tuple to TimeSeries
        Rows of each series, at regular times, NaN where a value is missing.
    freq : offset, optional
        Step of the times, where it is known; None finds it from the longest series.

    Raises
    ------
    ValueError
        If there is no series, or one has fewer than two rows, no value in a channel, or rows off the grid.

    Examples
    --------
    >>> import pandas as pd
    >>> from klforecast.estimators.frames.panel import split_series
    >>> index = pd.MultiIndex.from_product([["a", "b"], [0, 1, 2]])
    >>> survey = survey_part(split_series(pd.DataFrame({"y": range(6)}, index=index)))
    >>> survey.lengths, survey.longest_key
    ({3: 2}, ('a',))
    """
    if not part:
        raise ValueError("a part holds no series; leave empty parts out")
    # Series share their times more often than not, and what is shared is looked at once.
    by_times = dict({id(series.index): (key, series) for key, series in part.items()}.values())
    frequency = checks.check_panel(by_times) if freq is None else freq
    if freq is not None:
        for key, series in by_times.items():
            check_regular(series.index, freq, name_series(key))
    columns = range(next(iter(part.values())).values.shape[1])
    checks.check_values(part, columns)
    longest = min(part, key=lambda key: (-len(part[key].values), key))
    return Survey(
        dict(Counter(len(series.values) for series in part.values())),
        {key: part[key] for key in sorted(sample_keys(part))},
        part[longest],
        longest,
        frequency,
    )


def _name(frequency: BaseOffset | None) -> str:
    return "1" if frequency is None else frequency.freqstr

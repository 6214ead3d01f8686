"""What all parts of a panel agree on before their moments are taken: made once, from the survey of the whole panel."""

from collections.abc import Mapping
from typing import NamedTuple

from pandas.tseries.offsets import BaseOffset
from torch import Tensor

from klforecast.core.plan import CorePlan
from klforecast.distributed.survey import Survey
from klforecast.estimators.cycles import local_seasons, long_season, outlier_seasons
from klforecast.estimators.fitting import measure
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.options import Options
from klforecast.estimators.parameters import check_parameters, check_sizes
from klforecast.estimators.planning import make_plan
from klforecast.estimators.returning import ReturningEffects
from klforecast.estimators.returning_rules import ReturningRule, rows_without, take_off_returning
from klforecast.estimators.shrinking import longest_horizon, shrink_horizon
from klforecast.estimators.side_by_side import Block, side_by_side
from klforecast.local.comparison import rows_spared
from klforecast.local.knowledge import PanelExtent
from klforecast.ops.missing import GapFiller
from klforecast.ops.outliers import without_outliers


class SeparatedPart(NamedTuple):
    """The series of a part without what returns in them.

    Attributes
    ----------
    blocks : list of Block
        In their scale and without gaps, those of equal length side by side.
    returning : ReturningEffects or None
        Trading days, days of the month, events of the year, or days of the week.
    """

    blocks: list[Block]
    returning: ReturningEffects | None


class Agreement(NamedTuple):
    """The shape of a fit.

    Attributes
    ----------
    plan : CorePlan
        Of the core.
    scale_lag : int or None
        Steps of the change that is the unit of each series; None for the standard deviation.
    seasons : tuple of int
        That local experts look at, in steps.
    spared : int
        Newest rows without which the core is solved once more; 0 where local experts are not asked.
    gap_covariance : Tensor of shape (channels, w)
        By which missing values are filled.
    extent : PanelExtent
        Number of series, and rows of the longest one.
    frequency : offset or None
        Step of all times; None for whole numbers.
    rule : TradingDays, Months, Years, Weeks or None, default=None
        How what returns in a series is found. In files of earlier versions nothing does.
    outlier_seasons : tuple of int or None, default=None
        Periods by which outliers are told; None where nobody looks for them, as in files of earlier versions.

    Examples
    --------
    See `agree`, which makes one.
    """

    plan: CorePlan
    scale_lag: int | None
    seasons: tuple[int, ...]
    spared: int
    gap_covariance: Tensor
    extent: PanelExtent
    frequency: BaseOffset | None
    rule: ReturningRule | None = None
    outlier_seasons: tuple[int, ...] | None = None

    def separate(self, part: Mapping[Key, TimeSeries]) -> SeparatedPart:
        """The series of a part in their scale, without gaps and without what returns in them."""
        values = {key: series.values for key, series in part.items()}
        returning = None
        if self.rule is not None:
            returning = self.rule.effects(part, values, self.frequency)
        rows = rows_without(part, values, returning)
        if self.outlier_seasons is not None:
            rows = without_outliers(rows, self.outlier_seasons)
        filler = GapFiller(self.gap_covariance)
        blocks = side_by_side(rows, self.plan.forgetting, self.scale_lag)
        return SeparatedPart([block.filled(filler) for block in blocks], returning)


def agree(survey: Survey, forecaster: KLMemoryForecaster) -> Agreement:
    """Decide what `KLMemoryForecaster.fit` would decide for the whole panel.

    Parameters
    ----------
    survey : Survey
        Of all parts.
    forecaster : KLMemoryForecaster
        Its arguments count; it stays as it is.

    Raises
    ------
    ValueError
        For arguments that make no sense, an encoder, which is trained and not solved, and a panel with a season
        that is longer than any window.

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
    >>> from klforecast.distributed import survey_part
    >>> agreed = agree(survey_part(panel), forecaster)
    >>> agreed.seasons, agreed.extent.series, [block.keys for block in agreed.separate(panel).blocks]
    ((12,), 2, [[('a',), ('b',)]])
    """
    parameters = forecaster.get_params(deep=False)
    longest = len(survey.longest.values)
    channels = survey.longest.values.shape[1]
    check_parameters(parameters)
    check_sizes(parameters, longest, channels)
    options = Options.of(parameters)
    if options.encoder is not None:
        raise ValueError(
            f"encoder={parameters['encoder']!r} is trained by epochs, and moments of parts say nothing of "
            'that; pass encoder="linear", or fit the encoder on one machine'
        )
    season = long_season(survey.longest.values, survey.frequency, options.period)
    if season > 1:
        raise ValueError(
            f"the longest series shows a season of {season} steps, which is longer than any window, and "
            "parts have no harmonics; pass period=1 or the period of a shorter cycle, or fit without parts"
        )
    horizon = shrink_horizon(options.horizon, longest)
    lengths = survey.row_counts().tolist()
    sampled = {key: series.values for key, series in survey.sample.items()}
    planned = make_plan(sampled, survey.frequency, horizon, options, lengths)
    rule = None
    taken = take_off_returning(survey.sample, sampled, survey.frequency, planned, options, lengths)
    if taken is not None:
        rule, sampled, planned = taken.rule, taken.residual, taken.plan
    scale_lag = horizon if survey.n_series > 1 else None
    seasons = local_seasons(planned.periods, survey.frequency, options.period)
    asked = min(options.horizon, longest_horizon(longest))
    told_by = None
    if options.clean_outliers:
        told_by = outlier_seasons(seasons, longest)
        sampled = without_outliers(sampled, told_by)
    return Agreement(
        planned.core,
        scale_lag,
        tuple(seasons),
        rows_spared(lengths, asked, seasons) if options.local_experts else 0,
        measure(sampled, planned.core, scale_lag).gap_covariance,
        PanelExtent(survey.n_series, longest),
        survey.frequency,
        rule,
        told_by,
    )

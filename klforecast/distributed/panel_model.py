"""A model of a whole panel, without its series: it forecasts any part of them.

What is learned from all series together is in the model. What a series has for itself, its scale, the weights of its
local experts and their share, is a function of its rows and of the model, found anew in the pass that forecasts.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from torch import nn

from klforecast.core.linear_core import LinearCore
from klforecast.core.solve import Solved, settled_plan, solve_from_moments, solve_from_weights
from klforecast.data.scaling import Standardizer
from klforecast.distributed.agreement import Agreement, SeparatedPart
from klforecast.distributed.moments import PartMoments
from klforecast.distributed.survey import Survey
from klforecast.estimators.forecasting import Predictor, forecast_series
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.intervals import IntervalLevels
from klforecast.estimators.local_pool import PooledPanel, Readers, learn_pool, pool_part
from klforecast.estimators.newest_rows import levels_of_newest
from klforecast.estimators.window_reader import WindowReader
from klforecast.ops.conformal import Calibration, calibrate
from klforecast.ops.missing import GapFiller


class PanelModel(NamedTuple):
    """What is learned from all series of a panel together.

    Attributes
    ----------
    agreed : Agreement
    core : LinearCore
    calibration : Calibration or None
        Of its errors out of fold; None where nothing could be held out.
    earlier : LinearCore or None
        The core without the newest rows, where local experts are asked.
    pooled : PooledPanel or None
        What local experts learned from the panel.

    Examples
    --------
    See `solve_panel` and `fit_parts`, which make one.
    """

    agreed: Agreement
    core: LinearCore
    calibration: Calibration | None
    earlier: LinearCore | None
    pooled: PooledPanel | None

    def forecast(
        self,
        part: Mapping[Key, TimeSeries],
        steps: int,
        levels: np.ndarray | None = None,  # (Q,)
    ) -> tuple[dict[Key, np.ndarray], np.ndarray | None]:
        """Forecast some series of the panel from their last rows.

        Parameters
        ----------
        part : mapping of tuple to TimeSeries
            The rows that the model was fitted to, or other series in their place.
        steps : int
            Steps ahead.
        levels : ndarray of shape (Q,), optional
            Of quantiles.

        Returns
        -------
        forecasts : dict of tuple to ndarray of shape (steps, channels)
        quantiles : ndarray of shape (series times steps, channels, Q) or None
            In the units of the data.

        Raises
        ------
        ValueError
            For quantiles of a model whose errors could not be held out.
        """
        ahead = np.arange(1, steps + 1)
        predictor = self._predictor(part)
        forecasts, around = forecast_series(predictor, part, dict.fromkeys(part, ahead), levels)
        if around is None:
            return forecasts, None
        return forecasts, np.concatenate(list(forecasts.values()))[..., None] + around

    def _predictor(self, part: Mapping[Key, TimeSeries]) -> Predictor:
        plan, separated = self.agreed.plan, self.agreed.separate(part)
        reader = _reader(self.agreed, self.core, separated)
        # Looking up a time takes as long as many a forecast, and most series share theirs.
        times = {id(series.index): series.index for series in part.values()}
        newest = {own: index[-1] for own, index in times.items()}
        cutoffs = {key: newest[id(series.index)] for key, series in part.items()}
        levels = IntervalLevels.start(cutoffs, reader.channels)
        pool = None
        if self.pooled is not None and self.earlier is not None:
            before = _reader(self.agreed, self.earlier, separated, self.agreed.spared)
            pool = pool_part(part, Readers(before, reader), self.agreed.spared, self.pooled)
            if self.agreed.extent.series == 1:
                fitted = Predictor(before, pool, levels, self.calibration)
                found = levels_of_newest(fitted, part, plan.horizon, self.agreed.spared)
                pool = pool._replace(levels=found)
        return Predictor(reader, pool, levels, self.calibration)


def fit_panel_model(
    agreed: Agreement, survey: Survey, take_moments: Callable[[Agreement], PartMoments]
) -> PanelModel:
    """Take the moments of all parts, and once more without a history that turned out to have no weight; solve.

    Parameters
    ----------
    agreed : Agreement
    survey : Survey
        Of all parts.
    take_moments : callable
        A pass over all parts: their moments by an agreement.

    Raises
    ------
    ValueError
        As `solve_panel`.
    """
    moments = take_moments(agreed)
    solved = _solve(agreed, moments)
    plan = settled_plan(agreed.plan, solved)
    if plan != agreed.plan:
        settled = agreed._replace(plan=plan)
        return solve_panel(settled, survey, take_moments(settled))
    return _panel_model(agreed, survey, moments, solved)


def solve_panel(agreed: Agreement, survey: Survey, moments: PartMoments) -> PanelModel:
    """Solve the core of a panel from the moments of its parts, and let local experts learn from its sample.

    Parameters
    ----------
    agreed : Agreement
    survey : Survey
        Of all parts.
    moments : PartMoments
        Of all parts.

    Raises
    ------
    ValueError
        If no series is as long as one window.

    Notes
    -----
    The cost does not depend on the number of series, from 2,048 on.

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
    >>> from klforecast.distributed import agree, part_moments, survey_part
    >>> survey = survey_part(panel)
    >>> agreed = agree(survey, forecaster)
    >>> model = solve_panel(agreed, survey, part_moments(panel, agreed))
    >>> model.core.horizon
    3
    """
    return _panel_model(agreed, survey, moments, _solve(agreed, moments))


def _solve(agreed: Agreement, moments: PartMoments) -> Solved:
    if moments.whole is None:
        raise ValueError(
            f"the moments hold no window of {agreed.plan.length} rows; pass those of all parts of the survey, "
            f"whose longest series has {agreed.extent.rows} rows"
        )
    return solve_from_moments(moments.whole, list(moments.judged.values()), agreed.plan)


def _panel_model(
    agreed: Agreement, survey: Survey, moments: PartMoments, solved: Solved
) -> PanelModel:
    """The solved core beside what local experts learn from the sample."""
    plan = agreed.plan
    earlier, pooled = None, None
    if moments.before is not None and solved.core.mixture is not None:
        earlier = solve_from_weights(moments.before, plan, solved.core.mixture.weights)
        separated = agreed.separate(survey.sample)
        before = _reader(agreed, earlier, separated, agreed.spared)
        learned = learn_pool(
            survey.sample,
            Readers(before, _reader(agreed, solved.core, separated)),
            plan.horizon,
            agreed.seasons,
            agreed.spared,
            agreed.extent,
        )
        pooled = None if learned is None else learned[1]
    residuals = solved.residuals
    return PanelModel(
        agreed, solved.core, None if residuals is None else calibrate(residuals), earlier, pooled
    )


def _reader(
    agreed: Agreement, core: nn.Module, separated: SeparatedPart, spared: int = 0
) -> WindowReader:
    """Of a core that has not seen the newest `spared` rows, in the scale of those before them."""
    plan = agreed.plan
    scalers: dict[Key, Standardizer] = {}
    for block in separated.blocks:
        scalers |= block.scalers(spared, agreed.scale_lag)
    return WindowReader(
        core,
        None,
        None,
        scalers,
        GapFiller(agreed.gap_covariance),
        plan.depth,
        plan.period,
        len(agreed.gap_covariance),
        separated.returning,
        agreed.outlier_seasons,
    )

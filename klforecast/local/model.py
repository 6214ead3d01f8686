"""Local experts as one model: weights of the bank and the law of its errors, for every series of a panel.

    forecast_ih     = sum_e w_ie f_eih                  w of the near or of the far steps
    quantile_ih(p)  = sum_l v_il q_lih(p)               laws l: errors around the forecast; the past itself, at 3 speeds

Both w and v come from the same rule (`weights`) on errors at rolling origins (`origins`); v from pinball losses, whose
mean over levels is half of the CRPS. Quantiles of a mixture of laws are averaged level by level (Vincent 1912), so
they do not cross.

Nothing but the weights and laws is learned: a model forecasts from any newer pasts of its series.

Letters   N series, T rows, H steps, E experts, X further experts, K origins, J judged steps, L laws, Q levels
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.local.autoregression import autoregressive_orders
from klforecast.local.empirical_law import FORGETTINGS, empirical_quantiles
from klforecast.local.excursions import without_excursions
from klforecast.local.experts import count_experts, expert_forecasts, usable_periods
from klforecast.local.intermittent import count_size
from klforecast.local.knowledge import PanelExtent, PanelKnowledge
from klforecast.local.law_weights import law_weights
from klforecast.local.origins import Origins, farthest_origin, futures, rolling_origins
from klforecast.local.panel import align, are_positive, movement
from klforecast.local.residual_law import (
    ResidualLaw,
    error_shape,
    law_of_series,
    residual_quantiles,
)
from klforecast.local.shifts import on_present_level
from klforecast.local.weights import Record, judge, panel_prior, series_weights

LONGEST = 3000
"""Newest rows that are looked at; 8,000 were no better and cost more."""

# Share of the horizon that has weights of its own: 2 % over all sets, most where rivers recede.
_NEAR = 1 / 3
_AT_ONCE = 128  # series; bounds the memory and stays in the caches
_FOR_THE_PRIOR = 4  # times as many say what the panel is like


class Judged(NamedTuple):
    """What a model would have forecast at rolling origins.

    Attributes
    ----------
    origins : Origins
    forecasts : ndarray of shape (K, N, J)
        With the weights of the model; no meaning at steps that were not yet over.
    shifted : ndarray of bool, shape (N,)
        Series whose past was brought to its present level.
    counted : ndarray of bool, shape (N,)
        Series of counts with many zeros.
    panel : PanelKnowledge
    """

    origins: Origins
    forecasts: np.ndarray
    shifted: np.ndarray
    counted: np.ndarray
    panel: PanelKnowledge


class LocalModel(NamedTuple):
    """What local experts have learned of a panel.

    Attributes
    ----------
    horizon : int
        For which the weights were judged; longer forecasts go on with the weights of its far steps.
    periods : tuple of int
        Seasons that the bank looks at, ascending.
    positive : ndarray of bool, shape (N,)
        Series whose logarithm is among the copies.
    weights : ndarray of shape (N, 2, E + X)
        Of the experts, for near and far steps.
    laws : ndarray of shape (N, L)
        Weights of the laws.
    errors : ResidualLaw
    floor : ndarray of shape (N,)
        0 for series without anything below zero, else minus infinity.
    orders : tuple of int, default=()
        Of the autoregressions of the bank, ascending. Models that were saved before there were any have none.
    count_size : ndarray of shape (N,), optional
        Size of one in series of counts with many zeros, 0 in others. None in files of earlier versions.
    rows : int, optional
        Of the longest series of the panel, where these are a part of it.
    """

    horizon: int
    periods: tuple[int, ...]
    positive: np.ndarray
    weights: np.ndarray
    laws: np.ndarray
    errors: ResidualLaw
    floor: np.ndarray
    orders: tuple[int, ...] = ()
    count_size: np.ndarray | None = None
    rows: int | None = None

    def of(self, places: Sequence[int] | np.ndarray) -> "LocalModel":
        """The model of some of its series, in this order; one that is named twice has two pasts."""
        rows = np.asarray(places)
        return self._replace(
            positive=self.positive[rows],
            weights=self.weights[rows],
            laws=self.laws[rows],
            errors=self.errors._replace(ratio=self.errors.ratio[rows]),
            floor=self.floor[rows],
            count_size=None if self.count_size is None else self.count_size[rows],
        )

    def repeated(self, count: int) -> "LocalModel":
        """The model of so many copies of its panel, one after the other, to forecast from different pasts."""
        return self.of(np.tile(np.arange(len(self.weights)), count))

    def has_log(self, others: int = 0) -> bool:
        """Whether experts of the logarithm are among those that it weighs, beside so many further ones."""
        return self.weights.shape[2] - others == count_experts(self.periods, self.orders, True)

    def alone(self, place: int) -> "LocalModel":
        """The model of one series of the panel."""
        return self.of([place])


def origins_of(pasts: Sequence[np.ndarray], horizon: int, periods: Sequence[int]) -> Origins:
    """Where a further expert has to forecast to be weighed by `fit_local`.

    Parameters
    ----------
    pasts, horizon, periods
        As for `fit_local`.
    """
    past = align(pasts, LONGEST)
    return rolling_origins(past, horizon, _judged_periods(past, horizon, periods))


def _judged_periods(past: np.ndarray, horizon: int, periods: Sequence[int]) -> tuple[int, ...]:
    rows = past.shape[1]
    return usable_periods(periods, rows, farthest_origin(rows, horizon))


def fit_local(
    pasts: Sequence[np.ndarray],
    horizon: int,
    periods: Sequence[int] = (),
    others: np.ndarray | None = None,
) -> LocalModel:
    """Weigh the bank, and further experts, on a panel.

    Parameters
    ----------
    pasts : sequence of ndarray of shape (time,) or (time, channels)
        Known rows of every series, NaN where nothing was observed; every channel is a series.
    horizon : int
        Steps ahead, at least 1.
    periods : sequence of int
        Lengths of seasons in steps; those longer than half of the rows are left out.
    others : ndarray of shape (K, N, X, J), optional
        Forecasts of further experts at the origins of `origins_of`, made without the rows that follow them.

    Returns
    -------
    LocalModel

    Raises
    ------
    ValueError
        If the horizon is below 1, `others` has another shape, or the pasts are no panel.

    Notes
    -----
    Time O(N K E (T + H)); memory for 512 series at once.

    Examples
    --------
    >>> line = np.arange(5.0, 125.0, 2.0)
    >>> model = fit_local([line], horizon=12)
    >>> forecast(model, [line], steps=3).round(6)
    array([[125., 127., 129.]])
    """
    return fit_judged(pasts, horizon, periods, others)[0]


def fit_judged(
    pasts: Sequence[np.ndarray],
    horizon: int,
    periods: Sequence[int] = (),
    others: np.ndarray | None = None,
    panel: PanelKnowledge | None = None,
    extent: PanelExtent | None = None,
) -> tuple[LocalModel, Judged]:
    """As `fit_local`, with the forecasts that the weights were found by.

    Parameters
    ----------
    pasts, horizon, periods, others
        As for `fit_local`.
    panel : PanelKnowledge, optional
        Of a panel that these series are a part of; None learns it from them.
    extent : PanelExtent, optional
        Of a panel that these series are a sample of; None for these alone.
    """
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}; pass at least 1")
    if panel is not None:
        past = align(pasts, LONGEST, panel.rows)
    else:
        past = align(pasts, LONGEST, None if extent is None else extent.rows)
    used = _judged_periods(past, horizon, periods) if panel is None else panel.periods
    floor = np.where(np.where(np.isfinite(past), past, np.inf).min(axis=1) < 0, -np.inf, 0.0)
    one = count_size(past)
    past, shifted = on_present_level(past, horizon, used)
    n = len(past)
    origins = (
        rolling_origins(past, horizon, used, extent and extent.series)
        if panel is None
        else panel.origins
    )
    k, j = len(origins.offsets), len(origins.steps)
    if others is not None and (others.shape[:2] != (k, n) or others.shape[3:] != (j,)):
        raise ValueError(
            f"others has shape {others.shape}; pass ({k}, {n}, number of experts, {j}), "
            "their forecasts at the origins of origins_of"
        )
    positive = are_positive(past)
    # Who foresaw a spike guessed.
    truth = futures(without_excursions(past), origins, used)
    near = origins.steps <= near_steps(horizon)

    # A linear core has a map for every channel of one series, and one map for all series of a panel.
    typical = int(np.median(np.isfinite(past).sum(axis=1))) if len(pasts) > 1 else 0
    orders = autoregressive_orders(typical, used[0] if used else 1)
    with_log = bool(positive.any())
    if panel is not None:
        orders, with_log, positive = panel.orders, panel.with_log, positive & panel.with_log

    def judged(rows: np.ndarray) -> tuple[np.ndarray, tuple[Record, Record]]:
        made = _at_origins(past[rows], used, orders, origins, positive[rows], with_log)
        if others is not None:
            made = np.concatenate([made, others[:, rows]], axis=2)
        return made, judge(made, truth[:, rows], origins.offsets, near, one[rows] > 0)

    # Interleaved, so that the first of them already look like the panel.
    apart = -(-n // _AT_ONCE)
    chunks = [np.arange(start, n, apart) for start in range(apart)]
    first = [judged(rows) for rows in chunks[:_FOR_THE_PRIOR]]
    near_prior, prior = (
        (panel_prior(_joined([records[part] for _, records in first])) for part in (0, 1))
        if panel is None
        else panel.priors
    )
    priors = near_prior, prior
    weights: list[np.ndarray] = []
    mixed = np.empty_like(truth)
    for number, rows in enumerate(chunks):
        made, records = first[number] if number < len(first) else judged(rows)
        own = np.stack([series_weights(r, p) for r, p in zip(records, priors, strict=True)], axis=1)
        by_step = own[:, np.where(near, 0, 1)]
        for place, forecasts in enumerate(made):
            mixed[place, rows] = _weighted(forecasts, by_step)
        weights.append(own)
    order = np.concatenate(chunks).argsort()
    residuals = truth - mixed
    unit = movement(past)
    common = (
        error_shape(residuals, origins.steps, unit, origins.offsets, past.shape[1])
        if panel is None
        else panel.errors
    )
    law = law_of_series(common, residuals, origins.steps, unit)
    known_laws = None if panel is None else panel.laws
    laws, law_prior = law_weights(past, origins, truth, residuals, law, known_laws)
    every = np.concatenate(weights)[order]
    longest = None if panel is None else panel.rows
    model = LocalModel(horizon, used, positive, every, laws, law, floor, orders, one, longest)
    learned = PanelKnowledge(
        horizon, past.shape[1], used, orders, with_log, origins, priors, common, law_prior
    )
    return model, Judged(origins, mixed, shifted, one > 0, learned)


def forecast(
    model: LocalModel,
    pasts: Sequence[np.ndarray],
    steps: int,
    others: np.ndarray | None = None,
) -> np.ndarray:
    """Forecasts from the end of the pasts, with the weights as they are.

    Parameters
    ----------
    model : LocalModel
    pasts : sequence of ndarray
        Of the series that the model was fitted to, in that order, up to any later row.
    steps : int
        Steps ahead; may exceed the horizon of the model.
    others : ndarray of shape (N, X, steps), optional
        Forecasts of the further experts that the model was fitted with.

    Returns
    -------
    ndarray of shape (N, steps)

    Raises
    ------
    ValueError
        If the series or experts are not as many as those of the model.
    """
    past = known_panel(model, pasts)
    return _mixed(model, past, steps, others)


def quantiles(
    model: LocalModel,
    pasts: Sequence[np.ndarray],
    steps: int,
    levels: Sequence[float],
    others: np.ndarray | None = None,
    point: np.ndarray | None = None,
) -> np.ndarray:
    """Quantiles of the coming rows.

    Parameters
    ----------
    model, pasts, steps, others
        As for `forecast`.
    levels : sequence of float
        In the open interval from 0 to 1.
    point : ndarray of shape (N, steps), optional
        What `forecast` gives for the same, where it is known already.

    Returns
    -------
    ndarray of shape (N, steps, Q)
        Not decreasing in the level; at a step, the same for any number of steps asked for.

    Raises
    ------
    ValueError
        If a level is outside of its interval, or as for `forecast`.
    """
    wanted = np.asarray(levels, dtype=np.float64)
    if not ((wanted > 0) & (wanted < 1)).all():
        raise ValueError(f"levels are {list(levels)}; pass numbers between 0 and 1, ends excluded")
    past = known_panel(model, pasts)
    if point is None:
        point = _mixed(model, past, steps, others)
    ahead = np.arange(1, steps + 1)
    spread = residual_quantiles(model.errors, movement(past), ahead, wanted)
    mixed = model.laws[:, 0, None, None] * (point[:, :, None] + spread)
    for place, forgetting in enumerate(FORGETTINGS, start=1):
        known = empirical_quantiles(past, forgetting, wanted)
        mixed += model.laws[:, place, None, None] * known[:, None]
    return np.maximum(mixed, model.floor[:, None, None])


def near_steps(horizon: int) -> int:
    """How many of the first steps have weights of their own."""
    return max(1, round(_NEAR * horizon))


def known_panel(model: LocalModel, pasts: Sequence[np.ndarray]) -> np.ndarray:
    """What the experts of a model look at: newest rows side by side, on their present level."""
    past = align(pasts, LONGEST, model.rows)
    if len(past) != len(model.weights):
        raise ValueError(
            f"got {len(past)} series for a model of {len(model.weights)}; "
            "pass the series that it was fitted to, in the same order"
        )
    return on_present_level(past, model.horizon, model.periods).past


def _at_origins(
    past: np.ndarray,
    periods: Sequence[int],
    orders: Sequence[int],
    origins: Origins,
    positive: np.ndarray,
    with_log: bool,
) -> np.ndarray:  # (K, N, E, J); steps that were not yet over are zero
    n_experts = count_experts(periods, orders, with_log)
    everything = np.zeros((len(origins.offsets), len(past), n_experts, len(origins.steps)))
    for place, offset in enumerate(origins.offsets):
        followed = origins.steps[origins.steps <= offset]
        made = expert_forecasts(past[:, :-offset], periods, orders, followed, positive, with_log)
        everything[place, :, :, : len(followed)] = made
    return everything


def _joined(records: Sequence[Record]) -> Record:
    return Record(
        np.concatenate([record.errors for record in records]),
        np.concatenate([record.origins for record in records]),
    )


def _mixed(
    model: LocalModel, past: np.ndarray, steps: int, others: np.ndarray | None
) -> np.ndarray:  # (N, steps)
    ahead = np.arange(1, steps + 1)
    part = np.where(ahead <= near_steps(model.horizon), 0, 1)
    n, experts = len(past), model.weights.shape[2]
    mixed = np.empty((n, steps))
    with_log = model.has_log(0 if others is None else others.shape[1])
    # A past up to another row may hold zeros where that of the fit, on its own level, had none.
    positive = model.positive & are_positive(past)
    for rows in np.array_split(np.arange(n), -(-n // _AT_ONCE)):
        made = expert_forecasts(
            past[rows], model.periods, model.orders, ahead, positive[rows], with_log
        )
        if others is not None:
            made = np.concatenate([made, others[rows]], axis=1)
        if made.shape[1] != experts:
            raise ValueError(
                f"got {made.shape[1]} experts for weights of {experts}; "
                "pass `others` as the model was fitted with them"
            )
        mixed[rows] = _weighted(made, model.weights[rows][:, part])
    return mixed


def _weighted(
    made: np.ndarray,  # (N, E, H)
    weights: np.ndarray,  # (N, H, E)
) -> np.ndarray:  # (N, H)
    # Around one of the experts: weights sum to one up to rounding, and a constant is to stay what it is.
    around = made - made[:, :1]
    return made[:, 0] + np.einsum("neh,nhe->nh", around, weights, optimize=True)

"""Local experts as one model: weights of the bank and the laws of its errors, for every series of a panel.

    forecast_ih     = sum_e w_ie f_eih                  w of the near or of the far steps
    quantile_ih(p)  = sum_l v_il q_lih(p)               laws l: errors around the forecast; the past itself, at 3 speeds

Both w and v come from the same rule (`weights`) on errors at rolling origins (`fitting`); v from pinball losses, whose
mean over levels is half of the CRPS. Quantiles of a mixture of laws are averaged level by level (Vincent 1912), so
they do not cross.

Nothing but the weights and laws is learned: a model forecasts from any newer pasts of its series.

Letters   N series, T rows, H steps, E experts, X further experts, L laws, Q levels
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.local.experts import Bank, count_experts, expert_forecasts
from klforecast.local.law_weights import Laws, mixture_quantiles
from klforecast.local.panel import align, are_positive
from klforecast.local.residual_law import ResidualLaw
from klforecast.local.shifts import on_present_level
from klforecast.ops.workers import answers

LONGEST = 3000
"""Newest rows that are looked at; 8,000 were no better and cost more."""

# Share of the horizon that has weights of its own: 2 % over all sets, most where rivers recede.
_NEAR = 1 / 3
# Series whose experts are asked at once, and their rows together: bounds the memory, stays in the caches and gives
# workers something to share. Fewer short series would each cost more than their rows.
_MOST_AT_ONCE, _ROWS_AT_ONCE = 128, 2**17


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
        Of the forecasts.
    floor : ndarray of shape (N,)
        0 for series without anything below zero, else minus infinity.
    orders : tuple of int, default=()
        Of the autoregressions of the bank, ascending. Models that were saved before there were any have none.
    count_size : ndarray of shape (N,), optional
        Size of one in series of counts with many zeros, 0 in others. None in files of earlier versions.
    rows : int, optional
        Of the longest series of the panel, where these are a part of it.
    relative : ResidualLaw, optional
        Of the logarithm of forecasts. None in a panel without a positive series, and in files of earlier versions.
    with_returns : bool, default=False
        Whether some experts return to the last cycles; in files of earlier versions none do.
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
    relative: ResidualLaw | None = None
    with_returns: bool = False

    def of(self, places: Sequence[int] | np.ndarray) -> "LocalModel":
        """The model of some of its series, in this order; one that is named twice has two pasts."""
        rows = np.asarray(places)
        return self._replace(
            positive=self.positive[rows],
            weights=self.weights[rows],
            laws=self.laws[rows],
            errors=self.errors.of(rows),
            floor=self.floor[rows],
            count_size=None if self.count_size is None else self.count_size[rows],
            relative=None if self.relative is None else self.relative.of(rows),
        )

    def repeated(self, count: int) -> "LocalModel":
        """The model of so many copies of its panel, one after the other, to forecast from different pasts."""
        return self.of(np.tile(np.arange(len(self.weights)), count))

    def bank(self, others: int = 0) -> Bank:
        """The experts that it weighs, beside so many further ones."""
        full = Bank(self.periods, self.orders, True, self.with_returns, self.horizon)
        return full._replace(with_log=self.weights.shape[2] - others == count_experts(full))

    def alone(self, place: int) -> "LocalModel":
        """The model of one series of the panel."""
        return self.of([place])


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
    laws = Laws(model.errors, model.relative, model.laws)
    positive = model.positive & are_positive(past)
    mixed = mixture_quantiles(laws, past, point, positive, np.arange(1, steps + 1), wanted)
    return np.maximum(mixed, model.floor[:, None, None])


def near_steps(horizon: int) -> int:
    """How many of the first steps have weights of their own."""
    return max(1, round(_NEAR * horizon))


def newest_rows(pasts: Sequence[np.ndarray], rows: int | None = None) -> np.ndarray:  # (N, T)
    """Rows that are looked at, side by side; `rows` of the longest series where these are a part of a panel."""
    return align(pasts, LONGEST, rows)


def known_panel(model: LocalModel, pasts: Sequence[np.ndarray]) -> np.ndarray:
    """What the experts of a model look at: newest rows side by side, on their present level."""
    past = newest_rows(pasts, model.rows)
    if len(past) != len(model.weights):
        raise ValueError(
            f"got {len(past)} series for a model of {len(model.weights)}; "
            "pass the series that it was fitted to, in the same order"
        )
    return on_present_level(past, model.horizon, model.periods).past


def _mixed(
    model: LocalModel, past: np.ndarray, steps: int, others: np.ndarray | None
) -> np.ndarray:  # (N, steps)
    ahead = np.arange(1, steps + 1)
    n, experts = len(past), model.weights.shape[2]
    bank = model.bank(0 if others is None else others.shape[1])
    # A past up to another row may hold zeros where that of the fit, on its own level, had none.
    positive = model.positive & are_positive(past)

    def mix(rows: np.ndarray) -> np.ndarray:
        made = expert_forecasts(past[rows], bank, ahead, positive[rows])
        if others is not None:
            made = np.concatenate([made, others[rows]], axis=1)
        if made.shape[1] != experts:
            raise ValueError(
                f"got {made.shape[1]} experts for weights of {experts}; "
                "pass `others` as the model was fitted with them"
            )
        return weighted(made, model.weights[rows], near_steps(model.horizon))

    chunks = np.array_split(np.arange(n), count_chunks(past))
    return np.concatenate([*answers(mix, chunks)])


def count_chunks(past: np.ndarray) -> int:  # (N, T)
    """Into how many chunks a panel is cut whose experts are asked.

    Examples
    --------
    >>> count_chunks(np.zeros((1000, 100))), count_chunks(np.zeros((100, 3000)))
    (8, 3)
    """
    n, rows = past.shape
    return -(-n // min(_MOST_AT_ONCE, max(1, _ROWS_AT_ONCE // rows)))


def weighted(
    made: np.ndarray,  # (N, E, H)
    weights: np.ndarray,  # (N, 2, E)
    near: int,
) -> np.ndarray:  # (N, H)
    """What the experts of each series say together: by the first weights in so many near steps, then by the others."""
    # Around one of the experts: weights sum to one up to rounding, and a constant is to stay what it is.
    around = made - made[:, :1]
    mixed = made[:, 0].copy()
    for part, steps in enumerate((slice(near), slice(near, None))):
        mixed[:, steps] += (weights[:, part, None] @ around[:, :, steps])[:, 0]
    return mixed

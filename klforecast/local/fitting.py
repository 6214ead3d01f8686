"""What local experts learn from the known rows of a panel: weights of the bank, and laws of its errors.

Every expert forecasts from rolling origins (`origins`), and its errors there give it weights (`weights`): first for
some series of the panel, then for each beside what was found for those that are like it (`likeness`). Errors of the
mixtures give the laws (`law_weights`).

Letters   N series, T rows, E experts, X further experts, K origins, J judged steps
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.local.autoregression import autoregressive_orders
from klforecast.local.experts import Bank, count_experts, expert_forecasts, usable_periods
from klforecast.local.intermittent import count_size
from klforecast.local.kinds import expert_kinds, tempered_by_kind
from klforecast.local.knowledge import PanelExtent, PanelKnowledge
from klforecast.local.law_weights import fit_laws
from klforecast.local.likeness import kin_of, nearest, portraits
from klforecast.local.model import (
    LONGEST,
    LocalModel,
    count_chunks,
    near_steps,
    newest_rows,
    weighted,
)
from klforecast.local.origins import Origins, farthest_origin, futures, rolling_origins
from klforecast.local.panel import are_positive
from klforecast.local.shifts import on_present_level
from klforecast.local.weights import Record, found_weights, judge, series_weights
from klforecast.ops.workers import answers

_KIN = 512  # series that say what others are like


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


def origins_of(pasts: Sequence[np.ndarray], horizon: int, periods: Sequence[int]) -> Origins:
    """Where a further expert has to forecast to be weighed by `fit_local`.

    Parameters
    ----------
    pasts, horizon, periods
        As for `fit_local`.
    """
    past = newest_rows(pasts)
    return rolling_origins(past, horizon, judged_periods(past.shape[1], horizon, periods))


def judged_periods(rows: int, horizon: int, periods: Sequence[int]) -> tuple[int, ...]:
    """Seasons that the experts of a panel look at, whose longest series has so many rows.

    Examples
    --------
    >>> judged_periods(504, 48, [24, 168]), judged_periods(672, 48, [24, 168])
    ((24,), (24, 168))
    """
    looked_at = min(rows, LONGEST)
    return usable_periods(periods, looked_at, farthest_origin(looked_at, horizon))


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
        Lengths of seasons in steps; see `usable_periods` for those that the rows can judge.
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
    >>> from klforecast.local.model import forecast
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
    whole = panel or extent
    past = newest_rows(pasts, None if whole is None else whole.rows)
    used = judged_periods(past.shape[1], horizon, periods) if panel is None else panel.bank.periods
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
    truth = futures(past, origins, used)
    near = origins.steps <= near_steps(horizon)

    if panel is None:
        # A linear core has a map for every channel of one series, and one map for all series of a panel.
        typical = int(np.median(np.isfinite(past).sum(axis=1))) if len(pasts) > 1 else 0
        orders = autoregressive_orders(typical, used[0] if used else 1)
        bank = Bank(used, orders, bool(positive.any()), horizon=horizon)
    else:
        bank = panel.bank
    positive = positive & bank.with_log

    def judged(rows: np.ndarray) -> tuple[np.ndarray, tuple[Record, Record]]:
        made = _at_origins(past[rows], bank, origins, positive[rows])
        if others is not None:
            made = np.concatenate([made, others[:, rows]], axis=2)
        return made, judge(made, truth[:, rows], origins.offsets, near, one[rows] > 0)

    # Interleaved, so that the first of them already look like the panel.
    apart = count_chunks(past)
    chunks = [np.arange(start, n, apart) for start in range(apart)]
    first = [*answers(judged, chunks[: -(-_KIN * apart // n)])] if panel is None else []
    drawn = portraits(past, used[0] if used else None)
    if panel is None:
        known, records_of_kin = _judged_ones(chunks, [records for _, records in first])
        kin = kin_of(drawn[known])
        alike = nearest(kin, drawn)
        near_found, whole_found = (found_weights(record, alike[known]) for record in records_of_kin)
        found = near_found, whole_found
    else:
        known, kin, found = np.arange(0), panel.kin, panel.found
        alike = nearest(kin, drawn)
    further = 0 if others is None else others.shape[2]
    kinds = [expert_kinds(bank, each, further) for each in (False, True)]
    mixed = np.empty_like(truth)

    def weigh(number: int) -> np.ndarray:  # (n, 2, E)
        rows = chunks[number]
        forecasts_of_all, records = first[number] if number < len(first) else judged(rows)
        own = np.stack(
            [
                series_weights(record, of_kin[alike[rows]].mean(axis=1))
                for record, of_kin in zip(records, found, strict=True)
            ],
            axis=1,
        )
        for each, its in enumerate(kinds):
            same = positive[rows] == bool(each)
            own[same] = tempered_by_kind(own[same], its)
        for place, forecasts in enumerate(forecasts_of_all):
            mixed[place, rows] = weighted(forecasts, own, int(near.sum()))
        return own

    weights = [*answers(weigh, range(len(chunks)))]
    order = np.concatenate(chunks).argsort()
    laws, panel_laws = fit_laws(
        past,
        origins,
        truth,
        mixed,
        positive,
        bank.with_log,
        alike,
        known,
        None if panel is None else panel.laws,
    )
    model = LocalModel(
        horizon,
        used,
        positive,
        np.concatenate(weights)[order],
        laws.weights,
        laws.plain,
        floor,
        bank.orders,
        one,
        None if panel is None else panel.rows,
        laws.relative,
        bank.with_returns,
    )
    learned = PanelKnowledge(horizon, past.shape[1], bank, origins, kin, found, panel_laws)
    return model, Judged(origins, mixed, shifted, one > 0, learned)


def _at_origins(
    past: np.ndarray,
    bank: Bank,
    origins: Origins,
    positive: np.ndarray,
) -> np.ndarray:  # (K, N, E, J); steps that were not yet over are zero
    shape = (len(origins.offsets), len(past), count_experts(bank), len(origins.steps))
    everything = np.zeros(shape)
    for place, offset in enumerate(origins.offsets):
        followed = origins.steps[origins.steps <= offset]
        made = expert_forecasts(past[:, :-offset], bank, followed, positive)
        everything[place, :, :, : len(followed)] = made
    return everything


def _judged_ones(
    chunks: Sequence[np.ndarray], records: Sequence[tuple[Record, Record]]
) -> tuple[np.ndarray, tuple[Record, Record]]:
    """Series of the first chunks that could be judged, and their records; all of them where none could."""
    near, whole = (_joined([each[part] for each in records]) for part in (0, 1))
    rows = np.concatenate(chunks[: len(records)])
    judged = whole.origins > 0
    if not judged.any():
        return rows, (near, whole)
    return rows[judged], (near.of(judged), whole.of(judged))


def _joined(records: Sequence[Record]) -> Record:
    return Record(
        np.concatenate([record.errors for record in records]),
        np.concatenate([record.origins for record in records]),
    )

"""Ways to do without missing values, side by side: the test error after values were removed.

    python -m klforecast.evaluation.studies.missing_values

Values are removed from all rows, at random or in blocks of one to three days, in each channel on
its own. A model is fitted on what is left of the training and validation rows and forecasts from
what is left before each cutoff; it is scored against the complete test rows. The numbers are mean
squared errors in training deviations of the complete rows.

    lines               straight lines between the observed values
    last cycle          the value one cycle before, or after
    mean cycle          the mean cycle, and straight lines through what it leaves over
    conditional mean    given the observed values around, by the autocovariance: what the forecaster does
    masked Gram         solved from products of pairs of observed values; windows by conditional mean
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from klforecast.core.coordinates import window_coordinates
from klforecast.core.linear_core import LinearCore
from klforecast.core.out_of_fold import expand_segments, judge_out_of_fold
from klforecast.core.plan import CorePlan, plan_core
from klforecast.core.solve import exact_moments, solve_from_plan
from klforecast.data.datasets import load
from klforecast.data.periods import find_periods
from klforecast.data.scaling import Standardizer
from klforecast.estimators.frames.context import FilledRows, extend_past, fill_panel
from klforecast.evaluation.benchmark.protocol import require_borders, standardize
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.ops.missing import GapFiller, interpolate

DATASETS = {"ETTh1": 1, "VicElec": 2}
"""Names, and every how many rows are used: both are hourly then."""

# From a few lost readings to every other one.
SHARES = (0.01, 0.05, 0.2, 0.5)
PATTERNS = ("random", "blocks")
_DAY = 24  # rows
_DEPTH = 720  # a month, which keeps the many fits short


class Setting(NamedTuple):
    """Complete rows in training deviations, and what is done with them.

    Attributes
    ----------
    dataset : str
    rows : ndarray of shape (time, channels)
    fit_end : int
        Rows that are fitted on.
    horizon : int
    cutoffs : ndarray of shape (n,)
    """

    dataset: str
    rows: np.ndarray
    fit_end: int
    horizon: int
    cutoffs: np.ndarray


Before = Callable[[int, int], np.ndarray]
"""From a cutoff and a depth to the filled rows before it."""


def make_setting(dataset: str, horizon: int, stride: int) -> Setting:
    """Load a data set; every `stride`-th test window is scored."""
    data, thin = load(dataset), DATASETS[dataset]
    rows = standardize(data).to_numpy()[::thin]
    fit_end = require_borders(data).validation_end // thin
    cutoffs = np.arange(fit_end, len(rows) - horizon + 1, stride)
    return Setting(dataset, rows, fit_end, horizon, cutoffs)


def removed(shape: tuple[int, int], share: float, pattern: str, seed: int = 0) -> np.ndarray:
    """Choose the values to remove, a boolean array of `shape`."""
    generator = np.random.default_rng(seed)
    if pattern == "random":
        return generator.random(shape) < share
    gone = np.zeros(shape, dtype=bool)
    for channel in gone.T:
        while channel.mean() < share:
            length = generator.integers(_DAY, 3 * _DAY + 1)
            start = generator.integers(0, len(channel) - length + 1)
            channel[start : start + length] = True
    return gone


def last_cycle(rows: Tensor, period: int) -> Tensor:  # (T, C) -> (T, C)
    """Fill by the last value at the phase, before the first one by the next, else by lines."""
    cycles = -(-len(rows) // period)
    empty = torch.full((cycles * period - len(rows), rows.shape[1]), torch.nan, dtype=rows.dtype)
    values = torch.cat([rows, empty]).reshape(cycles, -1)
    places = torch.arange(cycles)[:, None].expand_as(values)
    known = ~torch.isnan(values)
    before = torch.where(known, places, -1).cummax(dim=0).values
    after = torch.where(known, places, cycles).flip(0).cummin(dim=0).values.flip(0)
    nearest = torch.where(before >= 0, before, after.clamp(max=cycles - 1))
    filled = values.gather(0, nearest).reshape(cycles * period, -1)[: len(rows)]
    return interpolate(filled, 1)


def by_windows(fill: Callable[[Tensor], Tensor], rows: Tensor) -> Before:
    """Fill each window on its own."""
    return lambda cutoff, depth: fill(rows[max(0, cutoff - depth) : cutoff]).numpy()


def masked_core(gappy: Tensor, filled: Tensor, plan: CorePlan) -> LinearCore:
    """Solve from the mean product of the pairs of observed values at each distance.

    A matrix of such means need not be positive semi-definite: its negative eigenvalues are set to 0.
    """
    length = plan.depth + plan.padded_horizon
    observed = (~torch.isnan(gappy)).double().T
    values = torch.nan_to_num(gappy).T
    size = 1 << (len(gappy) + length).bit_length()
    sums, counts = (
        torch.fft.irfft(torch.fft.rfft(part, size).abs() ** 2, size)[:, :length]
        for part in (values, observed)
    )
    lag = torch.arange(length)
    grams = []
    for products in sums / counts.clamp(min=1):
        eigenvalues, modes = torch.linalg.eigh(products[(lag[:, None] - lag).abs()])
        grams.append((modes * eigenvalues.clamp(min=0)) @ modes.T * (len(gappy) - length + 1))
    pooled = torch.stack(grams).sum(dim=0)
    size = plan.depth + plan.horizon
    coordinates = window_coordinates(
        pooled[:size, :size], plan.edges, plan.horizon, plan.n_components, plan.n_outputs
    )
    weights = judge_out_of_fold([filled], plan, coordinates).weights
    shared = exact_moments(pooled, plan, coordinates)
    readout = []
    for gram, share in zip(grams, expand_segments(weights, plan.segments), strict=True):
        own = exact_moments(gram, plan, coordinates)
        maps = [
            expert.solve(own if expert.pooling == "channel" else shared, coordinates)
            for expert in plan.experts
        ]
        readout.append(torch.einsum("he,ehd->hd", share, torch.stack(maps)))
    weight = torch.stack(readout).float()
    modes = coordinates.history_modes.float()
    return LinearCore(modes, weight, torch.zeros(weight.shape[:2]), coordinates.blocks())


def compare(setting: Setting, share: float, pattern: str) -> list[dict[str, Any]]:
    """Fit and score every candidate on the same gaps.

    Returns
    -------
    list of dict
        One row for each candidate.
    """
    gone = removed(setting.rows.shape, share, pattern)
    gappy = np.where(gone, np.nan, setting.rows)
    scaler = Standardizer.fit(gappy[: setting.fit_end])
    rows = torch.from_numpy(scaler.transform(gappy))
    known = rows[: setting.fit_end]
    periods = find_periods(interpolate(known, 1).numpy(), "h")
    period = periods[0] if periods else 1
    plan = plan_core(
        [len(known)], rows.shape[1], setting.horizon, periods=periods, memory_depth=_DEPTH
    )
    (filled,), covariance = fill_panel([known], period)
    conditional = FilledRows(rows.numpy(), GapFiller(covariance)).before

    def solved(fill: Callable[[Tensor], Tensor]) -> tuple[LinearCore, Before]:
        return solve_from_plan([fill(known)], plan).core, by_windows(fill, rows)

    candidates: dict[str, Callable[[], tuple[LinearCore, Before]]] = {
        "lines": lambda: solved(lambda part: interpolate(part, 1)),
        "last cycle": lambda: solved(lambda part: last_cycle(part, period)),
        "mean cycle": lambda: solved(lambda part: interpolate(part, period)),
        "conditional mean": lambda: (solve_from_plan([filled], plan).core, conditional),
        "masked Gram": lambda: (masked_core(known, filled, plan), conditional),
    }
    if share == 0:
        candidates = {"complete": candidates["conditional mean"]}
    return [
        {
            "dataset": setting.dataset,
            "horizon": setting.horizon,
            "pattern": pattern,
            "share": share,
            "candidate": name,
            "mse": _score(setting, *make(), scaler, period),
            "n_windows": len(setting.cutoffs),
        }
        for name, make in candidates.items()
    ]


def _score(
    setting: Setting, core: LinearCore, before: Before, scaler: Standardizer, period: int
) -> float:
    squares = 0.0
    for cutoff in setting.cutoffs:
        past = extend_past(before(cutoff, core.depth), core.depth, period)
        with torch.no_grad():
            forecast = core(torch.tensor(past, dtype=torch.float32)[None])[0].numpy()
        truth = setting.rows[cutoff : cutoff + setting.horizon]
        squares += float(np.square(scaler.inverse_transform(forecast) - truth).mean())
    return squares / len(setting.cutoffs)


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each kind of gaps, one column for each candidate."""
    names = list(dict.fromkeys(row["candidate"] for row in rows if row["share"] > 0))
    whole = next(row["mse"] for row in rows if row["share"] == 0)
    title = f"{rows[0]['dataset']}, {rows[0]['horizon']} steps: test MSE, complete {whole:.4f}"
    lines = []
    mse = {(row["pattern"], row["share"], row["candidate"]): row["mse"] for row in rows}
    for pattern, share in dict.fromkeys((row["pattern"], row["share"]) for row in rows):
        if share:
            cells = [f"{mse[pattern, share, name]:.4f}" for name in names]
            lines.append((f"{100 * share:.0f} %, {pattern}", *cells))
    return make_table(title, ("removed", *names), lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each data set and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=list(DATASETS))
    parser.add_argument("--horizon", type=int, default=96)
    parser.add_argument("--stride", type=int, default=14, help="score every so many-th window")
    options = parser.parse_args(arguments)
    for dataset in options.datasets:
        setting = make_setting(dataset, options.horizon, options.stride)
        rows = []
        for pattern, share in (("random", 0.0), *itertools.product(PATTERNS, SHARES)):
            done = compare(setting, share, pattern)
            rows += done
            append_rows(options.out, done)
        show(table(rows))


if __name__ == "__main__":
    main()

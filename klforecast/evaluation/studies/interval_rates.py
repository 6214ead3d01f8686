"""How fast levels should follow, asked of the training rows alone.

    python -m klforecast.evaluation.studies.interval_rates --datasets ETTh1 Weather

The windows out of fold are cut into five runs. Each is forecast with scores of the other four, with
levels that follow its own windows one horizon late, as `update` does, within so many horizons.
"Deviation" is the mean distance of a run's coverage, channel by channel, from the nominal one.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from rich.table import Table

from klforecast.core.solve import solve_linear_core
from klforecast.data.datasets import load
from klforecast.evaluation.benchmark.protocol import require_borders, standardize
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.ops.adaptive_levels import (
    LEVEL_TABLE,
    adapt_levels,
    adapted_levels,
    nominal_levels,
    reached_levels,
)
from klforecast.ops.conformal import (
    Residuals,
    calibrate,
    score_quantiles,
)
from klforecast.ops.pinball import pinball
from klforecast.ops.volatility import expected_scale

# The limits of the 80 % and 95 % intervals.
_LEVELS = torch.tensor([0.025, 0.1, 0.9, 0.975], dtype=torch.float64)
_RUNS = 5  # each long enough for levels to follow within 20 horizons
_STEPS = 16  # steps of the horizon that are looked at; neighbours have nearly the same errors


def follow_out_of_fold(residuals: Residuals, horizons: float) -> dict[str, float]:
    """Coverage, deviation and pinball loss of levels that follow within a number of horizons.

    Parameters
    ----------
    residuals : Residuals
        In order of time.
    horizons : float
        Infinite for levels that stay.
    """
    every = -(-residuals.errors.shape[1] // _STEPS)
    errors, features = residuals.errors.double()[:, ::every], residuals.features.double()
    n, _, channels = errors.shape
    spacing, horizon = residuals.rows / n, residuals.errors.shape[1]
    rate, late = torch.tensor(spacing / (horizons * horizon)), math.ceil(horizon / spacing)
    run = torch.arange(n) * _RUNS // n
    losses, covered = [], []
    for fold in range(_RUNS):
        others = run != fold
        rows = residuals.rows * int(others.sum()) // n
        calibration = calibrate(Residuals(errors[others], features[others], rows))
        scale = expected_scale(calibration.scale, features[~others])
        scores = errors[~others] / scale[:, None]
        table = score_quantiles(calibration, LEVEL_TABLE.expand(channels, -1))
        reached = reached_levels(scores, table.expand(*scores.shape, -1))
        levels, inside = nominal_levels(channels), []
        for turn, score in enumerate(scores):
            quantiles = score_quantiles(calibration, adapted_levels(levels, _LEVELS))
            loss = pinball(score, quantiles, _LEVELS).mean(dim=(0, 2)) * scale[turn]
            losses.append(loss / errors.abs().mean(dim=(0, 1)))
            lowest, low, high, highest = quantiles.unbind(-1)
            inside.append(
                torch.stack(
                    [
                        ((low <= score) & (score <= high)).double().mean(dim=0),
                        ((lowest <= score) & (score <= highest)).double().mean(dim=0),
                    ]
                )
            )
            if turn >= late:
                levels = adapt_levels(levels, reached[turn - late], rate)
        covered.append(torch.stack(inside).mean(dim=0))
    coverage = torch.stack(covered)  # (runs, 2, channels)
    away = (coverage - torch.tensor([[0.8], [0.95]])).abs().mean(dim=(0, 2))
    mean = coverage.mean(dim=(0, 2))
    return {
        "coverage_80": mean[0].item(),
        "coverage_95": mean[1].item(),
        "deviation_80": away[0].item(),
        "deviation_95": away[1].item(),
        "pinball": torch.stack(losses).mean().item(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each data set and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=["ETTh1", "Weather"])
    parser.add_argument("--horizon", type=int, default=96)
    parser.add_argument(
        "--within", type=float, nargs="+", default=[math.inf, 80, 40, 20, 10], help="horizons"
    )
    options = parser.parse_args(arguments)
    for name in options.datasets:
        data = load(name)
        known = standardize(data).iloc[: require_borders(data).validation_end]
        panel = [torch.tensor(known.to_numpy())]
        residuals = solve_linear_core(panel, options.horizon, periods=data.periods).residuals
        if residuals is None:
            raise ValueError(f"{len(known)} rows of {name} leave no errors; pass a shorter horizon")
        rows: list[dict[str, Any]] = []
        for horizons in options.within:
            found = follow_out_of_fold(residuals, horizons)
            within = "never" if math.isinf(horizons) else f"{horizons:g}"
            rows.append({"dataset": name, "horizon": options.horizon, "within": within, **found})
        append_rows(options.out, rows)
        show(table(rows))


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each speed."""
    columns = ("within", "80 %", "deviation", "95 %", "deviation", "pinball")
    lines = [
        (
            row["within"],
            f"{100 * row['coverage_80']:.1f}",
            f"{100 * row['deviation_80']:.1f}",
            f"{100 * row['coverage_95']:.1f}",
            f"{100 * row['deviation_95']:.1f}",
            f"{row['pinball']:.4f}",
        )
        for row in rows
    ]
    return make_table(f"{rows[0]['dataset']}, windows out of fold", columns, lines)


if __name__ == "__main__":
    main()

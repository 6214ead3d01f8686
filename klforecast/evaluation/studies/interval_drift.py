"""How often the truth lies in the intervals of a frozen forecaster where series drift.

    python -m klforecast.evaluation.studies.interval_drift

Panels of 966 rows and seven channels: generated ones, which wander, bend, jump or grow, and the newest rows of M4
weekly series. The first 80 % are fitted, and windows over the rest are scored, in deviations of the fitted rows;
nothing is updated in between, so the last forecasts start 170 rows after the last row that was seen by `fit`.

    walk           y_t = y_{t-1} + e_t
    local trend    y_t = sum_{s<=t} b_s + e_t,  b_s = b_{s-1} + e'_s / 10
    breaks         level + e_t, which moves once in 150 rows by 6 e''
    growth         e^{3 t / T} (5 + year + walk + noise)
    year           walk / 2 + 4 sin(2 pi t / 52) + e_t
    AR             y_t = 0.7 y_{t-1} + e_t, which does not drift
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from klforecast.data.datasets import load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.studies.command import make_parser, make_table, show
from klforecast.evaluation.studies.interval_coverage import LEVELS, Quantiles
from klforecast.evaluation.studies.wandering_series import CHANNELS, ROWS, weekly_panels

_FITTED = 773  # rows, as many as training and validation part of `wandering_series`
_YEAR = 2 * np.pi / 52  # of weeks
_SHARES = (0.8, 0.9, 0.95)  # of which intervals are asked: the usual three


def _autoregressive(noise: np.ndarray) -> np.ndarray:
    rows = noise.copy()
    for step in range(1, len(rows)):
        rows[step] += 0.7 * rows[step - 1]
    return rows


def _growth(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(len(noise))[:, None]
    level = 5 + np.sin(_YEAR * time) + 0.3 * noise.cumsum(axis=0) / 10**0.5 + 0.3 * noise
    return np.exp(3 * time / len(noise)) * level


def _breaks(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    jumps = (rng.random(noise.shape) < 1 / 150) * rng.normal(size=noise.shape) * 6
    return jumps.cumsum(axis=0) + noise


def _local_trend(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (0.1 * rng.normal(size=noise.shape)).cumsum(axis=0).cumsum(axis=0) + noise


def _year(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return noise.cumsum(axis=0) / 2 + 4 * np.sin(_YEAR * np.arange(len(noise)))[:, None] + noise


KINDS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "walk": lambda noise, rng: noise.cumsum(axis=0),
    "local trend": _local_trend,
    "breaks": _breaks,
    "growth": _growth,
    "year": _year,
    "AR": lambda noise, rng: _autoregressive(noise),
}
"""From normal noise, (rows, channels), and a generator to a panel."""


def panels(kind: str, count: int) -> Iterator[pd.DataFrame]:
    """Some panels of a generated kind, or of "M4 weekly" series."""
    if kind not in KINDS:
        yield from (data.frame for data in weekly_panels(load("M4Weekly"), count))
        return
    for seed in range(count):
        rng = np.random.default_rng(seed)
        index = pd.date_range("2002-01-01", periods=ROWS, freq="W-TUE")
        yield pd.DataFrame(KINDS[kind](rng.normal(size=(ROWS, CHANNELS)), rng), index)


def quantiles(panel: pd.DataFrame, horizon: int, every: int) -> tuple[np.ndarray, Quantiles]:
    """Truth and quantiles at `LEVELS` of windows after the fitted rows, in deviations of these."""
    known = panel.iloc[:_FITTED]
    scaled = (panel - known.mean()) / known.std()
    cutoffs = np.arange(_FITTED, len(panel) - horizon + 1, every)
    forecaster = KLMemoryForecaster(horizon).fit(scaled.iloc[:_FITTED])
    truth = scaled.to_numpy()[cutoffs[:, None] + np.arange(horizon)]
    levels = [*[0.5 - share / 2 for share in _SHARES], *[0.5 + share / 2 for share in _SHARES]]
    return truth, forecaster.predict_windows(scaled, cutoffs, alpha=[*levels, *LEVELS[4:]])


def coverage(truth: np.ndarray, found: Quantiles) -> list[float]:
    """Share of the truth within each interval, in per cent, and the CRPS."""
    n = len(_SHARES)
    inside = [
        100 * float(((found[..., i] <= truth) & (truth <= found[..., n + i])).mean())
        for i in range(n)
    ]
    levels, gap = LEVELS[4:], truth[..., None] - found[..., 2 * n :]
    return [*inside, 2 * float(np.maximum(levels * gap, (levels - 1) * gap).mean())]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each kind of panel and horizon."""
    parser = make_parser(__doc__)
    parser.add_argument("--kinds", nargs="+", default=[*KINDS, "M4 weekly"])
    parser.add_argument("--horizons", type=int, nargs="+", default=[24, 60])
    parser.add_argument("--panels", type=int, default=8)
    parser.add_argument("--every", type=int, default=24, help="rows from one window to the next")
    options = parser.parse_args(arguments)
    lines = []
    for kind in options.kinds:
        for horizon in options.horizons:
            scores = np.mean(
                [
                    coverage(*quantiles(panel, horizon, options.every))
                    for panel in panels(kind, options.panels)
                ],
                axis=0,
            )
            lines.append(
                (
                    kind,
                    str(horizon),
                    *[f"{share:.1f}" for share in scores[:-1]],
                    f"{scores[-1]:.4f}",
                )
            )
    columns = ("panels", "steps", *[f"{share:.0%}" for share in _SHARES], "CRPS")
    show(make_table(f"{options.panels} panels of each kind", columns, lines))


if __name__ == "__main__":
    main()

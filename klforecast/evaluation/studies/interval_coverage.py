"""How often the truth lies in the intervals, how wide they are, and what they are worth.

    python -m klforecast.evaluation.studies.interval_coverage --datasets ETTh1 Weather M4Weekly

    coverage   share of windows, steps and channels whose truth lies within the limits
    CRPS       2 mean_p pinball_p over 40 levels p, spread evenly (Gneiting & Raftery 2007, eq. 21)
    pinball    mean over the limits of the 80 % and 95 % intervals, the levels 0.025, 0.1, 0.9, 0.975

Data sets with borders are fitted on training and validation rows and scored on windows of the test
part, in training deviations, as in `klforecast.evaluation.benchmark.protocol`; the others on the last steps of
every series, in units of its mean absolute difference. Nothing is fitted to a test row: a frozen
forecaster never sees one, and one that follows, by ``update(update_params=False)`` once a day, has
seen the rows before the cutoff. Seasonal naive and Theta get the same conformal intervals, from their
errors on windows of the training rows; seasonal naive also the textbook's normal ones,

    sigma_h = sigma sqrt(ceil(h / m))      sigma: of the m-step differences (Hyndman & Athanasopoulos)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from rich.table import Table

from klforecast.data.datasets import Dataset, load
from klforecast.data.splits import window_cutoffs
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.baselines import SeasonalNaive
from klforecast.evaluation.benchmark.holdout import hold_out, season
from klforecast.evaluation.benchmark.protocol import FittedModel, require_borders, standardize
from klforecast.evaluation.benchmark.theta import Theta
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import timed
from klforecast.ops.conformal import Calibration, Residuals, calibrate, score_quantiles
from klforecast.ops.pinball import pinball

_LIMITS = np.array([0.025, 0.1, 0.9, 0.975])  # of the 80 % and 95 % intervals
_CRPS_LEVELS = (
    np.arange(40) + 0.5
) / 40  # a mean over them is within 0.1 % of the CRPS of a normal law
LEVELS = np.concatenate([_LIMITS, _CRPS_LEVELS])
"""Levels of the quantiles that are scored."""

_CALIBRATION_WINDOWS = 600  # of the training rows: 30 beyond a limit of 5 %
_CALIBRATION_CUTOFFS = 5  # of each series of a panel; hundreds of series are pooled
_VALUES_AT_ONCE = 20_000_000  # 160 MB of quantiles

Quantiles = np.ndarray  # (windows, horizon, channels, levels)


class IntervalScores(NamedTuple):
    """Means over windows, steps and channels."""

    coverage_80: float
    coverage_95: float
    width_80: float
    width_95: float
    pinball: float
    crps: float
    n_windows: int


def score_intervals(batches: Iterator[tuple[np.ndarray, Quantiles]]) -> IntervalScores:
    """Score quantiles at `LEVELS` against the truth, batch after batch.

    Parameters
    ----------
    batches : iterator of pairs
        Truth (windows, horizon, channels) and quantiles (windows, horizon, channels, levels).
    """
    sums, n_values, n_windows = np.zeros(6), 0, 0
    for truth, quantiles in batches:
        lowest, low, high, highest = np.moveaxis(quantiles[..., : len(_LIMITS)], -1, 0)
        losses = pinball(*map(torch.from_numpy, (truth, quantiles, LEVELS))).numpy()
        sums += [
            ((low <= truth) & (truth <= high)).sum(),
            ((lowest <= truth) & (truth <= highest)).sum(),
            (high - low).sum(),
            (highest - lowest).sum(),
            losses[..., : len(_LIMITS)].mean(axis=-1).sum(),
            2 * losses[..., len(_LIMITS) :].mean(axis=-1).sum(),
        ]
        n_values += truth.size
        n_windows += len(truth)
    means = dict(zip(IntervalScores._fields, (sums / n_values).tolist(), strict=False))
    return IntervalScores(**means, n_windows=n_windows)


def window_rows(data: Dataset, horizon: int, every: int) -> list[dict[str, Any]]:
    """Fit on training and validation rows, and score intervals on windows of the test part.

    Parameters
    ----------
    data : Dataset
        With borders.
    horizon : int
        Steps ahead.
    every : int
        Scores every so many-th test window.
    """
    borders, y = require_borders(data), standardize(data)
    known, values = y.iloc[: borders.validation_end], y.to_numpy()
    cutoffs = window_cutoffs(*borders.test, horizon)[::every]
    day = data.periods[0]

    def scored(quantiles_of: Callable[[np.ndarray], Quantiles], size: int) -> IntervalScores:
        chosen = [cutoffs[start : start + size] for start in range(0, len(cutoffs), size)]
        return score_intervals(
            (values[few[:, None] + np.arange(horizon)], quantiles_of(few)) for few in chosen
        )

    size = max(1, _VALUES_AT_ONCE // (horizon * y.shape[1] * len(LEVELS)))
    rows = []

    def add(model: str, quantiles_of: Callable[[np.ndarray], Quantiles], size: int) -> None:
        scores, seconds = timed(lambda: scored(quantiles_of, size))
        rows.append(_row(data, horizon, model, scores, every, seconds))

    forecaster = KLMemoryForecaster(horizon=horizon).fit(known)

    def frozen(few: np.ndarray) -> Quantiles:
        return forecaster.predict_windows(y.iloc[: few[-1]], few, alpha=LEVELS)

    def followed(few: np.ndarray) -> Quantiles:
        seen = len(forecaster.known_rows()[()].values)
        if few[0] > seen:
            forecaster.update(y.iloc[seen : few[0]], update_params=False)
        return frozen(few)

    add("klmemory, frozen", frozen, size)
    add("klmemory, followed day by day", followed, max(1, day // every))
    naive = SeasonalNaive(horizon, day).fit(known)
    for name, model in (
        ("seasonal naive", naive),
        ("theta", Theta(horizon, day).fit(known)),
    ):
        add(f"{name}, conformal", _conformal_windows(model, known, y), size)
    add("seasonal naive, normal", _normal_windows(naive, known, y), size)
    return rows


def _conformal_windows(
    model: Any, known: pd.DataFrame, y: pd.DataFrame
) -> Callable[[np.ndarray], Quantiles]:
    horizon = model.horizon
    cutoffs = np.linspace(
        model.memory_depth_, len(known) - horizon, _CALIBRATION_WINDOWS, dtype=int
    )
    truth = known.to_numpy()[cutoffs[:, None] + np.arange(horizon)]
    errors = truth - model.predict_windows(known, cutoffs)
    quantiles = _unscaled_quantiles(errors, len(known) - model.memory_depth_)
    return lambda few: model.predict_windows(y.iloc[: few[-1]], few)[..., None] + quantiles


def _unscaled_quantiles(errors: np.ndarray, rows: int) -> np.ndarray:  # (horizon, channels, levels)
    """Conformal quantiles of errors (windows, horizon, channels) that all have one scale."""
    n, _, channels = errors.shape
    residuals = Residuals(torch.from_numpy(errors), torch.full((n, channels, 1), torch.nan), rows)
    return _at_levels(calibrate(residuals)).numpy()


def _at_levels(calibration: Calibration) -> torch.Tensor:
    channels = calibration.scores.shape[2]
    return score_quantiles(calibration, torch.from_numpy(LEVELS).expand(channels, -1))


def _normal_windows(
    naive: SeasonalNaive, known: pd.DataFrame, y: pd.DataFrame
) -> Callable[[np.ndarray], Quantiles]:
    values = known.to_numpy()
    sigma = (values[naive.period :] - values[: -naive.period]).std(axis=0)
    quantiles = _normal_quantiles(naive.horizon, naive.period)[:, None] * sigma[:, None]
    return lambda few: naive.predict_windows(y.iloc[: few[-1]], few)[..., None] + quantiles


def _normal_quantiles(horizon: int, period: int) -> np.ndarray:  # (horizon, levels)
    cycles = np.ceil(np.arange(1, horizon + 1) / period)
    return np.sqrt(cycles)[:, None] * torch.special.ndtri(torch.from_numpy(LEVELS)).numpy()


def holdout_rows(data: Dataset) -> list[dict[str, Any]]:
    """Fit one model to the known rows of all series, and score intervals of the held-out ones."""
    if data.horizon is None:
        raise ValueError(f"{data.name} has neither borders nor an official horizon to hold out")
    horizon, period = data.horizon, season(data)
    split = hold_out(data, horizon)
    unit = {
        name: np.abs(rows.to_numpy()[period:] - rows.to_numpy()[:-period]).mean()
        for name, rows in split.known.items()
    }
    rows = []

    def add(model: str, quantiles_of: Callable[[], Mapping[str, np.ndarray]]) -> None:
        quantiles, seconds = timed(quantiles_of)
        scores = score_intervals(
            (truth[None] / unit[name], quantiles[name][None] / unit[name])
            for name, truth in split.truth.items()
        )
        rows.append(_row(data, horizon, model, scores, 1, seconds))

    def ours() -> dict[str, np.ndarray]:
        forecaster = KLMemoryForecaster(horizon=horizon)
        forecaster.fit(pd.concat(split.known, names=["series"]))
        steps = np.arange(1, horizon + 1)
        frame = forecaster.predict_quantiles(fh=steps, alpha=LEVELS.tolist())
        return {
            str(name): part.to_numpy().reshape(horizon, -1, len(LEVELS))
            for name, part in frame.groupby(level=0, sort=False)
        }

    def conformal(make: Callable[[int], Any]) -> Callable[[], dict[str, np.ndarray]]:
        return lambda: _conformal_holdout(split.known, unit, horizon, make)

    def normal() -> dict[str, np.ndarray]:
        standard = _normal_quantiles(horizon, period)
        quantiles = {}
        for name, known in split.known.items():
            values = known.to_numpy()
            sigma = (values[period:] - values[:-period]).std()
            point = SeasonalNaive(horizon, period).predict_windows(known, [len(known)])[0]
            quantiles[name] = point[..., None] + sigma * standard[:, None]
        return quantiles

    add("klmemory, frozen", ours)
    add("seasonal naive, conformal", conformal(lambda depth: SeasonalNaive(horizon, period)))
    add("theta, conformal", conformal(lambda depth: Theta(horizon, period, depth)))
    add("seasonal naive, normal", normal)
    return rows


def _conformal_holdout(
    known: Mapping[str, pd.DataFrame],
    unit: Mapping[str, float],
    horizon: int,
    make: Callable[[int], Any],
) -> dict[str, np.ndarray]:
    """Errors at a few cutoffs of every series, pooled over series in units of each."""
    points, errors, n_rows = {}, [], 0
    for name, frame in known.items():
        n_cutoffs = min(_CALIBRATION_CUTOFFS, len(frame) // (2 * horizon))
        cutoffs = len(frame) - horizon * np.arange(n_cutoffs, 0, -1)
        model: FittedModel = make(int(cutoffs[0])).fit(frame)
        truth = frame.to_numpy()[cutoffs[:, None] + np.arange(horizon)]
        errors.append((truth - model.predict_windows(frame, cutoffs)) / unit[name])
        points[name] = make(len(frame)).fit(frame).predict_windows(frame, [len(frame)])[0]
        n_rows += n_cutoffs * horizon
    quantiles = _unscaled_quantiles(np.concatenate(errors), n_rows)
    return {name: point[..., None] + unit[name] * quantiles for name, point in points.items()}


def _row(
    data: Dataset, horizon: int, model: str, scores: IntervalScores, every: int, seconds: float
) -> dict[str, Any]:
    return {
        "dataset": data.name,
        "dataset_sha256": data.sha256,
        "horizon": horizon,
        "model": model,
        **scores._asdict(),
        "every": every,
        "cpu_seconds": seconds,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line for each model of one data set and horizon."""
    first = rows[0]
    columns = ("model", "80 %", "95 %", "width 80", "width 95", "pinball", "CRPS", "s")
    lines = [
        (
            row["model"],
            f"{100 * row['coverage_80']:.1f}",
            f"{100 * row['coverage_95']:.1f}",
            f"{row['width_80']:.3f}",
            f"{row['width_95']:.3f}",
            f"{row['pinball']:.4f}",
            f"{row['crps']:.4f}",
            f"{row['cpu_seconds']:.1f}",
        )
        for row in rows
    ]
    title = f"{first['dataset']}, horizon {first['horizon']}: {first['n_windows']} windows"
    return make_table(title, columns, lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each data set and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=["ETTh1", "Weather", "M4Weekly"])
    parser.add_argument(
        "--horizons", type=int, nargs="+", default=[96], help="where windows are scored"
    )
    parser.add_argument("--every", type=int, default=1, help="score every so many-th test window")
    options = parser.parse_args(arguments)
    for name in options.datasets:
        data = load(name)
        if data.borders is None:
            tables = [holdout_rows(data)]
        else:
            tables = [window_rows(data, horizon, options.every) for horizon in options.horizons]
        for rows in tables:
            append_rows(options.out, rows)
            show(table(rows))


if __name__ == "__main__":
    main()

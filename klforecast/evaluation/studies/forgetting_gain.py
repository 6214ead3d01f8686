"""What forgetting is worth: squared errors of forecasters that follow a series, by how they forget.

    python -m klforecast.evaluation.studies.forgetting_gain

Each forecaster is fitted to the first half of the rows. The second half comes in parts: a part is
forecast from every cutoff in it with the weights so far, and then taken in by `update`. Errors are
squared, in units of the variance of the first half, and averaged over cutoffs, steps and channels.
Of real series the training and validation rows are used, not the test rows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.data.datasets import load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.studies.command import make_parser, make_table, show

_FORGETTING = (1.0, 0.9999, 0.9995, 0.999, 0.998)  # memories of 500 rows to all of them
_HORIZON = 24  # steps: a day of hours
_DEPTH = 336  # steps: two weeks
_PERIOD = 24  # steps: a day
_PARTS = 20  # of the second half, so that the weights are never older than 5 % of it


def drifting_series(rows: int = 8_000) -> pd.DataFrame:
    """An hourly series whose law changes: the weight of yesterday goes from 0.9 to -0.9.

    ``y[t] = a[t] y[t - 24] + e[t]`` with a line from 0.9 to -0.9 for a and standard normal e.
    """
    rng = np.random.default_rng(0)
    weight = np.linspace(0.9, -0.9, rows)
    y = rng.normal(size=rows)
    for t in range(_PERIOD, rows):
        y[t] += weight[t] * y[t - _PERIOD]
    return pd.DataFrame({"y": y}, pd.date_range("2024-01-01", periods=rows, freq="h"))


def following_error(y: pd.DataFrame, forgetting: float, period: int = _PERIOD) -> float:
    """Squared error of a forecaster that follows the second half of a series.

    Parameters
    ----------
    y : DataFrame, (time, channels)
    forgetting : float
        Of the forecaster.
    period : int, default=24
        Steps of one cycle.

    Returns
    -------
    float
    """
    half = len(y) // 2
    forecaster = KLMemoryForecaster(
        _HORIZON, memory_depth=_DEPTH, period=period, forgetting=forgetting
    ).fit(y[:half])
    values, scale = y.to_numpy(), y[:half].to_numpy().std(axis=0)
    errors = []
    for part in np.array_split(np.arange(half, len(y)), _PARTS):
        cutoffs = part[part <= len(y) - _HORIZON]
        forecasts = forecaster.predict_windows(y, cutoffs)
        actual = values[cutoffs[:, None] + np.arange(_HORIZON)]
        errors.append((((forecasts - actual) / scale) ** 2).mean(axis=(1, 2)))
        forecaster.update(y.iloc[part])
    return float(np.concatenate(errors).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table, a row for each series."""
    parser = make_parser(__doc__)
    parser.add_argument("--data", nargs="*", default=["VicElec"], help="names of data sets")
    parser.add_argument("--rows", type=int, default=8_000, help="of the drifting series")
    parser.add_argument("--forgetting", type=float, nargs="+", default=_FORGETTING)
    options = parser.parse_args(arguments)
    series = {"weight of yesterday drifts": drifting_series(options.rows)}
    periods = dict.fromkeys(series, _PERIOD)
    for name in options.data:
        data = load(name)
        known = data.frame[: data.borders.validation_end if data.borders else None]
        series[name] = known.drop(columns=list(data.covariates))
        periods[name] = data.periods[0] if data.periods else 1
    errors = {
        name: {f: following_error(y, f, periods[name]) for f in options.forgetting}
        for name, y in series.items()
    }
    show(_table(errors, options.forgetting))


def _table(errors: Mapping[str, Mapping[float, float]], forgetting: Sequence[float]) -> Table:
    return make_table(
        f"squared error {_HORIZON} steps ahead, by forgetting",
        ("series", *(f"{f:g}" for f in forgetting)),
        [(name, *(f"{row[f]:.4f}" for f in forgetting)) for name, row in errors.items()],
    )


if __name__ == "__main__":
    main()

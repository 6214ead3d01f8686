"""What covariates are worth: half-hourly demand of Victoria with temperature, holidays, calendar.

    python -m klforecast.evaluation.studies.covariate_gain --horizons 48 336

Each forecaster is fitted on the training and validation rows with its defaults and scored on
windows of the test part, in training deviations of demand. "known" covariates are handed over up to
the last step of each forecast, as they came true; "past" ones up to the cutoff. Which columns act,
and how, is decided out of fold on the fitted rows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.data.datasets import Dataset, load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.protocol import require_borders
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import cpu_seconds


class Case(NamedTuple):
    """Which covariates a forecaster is given.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Of the data set, or "noise" for three columns of random numbers.
    past : tuple of str
        Those of them whose future is not known.
    calendar : tuple of str
    """

    name: str
    columns: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()


CASES = (
    Case("none"),
    Case("temperature known", ("Temperature",)),
    Case("holiday known", ("Holiday",)),
    Case("temperature and holiday known", ("Temperature", "Holiday")),
    Case("temperature past", ("Temperature",), ("Temperature",)),
    Case("temperature past, holiday known", ("Temperature", "Holiday"), ("Temperature",)),
    Case("three columns of noise", ("noise",)),
    Case("day of the week", calendar=("dayofweek",)),
    Case("day of the year", calendar=("dayofyear",)),
    Case("holidays of the calendar", calendar=("holidays:AU-VIC",)),
)


_TIME_ZONE = "Australia/Melbourne"


def covariates_of(data: Dataset, columns: Sequence[str]) -> pd.DataFrame | None:
    """Return the columns asked for; None for none of them."""
    if not columns:
        return None
    if list(columns) != ["noise"]:
        return data.frame[list(columns)]
    noise = np.random.default_rng(0).standard_normal((len(data.frame), 3))
    return pd.DataFrame(noise, data.frame.index, ["a", "b", "c"])


def score_case(data: Dataset, case: Case, horizon: int, stride: int) -> dict[str, Any]:
    """Fit and score one case: its row."""
    borders = require_borders(data)
    y, X = data.frame[[data.target]], covariates_of(data, case.columns)
    if case.calendar:
        # The file counts in universal time, and people live by the local one.
        y = y.tz_localize("UTC").tz_convert(_TIME_ZONE)
    scale = y.iloc[: borders.train_end].to_numpy().std()
    forecaster = KLMemoryForecaster(
        horizon, past_covariates=case.past or None, calendar_features=case.calendar or None
    )
    fitted = borders.validation_end
    known = None if X is None else X.iloc[:fitted]
    seconds = cpu_seconds(lambda: forecaster.fit(y.iloc[:fitted], X=known))
    cutoffs = np.arange(fitted, borders.test_end - horizon + 1, stride)
    truth = y.to_numpy()[cutoffs[:, None] + np.arange(horizon)]
    errors = (forecaster.predict_windows(y, cutoffs, X=X) - truth) / scale
    effects = forecaster.effects_
    return {
        "dataset": data.name,
        "dataset_sha256": data.sha256,
        "horizon": horizon,
        "case": case.name,
        "mse": float(np.square(errors).mean()),
        "n_windows": len(cutoffs),
        "out_of_fold_ratio": None if effects is None else float(effects.effect.ratio.mean()),
        "fit_seconds": seconds,
    }


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each case: the error at each horizon and its change against no covariates."""
    horizons = sorted({row["horizon"] for row in rows})
    mse = {(row["case"], row["horizon"]): row["mse"] for row in rows}
    names = list(dict.fromkeys(row["case"] for row in rows))
    lines = []
    for name in names:
        cells = [name]
        for horizon in horizons:
            change = mse[name, horizon] / mse[names[0], horizon] - 1
            cells += [f"{mse[name, horizon]:.4f}", f"{100 * change:+.1f} %"]
        lines.append(cells)
    columns = [column for horizon in horizons for column in (str(horizon), "change")]
    return make_table(f"{rows[0]['dataset']}: test MSE", ("covariates", *columns), lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--horizons", type=int, nargs="+", default=[48, 336])
    parser.add_argument("--stride", type=int, default=7, help="score every so many-th window")
    options = parser.parse_args(arguments)
    data, rows = load("VicElec"), []
    for horizon in options.horizons:
        for case in CASES:
            rows.append(score_case(data, case, horizon, options.stride))
            append_rows(options.out, rows[-1:])
    show(table(rows))


if __name__ == "__main__":
    main()

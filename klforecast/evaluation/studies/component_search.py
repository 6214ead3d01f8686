"""What a search over `n_components` finds on short series, and what it is worth on rows that it has not seen.

    python -m klforecast.evaluation.studies.component_search --out rows.jsonl --page table.md

Five sets of quarterly and monthly series of five to thirty years, all cut before their official test parts. Of each, up
to 200 series lose their last horizon; a search looks for the number of components on the rows before it, by absolute
errors at three cutoffs that are a horizon apart:

    sktime          ForecastingGridSearchCV over KLMemoryForecaster, one model for all series of a panel
    scikit-learn    GridSearchCV over KLMemoryRegressor, whose samples are windows of the series

Then every number of the grid forecasts the lost horizon. A gain is the logarithm of the ratio of two mean absolute
errors of a series, in percent, less than zero where the number that was found is better; its mean over the series has
the standard error of that mean.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.model_selection import GridSearchCV
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.performance_metrics.forecasting import MeanAbsoluteScaledError
from sktime.split import ExpandingGreedySplitter

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.regressor import KLMemoryRegressor
from klforecast.evaluation import machine
from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.studies.command import (
    append_rows,
    make_parser,
    markdown_table,
    show,
    write_page,
)
from klforecast.evaluation.suites.competitions import competition_task
from klforecast.evaluation.suites.gift_eval import gift_eval_task

SETS = {
    "M1/quarterly": (competition_task, 4),
    "M3/quarterly": (competition_task, 4),
    "M1/monthly": (competition_task, 12),
    "M3/monthly": (competition_task, 12),
    "hospital/M/short": (gift_eval_task, 12),
}
"""Short sets, each with what loads it and the steps of a year."""

_SERIES = 200  # a fit takes a second
_CUTOFFS = 3  # that judge; one alone says little
_CYCLES = 2  # in the samples of the regressor
_LEAST_HORIZONS = _CUTOFFS + 3  # that a series needs: one is lost, and two are learned from


def grid_of(period: int) -> list[int]:
    """One mode, a quarter and a half of the second cycle, and all of it, which is the default.

    Examples
    --------
    >>> grid_of(12), grid_of(4)
    ([1, 3, 6, 12], [1, 2, 4])
    """
    return sorted({1, period // 4, period // 2, period})


class Panel(NamedTuple):
    """Series of a set with what is lost of each.

    Attributes
    ----------
    horizon, period : int
    known : mapping of str to ndarray of shape (time,)
    lost : mapping of str to ndarray of shape (horizon,)
    """

    horizon: int
    period: int
    known: Mapping[str, np.ndarray]
    lost: Mapping[str, np.ndarray]


def panel_of(name: str) -> Panel:
    """Series of a set, spread evenly over it."""
    load, period = SETS[name]
    task = load(name)
    h = task.horizon
    values = {
        key: frame.to_numpy(dtype=float)[: -h * task.n_windows, 0]
        for key, frame in task.collection.series.items()
    }
    names = [key for key, rows in values.items() if len(rows) >= _LEAST_HORIZONS * h]
    places = np.linspace(0, len(names) - 1, min(len(names), _SERIES)).round().astype(int)
    chosen = [names[place] for place in places]
    return Panel(
        h,
        period,
        {key: values[key][:-h] for key in chosen},
        {key: values[key][-h:] for key in chosen},
    )


class Found(NamedTuple):
    """What a search says: the score of every number, lower is better, and the forecasts of all."""

    scores: Mapping[int, float]
    forecasts: Mapping[int, Mapping[str, np.ndarray]]


def search_forecaster(panel: Panel, local_experts: bool) -> Found:
    """Search with sktime over a forecaster of the panel."""
    with warnings.catch_warnings():
        # Beside its level a cycle of twelve steps has eleven modes, which every fit with twelve says; and where rows
        # are too few for a map, a fit says that it has none.
        warnings.filterwarnings("ignore", message="n_components", category=UserWarning)
        return _search_forecaster(panel, local_experts)


def _search_forecaster(panel: Panel, local_experts: bool) -> Found:
    y = pd.concat({key: pd.DataFrame({"y": rows}) for key, rows in panel.known.items()})
    y.index.names = ["series", "step"]
    ahead, grid = range(1, panel.horizon + 1), grid_of(panel.period)
    forecaster = KLMemoryForecaster(
        panel.horizon, period=panel.period, local_experts=local_experts, random_state=0
    )
    search = ForecastingGridSearchCV(
        forecaster,
        ExpandingGreedySplitter(panel.horizon, _CUTOFFS),
        {"n_components": grid},
        scoring=MeanAbsoluteScaledError(),
        refit=False,
        backend=None,
        error_score="raise",
    ).fit(y)
    scores = search.cv_results_["mean_test_MeanAbsoluteScaledError"]
    forecasts = {}
    for number in grid:
        made = forecaster.clone().set_params(n_components=number).fit(y).predict(fh=ahead)["y"]
        forecasts[number] = {key: made.loc[key].to_numpy() for key in panel.known}
    return Found(dict(zip(grid, map(float, scores), strict=True)), forecasts)


def search_regressor(panel: Panel) -> Found:
    """Search with scikit-learn over a regression on windows, each less its mean and in units of it."""
    length, h, grid = _CYCLES * panel.period, panel.horizon, grid_of(panel.period)
    cut = [sliding_window_view(rows, length + h) for rows in panel.known.values()]
    windows = np.concatenate(cut)
    past, future, _ = _relative(windows[:, :length], windows[:, length:])
    ages = np.concatenate([np.arange(len(own))[::-1] for own in cut])
    # One window of each series judges those that end before its future starts.
    split = [
        (np.flatnonzero(ages >= age + h), np.flatnonzero(ages == age))
        for age in range(0, _CUTOFFS * h, h)
        if (ages >= age + h).any()
    ]
    # By squared errors, its default, a few series that multiply would choose for all.
    search = GridSearchCV(
        KLMemoryRegressor(),
        {"n_components": grid},
        scoring="neg_mean_absolute_error",
        cv=split,
        refit=False,
    ).fit(past, future)
    newest = np.stack([rows[-length:] for rows in panel.known.values()])
    inputs, _, unit = _relative(newest, newest)
    forecasts = {}
    for number in grid:
        made = KLMemoryRegressor(number).fit(past, future).predict(inputs)
        own = (made + 1) * unit
        forecasts[number] = dict(zip(panel.known, own, strict=True))
    scores = {
        n: -float(s) for n, s in zip(grid, search.cv_results_["mean_test_score"], strict=True)
    }
    return Found(scores, forecasts)


def _relative(past: np.ndarray, future: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both less the mean of the past and in units of it, and that mean, (n, 1)."""
    unit = past.mean(axis=1, keepdims=True)
    unit = np.where(unit == 0, 1.0, unit)
    return past / unit - 1, future / unit - 1, unit


SEARCHES: dict[str, Callable[[Panel], Found]] = {
    "sktime, core alone": partial(search_forecaster, local_experts=False),
    "sktime, the default": partial(search_forecaster, local_experts=True),
    "scikit-learn": search_regressor,
}
"""By name: both worlds, the forecaster without its local experts and with them."""


def measure(panel: Panel, search: Callable[[Panel], Found]) -> dict[str, Any]:
    """Search, and compare what was found with what the search liked least and with the default.

    Returns
    -------
    dict
        The number found, the one of the worst score, and for each series the logarithm of the error of the number
        found over that of the worst and over that of the default, in percent.
    """
    scores, forecasts = search(panel)
    found, worst = min(scores, key=scores.__getitem__), max(scores, key=scores.__getitem__)
    errors = {
        number: np.array([np.abs(made[key] - lost).mean() for key, lost in panel.lost.items()])
        for number, made in forecasts.items()
    }
    exact = np.any([own == 0 for own in errors.values()], axis=0)
    logs = {number: 100 * np.log(own[~exact]) for number, own in errors.items()}
    return {
        "scores": {str(number): score for number, score in scores.items()},
        "found": found,
        "worst": worst,
        "beside_worst": (logs[found] - logs[worst]).tolist(),
        "beside_default": (logs[found] - logs[max(logs)]).tolist(),
    }


def rows_of(
    name: str, held: Sequence[Mapping[str, Any]], out: Path | None
) -> Iterator[dict[str, Any]]:
    """Rows of one set: those that are held already, and the others measured and appended to `out`."""
    panel = None
    for search, run in SEARCHES.items():
        known = [dict(row) for row in held if (row["dataset"], row["search"]) == (name, search)]
        if not known:
            panel = panel or panel_of(name)
            found = measure(panel, run)
            known = [{"dataset": name, "search": search, **found, "commit": machine.commit()}]
            append_rows(out, known)
        yield known[-1]


def page_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table in Markdown, one line for each set and search."""
    lines = [
        [
            row["dataset"],
            row["search"],
            str(row["found"]),
            str(row["worst"]),
            *(_mean(row[key]) for key in _GAINS),
            str(len(row["beside_worst"])),
        ]
        for row in rows
    ]
    columns = ("set", "search", "found", "least liked", *_GAINS.values(), "series")
    return markdown_table(columns, lines)


_GAINS = {"beside_worst": "error beside the least liked", "beside_default": "beside all of a cycle"}


def _mean(values: Sequence[float]) -> str:
    """Mean and standard error, in percent."""
    return f"{np.mean(values):+.1f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.1f} %"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and print or write the table."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--page", type=Path, help="file to write the table to; the terminal")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two are slower on problems of this size
    held = read_lines(options.out) if options.out and options.out.exists() else []
    rows = []
    for name in options.datasets:
        new = list(rows_of(name, held, options.out))
        rows += new
        show(f"{name}: {len(new)} rows")
    write_page(page_of(rows), options.page)


if __name__ == "__main__":
    main()

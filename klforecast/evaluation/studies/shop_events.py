"""What events that shops share are worth: a panel of daily sales, three years, in per cent of levels that drift.

    python -m klforecast.evaluation.studies.shop_events --draws 4 --out rows.jsonl

A week, twelve days before Christmas, closed days, a Friday of sales and a summer; each shop has these in its own size,
and three of ten opened later. The default is beside the same with the events of each shop alone, and without any.
Errors are in per cent of the mean sales of a shop.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.choices import constants_set
from klforecast.evaluation.studies.command import make_parser, make_table, show
from klforecast.evaluation.studies.draws import NINE, compare_draws, scores_of

_FIRST, _CUTOFF = "2015-01-01", "2017-11-20"
_YEARS, _HORIZON = 3, 60  # Decembers of which the last is ahead, and days that hold it
_SHOPS, _YOUNG = 20, 0.3  # and the share of those that opened 200 to 600 days later
_NOISES = (0.1, 0.25)  # of the level
_WEEK = np.array([-0.1, -0.15, -0.1, 0.0, 0.15, 0.3, -0.1])  # of the level, from Monday on
_SCORES = ("mae", "crps", "held")
# No panel of the study has so many series.
_ALONE = {"estimators.shared_events:_LEAST_SERIES": _SHOPS + 1}
_CHOSEN_ON = 2  # draws 0 and 1, which constants were looked at on and which are not scored


def draw(noise: float, random_state: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the rows that are known, and those that follow.

    Examples
    --------
    >>> past, future = draw(noise=0.1, random_state=0)
    >>> past.index.nlevels, len(future)
    (2, 1200)
    """
    rng = np.random.default_rng(random_state)
    index = pd.date_range(_FIRST, periods=(_YEARS + 1) * 365, name="day")
    events, week = _events(index), _WEEK[index.dayofweek]
    known, future = {}, {}
    for shop in range(_SHOPS):
        level, size, swing = np.exp(rng.normal([4.0, 0.0, 0.0], [1.0, 0.3, 0.3]))
        drift = np.exp(np.cumsum(rng.normal(0, 0.004, len(index))))
        chance = 1 + noise * rng.standard_normal(len(index))
        rows = level * drift * (1 + swing * week) * (1 + size * events) * chance
        opened = rng.integers(200, 600) if rng.random() < _YOUNG else 0
        sales = pd.Series(np.maximum(rows, 0.01 * level), index)
        known[f"shop {shop}"] = sales[:_CUTOFF].iloc[opened:]
        future[f"shop {shop}"] = sales[_CUTOFF:].iloc[1 : 1 + _HORIZON]
    past, ahead = (pd.concat(part, names=["shop"]).to_frame("sales") for part in (known, future))
    return past, ahead


def _events(index: pd.DatetimeIndex) -> np.ndarray:
    """In parts of the level."""
    left = (pd.to_datetime(index.year.astype(str) + "-12-25") - index).days.to_numpy()
    friday = (index.month == 11) & (index.dayofweek == 4) & (index.day >= 23) & (index.day <= 29)
    summer = ((index.month == 7) & (index.day > 20)) | ((index.month == 8) & (index.day < 15))
    closed = ((left == 0) | (left == -1)) * 0.6 + (index.dayofyear == 1) * 0.5
    return 0.4 * ((left >= 1) & (left <= 12)) + 0.25 * friday - 0.2 * summer - closed


def compare(noise: float, random_state: int) -> dict[str, Any]:
    """Errors of one draw, means over shops and days."""
    past, future = draw(noise, random_state)
    row: dict[str, Any] = {"noise": noise, "draw": random_state}
    kinds: tuple[tuple[str, int | None, dict[str, Any]], ...] = (
        ("without", 7, {}),
        ("alone", None, _ALONE),
        ("shared", None, {}),
    )
    for kind, period, constants in kinds:
        with one_thread(), constants_set(constants):
            forecaster = KLMemoryForecaster(_HORIZON, period=period).fit(past)
        level = past["sales"].groupby("shop", sort=False).mean()
        units = level[future.index.get_level_values("shop")].to_numpy()
        quantiles = forecaster.predict_quantiles(alpha=list(NINE)).loc[future.index].to_numpy()
        point = forecaster.predict().loc[future.index, "sales"].to_numpy()
        row |= scores_of(kind, point, quantiles, future["sales"].to_numpy(), units)
    return row


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each noise, means over its draws."""
    kinds = ("without", "alone", "shared")
    columns = [f"{score} {kind}" for score in ("MAE", "CRPS", "80 %") for kind in kinds]
    means = pd.DataFrame(rows).groupby("noise").mean()
    lines = [
        [f"{noise:.0%}", *(f"{mean[f'{score}_{kind}']:.1%}" for score in _SCORES for kind in kinds)]
        for noise, mean in means.iterrows()
    ]
    return make_table("daily sales of twenty shops", ["noise", *columns], lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--draws", type=int, default=4)
    options = parser.parse_args(arguments)
    draws = range(_CHOSEN_ON, _CHOSEN_ON + options.draws)
    show(table(compare_draws(compare, _NOISES, draws, options.out)))


if __name__ == "__main__":
    main()

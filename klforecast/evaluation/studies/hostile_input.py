"""What the forecaster makes of thousands of generated hostile inputs: an answer, a refusal, or a fault.

    python -m klforecast.evaluation.studies.hostile_input --cases 5000

A case is a series or two, perhaps with covariates, a setting and a horizon, of which some make no sense:
magnitudes from 1e-320 to 1e308, constants, spikes, missing values, odd indices, dates for integers, sizes of a
billion. It goes through fit, predict, predict_interval, update and predict_interval again. An answer has finite
numbers only. A refusal is an error that this package raises on purpose. All else is a fault: an error from
somewhere below, or a number that is none.
"""

import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.studies.command import make_parser, make_table, show

# Daily values, a week as their cycle.
_SHAPES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "noise": lambda time, rng: rng.normal(size=len(time)),
    "constant": lambda time, rng: np.ones(len(time)),
    "step": lambda time, rng: (time >= len(time) // 2).astype(float),
    "spike": lambda time, rng: (time == len(time) // 2).astype(float),
    "cycle": lambda time, rng: np.sin(time * 2 * np.pi / 7),
    "line": lambda time, rng: time.astype(float),
    "walk": lambda time, rng: rng.normal(size=len(time)).cumsum(),
    "zeros": lambda time, rng: np.zeros(len(time)),
    "sparse": lambda time, rng: rng.normal(size=len(time)) * (rng.random(len(time)) < 0.1),
    "twins": lambda time, rng: rng.choice([-1.0, 1.0], size=len(time)),
}
# Of ten: mostly one, and else up to the ends of float64, its square root and that of float32.
_EXPONENTS = (0, 0, 0, 0, -320, -300, -160, -30, -8, 8, 30, 150, 160, 300, 308)
# Kinds of index that pandas has, with and without a step that the forecaster can follow.
_INDICES: tuple[Callable[[int], pd.Index], ...] = (
    pd.RangeIndex,
    lambda n: pd.RangeIndex(7, 7 + n),
    lambda n: pd.RangeIndex(2**63 - 2 - n, 2**63 - 2),
    lambda n: pd.Index(np.arange(n, dtype=np.uint64)),
    lambda n: pd.date_range("2024-01-01", periods=n, freq="h"),
    lambda n: pd.date_range("2024-03-30", periods=n, freq="h", tz="Europe/Berlin"),
    lambda n: pd.date_range("2024-01-01", periods=n, freq="BME"),
    lambda n: pd.date_range("2024-01-01", periods=n, freq="SMS"),
    lambda n: pd.period_range("2000-01", periods=n, freq="M"),
    lambda n: pd.RangeIndex(n)[::-1],
    lambda n: pd.Index(np.arange(n) // 2),
    lambda n: pd.Index(np.arange(n) * 3),
    lambda n: pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(n) ** 2, "h"),
    lambda n: pd.to_timedelta(np.arange(n), "h"),
    lambda n: pd.Index([f"row {i}" for i in range(n)]),
    lambda n: pd.Index(np.arange(n) * 0.5),
)
_SANE_INDICES = (0, 1, 4, 6, 8)  # places of those that a series can be forecast on
# The first is sensible; the others are what users and mistakes pass.
_HORIZONS: tuple[Any, ...] = (
    [1, 2, 9],
    3,
    None,
    [0, 1],
    [],
    [True],
    [1.5],
    "3",
    10**9,
    [2**62],
    pd.date_range("2024-06-01", periods=2),
    pd.period_range("2024-06", periods=2, freq="M"),
    pd.to_timedelta([1, 2], "h"),
)
# The first two of each make sense together with series of 70 rows; the others need not.
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "horizon": (1, 2, 4, 4, 10**9, -1, "4"),
    "input_length": (None, None, 1, 4, 10**9),
    "memory_depth": (None, None, 6, 12, 10**9),
    "period": (None, 1, 7, 10**9, 0),
    "n_components": (None, None, 2, 10**9),
    "memory": ("history", "none", ["history"], None),
    "forgetting": (1.0, 1.0, 0.9, 0.0, np.nan),
    "random_state": (None, 0, "seed", -1, 1.5),
    "device": ("auto", "cpu", "gpu", "cuda:99", 3),
    "callbacks": (None, [], 3, [3]),
    "linear_core": (True, True, "yes", pd.Series([True])),
}
_HOSTILE = 0.04  # of the settings of a case: with more of them nothing would come beyond `fit`


KINDS = ("answer", "refusal", "foreign error", "not finite")
"""What can come of a case."""


class Outcome(NamedTuple):
    """What came of a case.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    detail : str
        Where and what, for a fault.
    """

    kind: str
    detail: str = ""


def run_case(seed: int) -> Outcome:
    """Make a case from its seed and run it to its end, or to the first refusal or fault."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 70))
    settings = {name: _setting(values, rng) for name, values in _SETTINGS.items()}
    sane = rng.random() < 0.8
    make_index = _INDICES[rng.choice(_SANE_INDICES) if sane else rng.integers(len(_INDICES))]
    index = make_index(rows + 9)
    y = pd.DataFrame(_columns(rows + 9, int(rng.integers(1, 3)), rng), index)
    X = _covariates(index, rng) if rng.random() < 0.4 else None
    fh = _HORIZONS[0 if rng.random() < 0.7 else rng.integers(len(_HORIZONS))]
    known = max(1, rows - 5)
    try:
        # Such input earns warnings; what is judged are errors and numbers.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecaster = KLMemoryForecaster(**settings)
            forecaster.fit(y[:known], X=None if X is None else X[:known])
            ahead = None if X is None else X[known:]
            answers = [forecaster.predict(fh, X=ahead), forecaster.predict_interval(fh, X=ahead)]
            forecaster.update(
                y[known:rows],
                X=None if X is None else X[known:rows],
                update_params=bool(rng.integers(2)),
            )
            ahead = None if X is None else X[rows:]
            answers.append(forecaster.predict_interval(fh, X=ahead))
    except Exception as error:  # whatever comes is what is asked for here
        return _judged(error)
    for answer in answers:
        if not np.isfinite(answer.to_numpy(dtype=float)).all():
            return Outcome("not finite", str(answer))
    return Outcome("answer")


def _setting(values: Sequence[Any], rng: np.random.Generator) -> Any:
    """The first ones, which make sense, most of the time."""
    return values[int(rng.integers(len(values) if rng.random() < _HOSTILE else 2))]


def _columns(rows: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return np.stack([_column(rows, rng) for _ in range(width)], axis=1)


def _column(rows: int, rng: np.random.Generator) -> np.ndarray:
    shape = _SHAPES[str(rng.choice(list(_SHAPES)))]
    offset = rng.choice([0.0, 0.0, 1.0, -1e6])
    with np.errstate(all="ignore"):
        values = (shape(np.arange(rows), rng) + offset) * 10.0 ** float(rng.choice(_EXPONENTS))
    values = np.clip(values, -1.7e308, 1.7e308)
    if rng.random() < 0.3:
        values[rng.random(rows) < rng.choice([0.05, 0.3, 0.9])] = np.nan
    if rng.random() < 0.02:
        values[rng.integers(rows)] = rng.choice([np.inf, -np.inf])
    return values


def _covariates(index: pd.Index, rng: np.random.Generator) -> pd.DataFrame:
    X = pd.DataFrame(np.nan_to_num(_columns(len(index), 2, rng)), index, ["a", "b"])
    oddity = rng.integers(12)
    if oddity == 0:
        return X.assign(a=np.nan)
    if oddity == 1:
        return X.astype(object)
    if oddity == 2:
        return X[[]]
    if oddity == 3:
        return X.set_axis(pd.date_range("1999-01-01", periods=len(X)))
    if oddity == 4:
        return X.assign(a="word")
    return X


def _judged(error: Exception) -> Outcome:
    place = traceback.extract_tb(error.__traceback__)[-1]
    on_purpose = "klforecast" in place.filename and (place.line or "").startswith("raise")
    if on_purpose and isinstance(error, TypeError | ValueError | NotImplementedError):
        return Outcome("refusal")
    return Outcome(
        "foreign error", f"{type(error).__name__} in {place.name}: {str(error).splitlines()[:1]}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how often each outcome came, and the faults with their seeds."""
    parser = make_parser(__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    options = parser.parse_args(arguments)
    outcomes = {
        seed: run_case(seed) for seed in range(options.first, options.first + options.cases)
    }
    counts = Counter(outcome.kind for outcome in outcomes.values())
    lines = [(kind, str(counts[kind])) for kind in KINDS]
    show(make_table(f"{options.cases} hostile inputs", ("outcome", "cases"), lines))
    faults = [
        (str(seed), outcome.kind, outcome.detail)
        for seed, outcome in outcomes.items()
        if outcome.detail
    ]
    if faults:
        show(make_table("Faults", ("seed", "fault", "detail"), faults, left=3))


if __name__ == "__main__":
    main()

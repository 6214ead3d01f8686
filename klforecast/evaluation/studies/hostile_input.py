"""What the forecaster makes of thousands of generated hostile inputs: an answer, a refusal, or a fault.

    python -m klforecast.evaluation.studies.hostile_input --cases 5000

A case is a series, a panel or a hierarchy of unequal lengths, perhaps with covariates, known ahead or not, a setting
and a horizon, of which some make no sense: magnitudes from 1e-320 to 1e308, constants, spikes, missing values, odd
indices, dates for integers, sizes of a billion. It goes through fit, forecasts of several kinds, perhaps a file, an
update of some of the series, and forecasts again. An answer has finite numbers only. A refusal is an error that this
package raises on purpose. All else is a fault: an error from somewhere below, or a number that is none.
"""

import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
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
# Beside the point forecast; some levels make no sense, most do.
_FORECASTS: tuple[Callable[..., Any], ...] = (
    lambda forecaster, fh, X: forecaster.predict_interval(fh, X=X),
    lambda forecaster, fh, X: forecaster.predict_interval(fh, X=X, coverage=[0.5, 0.999]),
    lambda forecaster, fh, X: forecaster.predict_quantiles(fh, X=X, alpha=[0.001, 0.5, 0.999]),
    lambda forecaster, fh, X: forecaster.predict_var(fh, X=X),
    lambda forecaster, fh, X: forecaster.predict_proba(fh, X=X).quantile([0.1, 0.9]),
    lambda forecaster, fh, X: forecaster.predict_interval(fh, X=X, coverage="most"),
    lambda forecaster, fh, X: forecaster.predict_quantiles(fh, X=X, alpha=[2.0, None]),
)
_SANE_FORECASTS = 5
_KEYS: tuple[tuple[tuple[str, ...], ...], ...] = (
    ((),),
    (("a",), ("b",), ("c",)),
    (("a", "u"), ("a", "v"), ("b", "u")),
)
_LATER = (
    9  # rows of a series that `fit` does not see: some for the update, some for covariates ahead
)
_PAST: tuple[Any, ...] = (None, ["a"], ["a", "b"], "a", [3], ["z"])  # the last three make no sense
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


class _Case(NamedTuple):
    """Series and covariates by the labels of the series, and what is asked of the forecaster."""

    y: Mapping[tuple[str, ...], pd.DataFrame]
    X: Mapping[tuple[str, ...], pd.DataFrame] | None
    settings: Mapping[str, Any]
    fh: Any
    forecast: Callable[..., Any]
    learns: bool
    is_filed: bool
    updated: Sequence[tuple[str, ...]]


def run_case(seed: int) -> Outcome:
    """Make a case from its seed and run it to its end, or to the first refusal or fault."""
    case = _make_case(np.random.default_rng(seed))
    try:
        # Such input earns warnings; what is judged are errors and numbers.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for answer in _answers(case):
                if not np.isfinite(np.asarray(answer, dtype=float)).all():
                    return Outcome("not finite", str(answer))
    except Exception as error:  # whatever comes is what is asked for here
        return _judged(error)
    return Outcome("answer")


def _make_case(rng: np.random.Generator) -> _Case:
    sane = rng.random() < 0.8
    make_index = _INDICES[rng.choice(_SANE_INDICES) if sane else rng.integers(len(_INDICES))]
    keys, width = _KEYS[rng.choice([0, 0, 0, 1, 2])], int(rng.integers(1, 3))
    indices = {key: make_index(int(rng.integers(2, 70)) + _LATER) for key in keys}
    settings = {name: _setting(values, rng) for name, values in _SETTINGS.items()}
    y = {
        key: pd.DataFrame(_columns(len(index), width, rng), index) for key, index in indices.items()
    }
    X = None
    if rng.random() < 0.4:
        oddity = int(rng.integers(14))
        X = {key: _covariates(index, oddity, rng) for key, index in indices.items()}
        settings["past_covariates"] = _PAST[rng.integers(len(_PAST) if rng.random() < 0.2 else 3)]
    updated = [key for key in keys if rng.random() < 0.7] or [keys[0]]
    return _Case(
        y,
        X,
        settings,
        _HORIZONS[0 if rng.random() < 0.7 else rng.integers(len(_HORIZONS))],
        _FORECASTS[rng.integers(_SANE_FORECASTS if rng.random() < 0.95 else len(_FORECASTS))],
        bool(rng.integers(2)),
        rng.random() < 0.1,
        updated,
    )


def _answers(case: _Case) -> Iterator[Any]:
    known = {key: slice(None, max(2, len(rows) - _LATER - 5)) for key, rows in case.y.items()}
    new = {key: slice(known[key].stop, max(3, len(case.y[key]) - _LATER)) for key in case.updated}
    ahead = {key: slice(part.stop, None) for key, part in known.items()}
    later = ahead | {key: slice(part.stop, None) for key, part in new.items()}
    forecaster = KLMemoryForecaster(**case.settings)
    forecaster.fit(_joined(case.y, known), X=_joined(case.X, known))
    yield forecaster.predict(case.fh, X=_joined(case.X, ahead))
    yield case.forecast(forecaster, case.fh, _joined(case.X, ahead))
    if case.is_filed:
        with tempfile.TemporaryDirectory() as folder:
            forecaster.save(Path(folder) / "case.safetensors")
            forecaster = KLMemoryForecaster.load(Path(folder) / "case.safetensors")
    forecaster.update(_joined(case.y, new), X=_joined(case.X, new), update_params=case.learns)
    yield forecaster.predict(case.fh, X=_joined(case.X, later))
    yield case.forecast(forecaster, case.fh, _joined(case.X, later))
    if () in case.y:
        rows = case.y[()]
        X = None if case.X is None else case.X[()]
        cutoffs = [len(rows) // 2 + 1, len(rows) - _LATER]
        yield forecaster.predict_windows(rows, cutoffs, X=X, alpha=[0.1, 0.9])


def _joined(
    series: Mapping[tuple[str, ...], pd.DataFrame] | None,
    rows: Mapping[tuple[str, ...], slice],
) -> pd.DataFrame | None:
    """Some rows of some series in one frame, with levels for their labels."""
    if series is None:
        return None
    parts = {key: series[key].iloc[part] for key, part in rows.items()}
    if () in parts:
        return parts[()]
    names = ["shop", "article"][: len(next(iter(parts)))]
    return pd.concat(
        {key if len(key) > 1 else key[0]: part for key, part in parts.items()},
        names=[*names, "time"],
    )


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


def _covariates(index: pd.Index, oddity: int, rng: np.random.Generator) -> pd.DataFrame:
    X = pd.DataFrame(np.nan_to_num(_columns(len(index), 2, rng)), index, ["a", "b"])
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

"""Whatever comes in, a finite answer of the right shape goes out, or a documented error.

Each property is run on generated rows: every size from none to some hundred, every magnitude from
1e-300 to 1e300, constants, steps, spikes, missing values, all kinds of index and of number. After an
error the estimator is what it was before.

An estimator joins by a strategy of calls and a test like those below.
"""

import traceback
import warnings

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from klforecast import KarhunenLoeve, KLMemoryForecaster, KLMemoryRegressor
from klforecast.exceptions import NumericalWarning

# Where a documented error is raised: on purpose, in our own code or by the checks of the libraries.
REFUSALS = ("klforecast/", "sklearn/utils/", "sktime/datatypes/", "sktime/forecasting/base/")


def cases(count):
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a failure is told as it came: making it smaller takes minutes
        suppress_health_check=list(HealthCheck),
    )


SHAPES = ("noise", "constant", "step", "spike", "cycle", "line", "walk", "zeros", "sparse", "twins")


@st.composite
def columns(draw, rows):
    """One channel: a shape, a magnitude, an offset."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    time = np.arange(rows)
    shape = draw(st.sampled_from(SHAPES))
    values = {
        "noise": rng.normal(size=rows),
        "constant": np.ones(rows),
        "step": (time >= rows // 2).astype(float),
        "spike": (time == rows // 2).astype(float),
        "cycle": np.sin(time * 2 * np.pi / 7),
        "line": time.astype(float),
        "walk": rng.normal(size=rows).cumsum(),
        "zeros": np.zeros(rows),
        "sparse": rng.normal(size=rows) * (rng.random(rows) < 0.1),
        "twins": rng.choice([-1.0, 1.0], size=rows),
    }[shape]
    exponent = draw(st.sampled_from([0, 0, 0, -300, -160, -30, -8, 8, 30, 150, 160, 300]))
    offset = draw(st.sampled_from([0.0, 0.0, 1.0, -1e6]))
    return (values + offset) * 10.0**exponent


@st.composite
def tables(draw, least=0, most=60, widest=3):
    """Numbers of one table, (rows, columns), with now and then a value that is none."""
    rows = draw(st.one_of(st.integers(least, 12), st.integers(least, most)))
    width = draw(st.integers(1, widest))
    values = np.stack([draw(columns(rows)) for _ in range(width)], axis=1)
    if rows and draw(st.integers(0, 9)) == 0:
        values[draw(st.integers(0, rows - 1)), 0] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return values


DTYPES = (float, float, np.float32, int, object, bool, "Float64", str)


def as_type(frame, dtype):
    """The frame in another type, or as it is where its numbers do not fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return frame.astype(dtype)
        except (ValueError, OverflowError):
            return frame


INDICES = {
    "range": lambda n: pd.RangeIndex(n),
    "later": lambda n: pd.RangeIndex(7, 7 + n),
    "hours": lambda n: pd.date_range("2024-01-01", periods=n, freq="h"),
    "zone": lambda n: pd.date_range("2024-03-30", periods=n, freq="h", tz="Europe/Berlin"),
    "business": lambda n: pd.date_range("2024-01-01", periods=n, freq="B"),
    "months": lambda n: pd.date_range("2000-01-31", periods=n, freq="ME"),
    "periods": lambda n: pd.period_range("2000-01", periods=n, freq="M"),
    "backwards": lambda n: pd.RangeIndex(n)[::-1],
    "twice": lambda n: pd.Index(np.arange(n) // 2),
    "holes": lambda n: pd.Index(np.arange(n) * 3),
    "irregular": lambda n: pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(n) ** 2, "h"),
    "words": lambda n: pd.Index([f"row {i}" for i in range(n)]),
    "numbers": lambda n: pd.Index(np.arange(n) * 0.5),
}


@st.composite
def frames(draw, **sizes):
    values = draw(tables(**sizes))
    kinds = list(INDICES) if draw(st.integers(0, 3)) == 0 else ["range", "hours", "periods"]
    index = INDICES[draw(st.sampled_from(kinds))](len(values))
    frame = pd.DataFrame(values, index, columns=list("abcdef")[: values.shape[1]])
    return as_type(frame, draw(st.sampled_from(DTYPES))) if draw(st.booleans()) else frame


def answer(estimator, state_of, call):
    """The result, or None after a documented error, which leaves the estimator as it was."""
    before = state_of(estimator)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for documented in (UserWarning, NumericalWarning):
                warnings.simplefilter("ignore", documented)
            # scikit-learn adds up all values to see whether they are finite.
            warnings.filterwarnings("ignore", "invalid value encountered in reduce")
            return call()
    except (ValueError, TypeError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        if not place.line.startswith("raise") or not any(
            part in place.filename for part in REFUSALS
        ):
            raise
        assert state_of(estimator) == before
        return None


FORECASTERS = st.builds(
    KLMemoryForecaster,
    horizon=st.integers(1, 4),
    input_length=st.sampled_from([None, 1, 4]),
    memory_depth=st.sampled_from([None, 6, 12]),
    period=st.sampled_from([None, 1, 7]),
    n_components=st.sampled_from([None, 2]),
    memory=st.sampled_from(["history", "none"]),
    forgetting=st.sampled_from([1.0, 1.0, 0.9]),
)


def check_forecast(forecaster, y, state_of, fh):
    forecast = answer(forecaster, state_of, lambda: forecaster.predict(fh=fh))
    assert forecast is not None, "a fitted forecaster forecasts"
    assert forecast.shape == (len(fh), np.shape(y)[1] if np.ndim(y) > 1 else 1)
    assert np.isfinite(forecast.to_numpy(dtype=float)).all()
    assert len(forecast.index) == len(fh)
    assert forecast.index.is_monotonic_increasing


@cases(300)
@given(
    FORECASTERS,
    frames(),
    st.integers(0, 60),
    st.sets(st.integers(1, 9), min_size=1),
    st.booleans(),
    st.booleans(),
)
def test_a_forecaster_forecasts_and_follows_or_says_why_not(
    state_of, forecaster, y, n_known, fh, update_params, overlapping
):
    known, new = y[:n_known], y[max(0, n_known - 3 * overlapping) :]
    if answer(forecaster, state_of, lambda: forecaster.fit(known)) is None:
        return
    check_forecast(forecaster, y, state_of, sorted(fh))
    answer(forecaster, state_of, lambda: forecaster.update(new, update_params=update_params))
    check_forecast(forecaster, y, state_of, [1, 5])


@cases(300)
@given(
    st.builds(
        KLMemoryRegressor,
        n_components=st.sampled_from([None, 1, 3]),
        ridge=st.sampled_from([0.0, 1e-4, 10.0]),
        center=st.sampled_from([0, 1, 2]),
    ),
    frames(widest=6),
    st.data(),
)
def test_a_regressor_forecasts_or_says_why_not(state_of, regressor, X, data):
    y = np.stack([data.draw(columns(len(X))) for _ in range(2)], axis=1)
    y = y[:, 0] if data.draw(st.booleans()) else y
    if answer(regressor, state_of, lambda: regressor.fit(X, y)) is not None:
        forecast = answer(regressor, state_of, lambda: regressor.predict(X))
        assert forecast is not None
        assert forecast.shape == y.shape
        assert np.isfinite(forecast).all()


@cases(300)
@given(
    st.builds(
        KarhunenLoeve,
        n_components=st.sampled_from([None, 1, 3]),
        solver=st.sampled_from(["exact", "online"]),
        forgetting=st.sampled_from([1.0, 0.9]),
        whiten=st.booleans(),
    ),
    frames(widest=6),
    st.booleans(),
)
def test_a_transform_gives_scores_or_says_why_not(state_of, transform, X, in_parts):
    learn = transform.partial_fit if in_parts else transform.fit
    half = len(X) // 2
    if answer(transform, state_of, lambda: learn(X[:half] if in_parts else X)) is None:
        return
    if in_parts:
        answer(transform, state_of, lambda: learn(X[half:]))
    scores = answer(transform, state_of, lambda: transform.transform(X))
    if scores is not None:
        assert scores.shape == (len(X), transform.n_components_)
        assert np.isfinite(scores).all()
        rows = transform.inverse_transform(scores)
        assert np.isfinite(rows).all()

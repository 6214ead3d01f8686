"""What holds for every estimator of the package is asked of every one: a new one joins `CASES`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

import klforecast.estimators
from klforecast import (
    KarhunenLoeve,
    KLMemoryDetector,
    KLMemoryForecaster,
    KLMemoryRegressor,
    LongForecaster,
    ReconciledForecaster,
    SpectralFeatures,
    SpectralPanelFeatures,
    SpectralSSMClassifier,
    SpectralSSMPanelClassifier,
    SpectralSSMPanelRegressor,
    SpectralSSMRegressor,
)

SEQUENCES = {"n_filters": 32, "random_state": 0}
NETWORKS = SEQUENCES | {
    "solver": "gradient",
    "n_estimators": 1,
    "d_model": 8,
    "n_modes": 4,
    "n_heads": 2,
    "max_epochs": 1,
}


class Case(NamedTuple):
    """An estimator, how it learns from rows and answers for rows, and how it goes on with some."""

    make: Callable[[], Any]
    learn: Callable[[Any, np.ndarray], Any]
    answer: Callable[[Any, np.ndarray], Any]
    go_on: Callable[[Any, np.ndarray], Any] | None = None


def labels(rows):
    return np.arange(len(rows)) % 2


def numbers(rows):
    return np.linspace(0.0, 1.0, len(rows))


def series(rows):
    """Rows as the series of a panel, each of two channels."""
    if not len(rows):
        return rows.reshape(0, 2, 12)  # sktime asks a list without frames for its first
    return [pd.DataFrame(row.reshape(2, -1).T, columns=["a", "b"]) for row in rows]


def dated(rows, start=0):
    index = pd.date_range("2024-01-01", periods=len(rows), freq="h") + pd.Timedelta(start, "h")
    return pd.DataFrame(rows[:, :2], index, columns=["load", "heat"])


def long(rows):
    frame = dated(rows)["load"].rename("y").rename_axis("ds").reset_index()
    return frame.assign(unique_id="a")


def regions(rows, start=0):
    """Columns of rows as the series of a hierarchy."""
    frame = dated(rows, start)
    return pd.concat(
        {name: frame[[name]].set_axis(["y"], axis=1) for name in frame}, names=["id", "ds"]
    )


def predict(estimator, rows):
    return estimator.predict(rows)


def transform(estimator, rows):
    return estimator.transform(rows)


def probabilities(estimator, rows):
    return estimator.predict_proba(rows)


CASES = {
    "KarhunenLoeve": Case(
        lambda: KarhunenLoeve(3),
        lambda e, rows: e.fit(rows),
        transform,
        lambda e, rows: e.partial_fit(rows),
    ),
    "KarhunenLoeve, online": Case(
        lambda: KarhunenLoeve(3, solver="online", forgetting=0.9),
        lambda e, rows: e.partial_fit(rows),
        transform,
        lambda e, rows: e.partial_fit(rows),
    ),
    "KLMemoryRegressor": Case(
        KLMemoryRegressor, lambda e, rows: e.fit(rows, numbers(rows)), predict
    ),
    "KLMemoryForecaster": Case(
        lambda: KLMemoryForecaster(3),
        lambda e, rows: e.fit(dated(rows)),
        lambda e, rows: e.predict_windows(dated(rows), [len(rows)]),
        lambda e, rows: e.update(dated(rows, start=40)),
    ),
    "KLMemoryForecaster, encoder": Case(
        lambda: KLMemoryForecaster(
            3, encoder="gru", d_model=8, max_epochs=1, linear_core=False, random_state=0
        ),
        lambda e, rows: e.fit(dated(rows)),
        lambda e, rows: e.predict_windows(dated(rows), [len(rows)]),
    ),
    "KLMemoryDetector": Case(
        lambda: KLMemoryDetector(0.02),
        lambda e, rows: e.fit(dated(rows)),
        lambda e, rows: e.verdicts(dated(rows))["p_value"],
        lambda e, rows: e.update(dated(rows, start=40)),
    ),
    "LongForecaster": Case(
        lambda: LongForecaster(KLMemoryForecaster(3)),
        lambda e, rows: e.fit(long(rows)),
        lambda e, rows: e.forecast(long(rows), 2)["KLMemoryForecaster"],
    ),
    "ReconciledForecaster": Case(
        lambda: ReconciledForecaster(KLMemoryForecaster(3, local_experts=False)),
        lambda e, rows: e.fit(regions(rows)),
        lambda e, rows: e.clone().fit(regions(rows)).predict([1, 2, 3]),
        lambda e, rows: e.update(regions(rows, start=40)),
    ),
    "SpectralSSMClassifier": Case(
        lambda: SpectralSSMClassifier(**SEQUENCES),
        lambda e, rows: e.fit(rows, labels(rows)),
        probabilities,
    ),
    "SpectralSSMClassifier, networks": Case(
        lambda: SpectralSSMClassifier(**NETWORKS),
        lambda e, rows: e.fit(rows, labels(rows)),
        probabilities,
    ),
    "SpectralSSMPanelClassifier": Case(
        lambda: SpectralSSMPanelClassifier(**SEQUENCES),
        lambda e, rows: e.fit(series(rows), labels(rows)),
        lambda e, rows: e.predict_proba(series(rows)),
    ),
    "SpectralSSMRegressor": Case(
        lambda: SpectralSSMRegressor(**SEQUENCES),
        lambda e, rows: e.fit(rows, numbers(rows)),
        predict,
    ),
    "SpectralSSMPanelRegressor": Case(
        lambda: SpectralSSMPanelRegressor(**SEQUENCES),
        lambda e, rows: e.fit(series(rows), numbers(rows)),
        lambda e, rows: e.predict(series(rows)),
    ),
    "SpectralFeatures": Case(
        lambda: SpectralFeatures(**SEQUENCES), lambda e, rows: e.fit(rows), transform
    ),
    "SpectralPanelFeatures": Case(
        lambda: SpectralPanelFeatures(**SEQUENCES),
        lambda e, rows: e.fit(series(rows)),
        lambda e, rows: e.transform(series(rows)),
    ),
}
WITH_SERIES = [name for name in CASES if name.startswith("Spectral")]


def of(name: str) -> str:
    """Class of a case."""
    return name.partition(",")[0]


def array(answer) -> np.ndarray:
    return np.asarray(answer, dtype=np.float64)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Waves in noise, (40, 24): rows of a table, or series of 24 steps."""
    rng = np.random.default_rng(0)
    turns = np.arange(24) * (0.5 + 0.25 * (np.arange(40) % 2)[:, None])
    return np.sin(turns) + 0.3 * rng.normal(size=(40, 24))


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture
def fitted(case, rows):
    return case.learn(case.make(), rows)


def test_every_estimator_is_asked():
    options = {"MemoryOptions"}  # of an estimator, which learn nothing
    assert {of(name) for name in CASES} == set(klforecast.estimators.__all__) - options


# Weights of networks are drawn in the default dtype, and so are others.
DRAWN = ("KLMemoryForecaster, encoder", "SpectralSSMClassifier, networks")


@pytest.mark.parametrize("name", CASES)
def test_a_float64_default_of_torch_changes_no_answer(name, rows):
    case = CASES[name]
    expected = array(case.answer(case.learn(case.make(), rows), rows))
    torch.set_default_dtype(torch.float64)
    try:
        answer = array(case.answer(case.learn(case.make(), rows), rows))
    finally:
        torch.set_default_dtype(torch.float32)
    if name in DRAWN:
        assert np.isfinite(answer).all()
    else:
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


def test_a_reversed_view_is_learned_from_as_its_copy(case, fitted, rows):
    view = np.ascontiguousarray(rows[::-1, ::-1])[::-1, ::-1]
    assert min(view.strides) < 0
    answer = array(case.answer(case.learn(case.make(), view), view))
    np.testing.assert_allclose(answer, array(case.answer(fitted, rows)), rtol=1e-9, atol=1e-9)


def spoiled(rows, value):
    rows = rows.copy()
    rows[3] = value
    return rows


BAD = {
    "infinite": lambda rows: spoiled(rows, np.inf),
    "nothing": lambda rows: rows[:0],
}


@pytest.mark.parametrize("bad", BAD)
def test_a_refused_fit_leaves_the_estimator_as_it_was(case, fitted, rows, bad, state_of):
    before = state_of(fitted)
    with pytest.raises((ValueError, TypeError), match=r"[a-z]{2,} .*[a-z]{2,} "):
        case.learn(fitted, BAD[bad](rows))
    assert state_of(fitted) == before


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.go_on])
def test_a_refused_update_leaves_the_estimator_as_it_was(name, rows, bad, state_of):
    case = CASES[name]
    fitted, twin = (case.learn(case.make(), rows) for _ in range(2))
    before = state_of(fitted)
    # An update with nothing is no error for sktime, and for scikit-learn one.
    with pytest.raises((ValueError, TypeError, UserWarning), match=r"[a-z]{2,} .*[a-z]{2,} "):
        case.go_on(fitted, BAD[bad](rows))
    assert state_of(fitted) == before
    for estimator in (fitted, twin):
        case.go_on(estimator, rows[:9])
    np.testing.assert_array_equal(array(case.answer(fitted, rows)), array(case.answer(twin, rows)))


def test_no_rows_have_no_answer_and_say_so(case, fitted, rows, state_of):
    before = state_of(fitted)
    with pytest.raises((ValueError, TypeError), match=r"[a-z]{2,} .*[a-z]{2,} "):
        case.answer(fitted, rows[:0])
    assert state_of(fitted) == before


@pytest.mark.parametrize("name", WITH_SERIES)
def test_series_without_a_step_are_refused(name, rows):
    case = CASES[name]
    fitted = case.learn(case.make(), rows)
    for call in (case.answer, case.learn):
        with pytest.raises((ValueError, TypeError), match=r"[a-z]{2,} .*[a-z]{2,} "):
            call(fitted, rows[:, :0])


@pytest.mark.parametrize("name", WITH_SERIES)
def test_one_padded_series_changes_no_answer_for_the_others(name, rows):
    case = CASES[name]
    fitted = case.learn(case.make(), rows)
    padded = rows.reshape(40, 2, 12).copy()
    padded[3, :, 8:] = np.nan
    kept = np.arange(40) != 3
    answer = array(case.answer(fitted, padded.reshape(40, 24)))
    assert np.isfinite(answer).all()
    np.testing.assert_allclose(
        answer[kept], array(case.answer(fitted, rows))[kept], rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("name", WITH_SERIES)
def test_series_padded_in_training_are_learned_from(name, rows):
    case = CASES[name]
    padded = rows.reshape(40, 2, 12).copy()
    padded[::3, :, 8:] = np.nan
    answer = array(case.answer(case.learn(case.make(), padded.reshape(40, 24)), rows))
    assert np.isfinite(answer).all()


@pytest.mark.parametrize("name", ["KLMemoryForecaster", "KLMemoryDetector", "LongForecaster"])
def test_rows_without_a_value_leave_the_answers_finite(name, rows):
    case = CASES[name]
    gappy = rows.copy()
    gappy[[5, 20, 21]] = np.nan
    answer = array(case.answer(case.learn(case.make(), gappy), gappy))
    observed = ~np.isnan(gappy[:, 0])
    assert np.isfinite(answer[-9:]).all()
    assert len(answer) != len(rows) or np.isnan(answer[~observed]).all()


@pytest.mark.parametrize("name", ["KarhunenLoeve", "KarhunenLoeve, online", "KLMemoryRegressor"])
def test_tables_with_missing_values_are_refused(name, rows, state_of):
    case = CASES[name]
    fitted = case.learn(case.make(), rows)
    before = state_of(fitted)
    for call in (case.answer, case.learn):
        with pytest.raises(ValueError, match="contains NaN"):
            call(fitted, spoiled(rows, np.nan))
    assert state_of(fitted) == before

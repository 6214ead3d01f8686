"""Which numbers an array holds decides what is learned from it, not how they lie in memory."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.karhunen_loeve import KarhunenLoeve
from klforecast.estimators.regressor import KLMemoryRegressor
from klforecast.estimators.spectral_ssm import SpectralSSMClassifier
from klforecast.estimators.spectral_ssm_panel import SpectralSSMPanelClassifier

PACKAGE = Path(__file__).parents[2] / "klforecast"


def _reversed_view(*axes: int):
    """Make a view of the same numbers whose strides along some axes are negative."""

    def view(array: np.ndarray) -> np.ndarray:
        return np.flip(np.flip(array, axes).copy(), axes)

    return view


def _read_only(array: np.ndarray) -> np.ndarray:
    frozen = array.copy()
    frozen.setflags(write=False)
    return frozen


LAYOUTS = {
    "reversed rows": _reversed_view(0),
    "reversed columns": _reversed_view(1),
    "reversed rows and columns": _reversed_view(0, 1),
    "every other column": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
    "Fortran order": np.asfortranarray,
    "read-only": _read_only,
    "big-endian": lambda array: array.astype(">f8"),
}
DTYPES = (np.float16, ">f4", np.longdouble, np.int64, np.uint32, bool)
LABELS = np.arange(40) % 2


def _forecast(rows: np.ndarray, **settings) -> pd.DataFrame:
    forecaster = KLMemoryForecaster(horizon=3, **settings).fit(pd.DataFrame(rows[:, :3]))
    return forecaster.predict([1, 2, 3])


def _forecast_with_covariates(rows: np.ndarray) -> pd.DataFrame:
    y, X = pd.Series(rows[:30, 0]), pd.DataFrame(rows[:, 1:3])
    return KLMemoryForecaster(3, local_experts=False).fit(y, X=X[:30]).predict([1, 2], X=X[30:32])


def _forecast_windows(rows: np.ndarray) -> np.ndarray:
    forecaster = KLMemoryForecaster(2, local_experts=False).fit(pd.DataFrame(rows[:30, :2]))
    return forecaster.predict_windows(rows[:, :2], np.array([34, 36])[::-1])


def _updated(rows: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(rows[:, :2])
    return KLMemoryForecaster(horizon=2).fit(frame[:30]).update(frame[30:]).predict([1, 2])


def _stacked(rows: np.ndarray) -> np.ndarray:
    """The same numbers as series of two channels, views where the rows are one."""
    return rows.reshape(len(rows), 2, -1)


def _panel(rows: np.ndarray) -> list[pd.DataFrame]:
    return [pd.DataFrame(values.T) for values in _stacked(rows)]


LEARNERS = {
    "exact transform": lambda rows: KarhunenLoeve(3).fit(rows).transform(rows),
    "online transform": lambda rows: KarhunenLoeve(3, solver="online").fit_transform(rows),
    "stream": lambda rows: KarhunenLoeve(3).partial_fit(rows[:20]).partial_fit(rows[20:]).mean_,
    "inverse": lambda rows: KarhunenLoeve(3).fit(np.eye(24)).inverse_transform(rows[:, :3]),
    "regressor": lambda rows: (
        KLMemoryRegressor().fit(rows[:, :18], rows[:, 18:]).predict(rows[:, :18])
    ),
    "classifier": lambda rows: (
        SpectralSSMClassifier(n_filters=32, random_state=0).fit(rows, LABELS).predict_proba(rows)
    ),
    "classifier of channels": lambda rows: (
        SpectralSSMClassifier(n_filters=32, random_state=0)
        .fit(_stacked(rows), LABELS[::-1])
        .decision_function(_stacked(rows))
    ),
    "networks": lambda rows: (
        SpectralSSMClassifier(
            "gradient", n_filters=32, n_estimators=1, d_model=8, max_epochs=1, random_state=0
        )
        .fit(rows, LABELS)
        .predict_proba(rows)
    ),
    "panel classifier": lambda rows: (
        SpectralSSMPanelClassifier(n_filters=32, random_state=0)
        .fit(_stacked(rows), LABELS)
        .predict_proba(_stacked(rows))
    ),
    "panel classifier of frames": lambda rows: (
        SpectralSSMPanelClassifier(n_filters=32, random_state=0)
        .fit(_panel(rows), LABELS)
        .predict_proba(_panel(rows))
    ),
    "forecaster": _forecast,
    "forecaster of an encoder": lambda rows: _forecast(
        rows, encoder="dlinear", memory="none", local_experts=False, max_epochs=1, random_state=0
    ),
    "covariates": _forecast_with_covariates,
    "windows": _forecast_windows,
    "update": _updated,
}


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Rows of small whole numbers and zeros and ones, which every type can hold, (40, 24)."""
    return np.random.default_rng(0).integers(-4, 5, (40, 24)).astype(np.float64)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("learner", LEARNERS)
def test_views_are_learned_from_as_their_copies_are(learner, layout, rows):
    learn = LEARNERS[learner]
    view = LAYOUTS[layout](rows)
    np.testing.assert_array_equal(view, rows)
    np.testing.assert_allclose(learn(view), learn(rows), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("learner", LEARNERS)
def test_numbers_of_every_type_are_learned_from_as_doubles(learner, dtype, rows):
    learn = LEARNERS[learner]
    typed = (rows if np.dtype(dtype).kind in "fi" else rows > 0).astype(dtype)
    np.testing.assert_allclose(
        np.asarray(learn(typed), dtype=np.float64),
        learn(typed.astype(np.float64)),
        rtol=1e-9,
        atol=1e-9,
    )


def test_arrays_become_tensors_in_one_place():
    # These convert arrays that they have made themselves, which are plain.
    plain = {"evaluation", "covariates", "saving"}
    callers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if not plain & set(path.parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "from_numpy"
    }
    assert callers == set()

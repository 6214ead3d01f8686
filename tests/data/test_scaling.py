import dataclasses

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from klforecast.data import Standardizer


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal([5.0, -300.0], [0.1, 40.0], size=(200, 2))


def test_it_agrees_with_the_standard_scaler_of_scikit_learn(rows):
    ours = Standardizer.fit(rows[:120]).transform(rows)
    theirs = StandardScaler().fit(rows[:120]).transform(rows)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_rows_after_the_training_part_do_not_move_the_scale(rows):
    changed = rows.copy()
    changed[120:] *= 1000
    assert np.array_equal(
        Standardizer.fit(rows[:120]).transform(rows[:120]),
        Standardizer.fit(changed[:120]).transform(changed[:120]),
    )


def test_the_inverse_gives_the_series_back_in_any_leading_shape(rows):
    standardizer = Standardizer.fit(rows)
    windows = rows.reshape(4, 50, 2)
    back = standardizer.inverse_transform(standardizer.transform(windows))
    np.testing.assert_allclose(back, windows, rtol=1e-12)


@pytest.mark.parametrize("level", [0.0, 5.0, 0.1, 1e-100, 1e100])
def test_a_constant_channel_is_only_centred(level):
    standardizer = Standardizer.fit(np.full((77, 1), level))
    assert standardizer.scale == 1.0
    assert abs(standardizer.transform(np.full((1, 1), level))) <= 1e-15 * max(level, 1.0)


def test_a_channel_that_varies_little_around_a_high_level_is_scaled():
    rows = 1e6 + np.array([[0.0], [1e-3]] * 50)
    np.testing.assert_allclose(Standardizer.fit(rows).scale, 5e-4, rtol=1e-6)


def test_single_precision_comes_out_as_double(rows):
    standardizer = Standardizer.fit(rows.astype(np.float32))
    assert standardizer.mean.dtype == standardizer.transform(rows).dtype == np.float64


def test_a_fitted_standardizer_cannot_be_refitted_in_place(rows):
    standardizer = Standardizer.fit(rows)
    with pytest.raises(dataclasses.FrozenInstanceError):
        standardizer.mean = np.zeros(2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros(3), r"got \(3,\)"),
        (np.zeros((0, 2)), r"at least one row, got \(0, 2\)"),
        (np.array([[1.0, np.nan], [np.inf, 2.0]]), "rows hold 1 infinite values"),
        (np.array([[1.0, np.nan], [3.0, np.nan]]), r"channels \[1\] have no value at all"),
    ],
)
def test_rows_without_a_scale_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        Standardizer.fit(rows)

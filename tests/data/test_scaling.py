import dataclasses

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from klforecast.data import Standardizer
from klforecast.data.scaling import RowStatistics


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
    assert standardizer.scale == max(1.0, 10 * np.finfo(float).eps * abs(level))
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


def test_the_change_over_a_lag_is_the_unit_where_one_is_given():
    line = np.arange(100.0)[:, None]
    assert Standardizer.fit(line, lag=7).scale == pytest.approx(7)
    assert Standardizer.fit(line, lag=50).scale == pytest.approx(33)  # a third of the rows


def test_a_series_that_repeats_itself_after_the_lag_has_a_unit():
    wave = np.sin(np.arange(240) * np.pi / 6)[:, None]
    assert Standardizer.fit(wave, lag=12).scale == pytest.approx(0.01 * wave.std())


def test_the_unit_of_change_does_not_grow_with_the_length_of_a_random_walk():
    walk = np.random.default_rng(0).standard_normal((40_000, 1)).cumsum(axis=0)
    short, long = (Standardizer.fit(walk[:n], lag=10).scale for n in (1000, 40_000))
    assert long == pytest.approx(short, rel=0.1)


@pytest.mark.parametrize("lag", [None, 3])
def test_a_single_row_is_only_centred(lag):
    assert Standardizer.fit(np.array([[4.0]]), lag=lag).scale == 1.0


@pytest.mark.parametrize("forgetting", [1.0, 0.99, 0.5])
@pytest.mark.parametrize("parts", [[1, 1, 2, 96], [100], [50, 50]])
def test_statistics_of_a_stream_are_those_of_all_its_rows(forgetting, parts):
    rows = np.random.default_rng(0).normal([5.0, 1e6], [2.0, 0.1], size=(100, 2)).cumsum(axis=0)
    first, *rest = np.split(rows, np.cumsum(parts)[:-1])
    statistics = RowStatistics.of(first, forgetting)
    for new in rest:
        statistics = statistics.extend(new)
    weights = forgetting ** np.arange(99.0, -1.0, -1.0)
    mean = np.average(rows, axis=0, weights=weights)
    spread = np.average((rows - mean) ** 2, axis=0, weights=weights) ** 0.5
    assert statistics.weight == pytest.approx(weights.sum())
    np.testing.assert_allclose(statistics.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(statistics.spread, spread, rtol=1e-9)
    np.testing.assert_allclose(Standardizer.fit(rows, forgetting).scale, spread, rtol=1e-9)


@pytest.mark.parametrize("forgetting", [1.0, 0.99])
@pytest.mark.parametrize("parts", [[30, 1, 2, 67], [100]])
def test_the_change_of_a_stream_is_that_of_all_its_rows(forgetting, parts):
    rows = np.random.default_rng(0).normal([5.0, 1e6], [2.0, 0.1], size=(100, 2)).cumsum(axis=0)
    first, *rest = np.split(rows, np.cumsum(parts)[:-1])
    statistics = RowStatistics.of(first, forgetting, lag=7)
    for new in rest:
        statistics = statistics.extend(new)
    squares = (rows[7:] - rows[:-7]) ** 2
    weights = forgetting ** np.arange(92.0, -1.0, -1.0)
    change = np.average(squares, axis=0, weights=weights) ** 0.5
    np.testing.assert_allclose(statistics.standardizer().scale, change, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_no_unit_is_too_small_or_too_large(unit):
    rows = np.random.default_rng(0).normal(size=(50, 2))
    plain = Standardizer.fit(rows)
    scaled = RowStatistics.of(unit * rows[:20]).extend(unit * rows[20:]).standardizer()
    for other in (Standardizer.fit(unit * rows), scaled):
        np.testing.assert_allclose(other.mean / unit, plain.mean, rtol=1e-9)
        np.testing.assert_allclose(other.scale / unit, plain.scale, rtol=1e-9)


def test_two_of_the_largest_floats_are_a_finite_distance_apart_and_come_back():
    rows = np.array([[1.7e308], [-1.7e308], [1.7e308], [np.nan], [1.7e308], [1.6e308]])
    standardizer = Standardizer.fit(rows)
    scaled = standardizer.transform(rows)
    small = Standardizer.fit(rows / 2.0**1000).transform(rows / 2.0**1000)
    np.testing.assert_allclose(scaled, small, rtol=1e-12)
    np.testing.assert_allclose(standardizer.inverse_transform(scaled), rows, rtol=1e-12)
    assert np.isfinite(standardizer.inverse_transform([[1e10], [-1e10]])).all()

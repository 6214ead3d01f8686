import numpy as np
import pytest
from numpy.testing import assert_allclose

from klforecast.local.weights import (
    Record,
    found_weights,
    judge,
    relative_errors,
    series_weights,
)

RNG = np.random.default_rng(2)


def record_of(errors, origins=10.0):
    errors = np.asarray(errors, dtype=float)
    return Record(errors, np.full(len(errors), origins))


def judged(forecasts, truth, squared=False):
    k, n, _, j = forecasts.shape
    near = np.arange(j) < 1
    return judge(forecasts, truth, np.arange(1, k + 1), near, np.full(n, squared))


def found(record):
    """Where all series are alike."""
    everyone = np.arange(len(record.origins))
    return found_weights(record, np.tile(everyone, (len(everyone), 1)))


def test_records_are_the_discounted_sums_of_absolute_errors():
    forecasts, truth = RNG.normal(size=(6, 3, 2, 4)), RNG.normal(size=(6, 3, 4))
    truth[1, 2, 1:] = np.nan
    # No origin errs more than twice as much as is typical.
    forecasts, truth = np.sign(forecasts), 0.1 * truth
    recent = 0.98 ** np.arange(6)
    gaps = np.nan_to_num(np.abs(forecasts - truth[:, :, None]))
    near, whole = judged(forecasts, truth)
    assert_allclose(whole.errors, np.einsum("k,knej->ne", recent, gaps))
    assert_allclose(near.errors, np.einsum("k,knej->ne", recent, gaps[..., :1]))
    assert_allclose(whole.origins, np.isfinite(truth).mean(axis=2).T @ recent)
    assert_allclose(near.origins, whole.origins)


def test_an_expert_left_behind_by_a_shift_loses_its_record():
    truth = np.zeros((12, 1, 3))
    forecasts = np.full((12, 1, 2, 3), 1.0)
    forecasts[:3, 0, 0] = 20.0  # good for long, but not since the shift
    forecasts[3:, 0, 0] = 0.5
    forecasts[3:, 0, 1] = 8.0
    _, whole = judged(forecasts, truth)
    weights = series_weights(whole, found(whole))
    assert weights[0, 1] > 0.9


def test_demand_after_zeros_leaves_no_expert_of_squared_errors_behind():
    truth = np.zeros((12, 1, 3))
    truth[:3, 0, 0] = 4.0
    forecasts = np.full((12, 1, 2, 3), 0.1)
    forecasts[:3, 0, 1] = 4.0
    recent = 0.98 ** np.arange(12)
    squares = ((forecasts - truth[:, :, None]) ** 2).sum(axis=3)
    by_absolute, by_squares = (judged(forecasts, truth, flag)[1] for flag in (False, True))
    assert_allclose(by_squares.errors, np.sqrt(np.einsum("k,kne->ne", recent, squares)))
    gaps = np.abs(forecasts - truth[:, :, None]).sum(axis=3)
    assert (by_absolute.errors > np.einsum("k,kne->ne", recent, gaps)).all()


def test_origins_across_a_shift_do_not_drown_the_others():
    truth = np.zeros((12, 1, 3))
    forecasts = np.full((12, 1, 2, 3), 1.0)
    forecasts[4:8] = 500.0  # all alike
    forecasts[:, 0, 1] *= 1 + np.r_[np.full(4, 0.5), np.full(4, -0.01), np.full(4, 0.5)][:, None]
    _, whole = judged(forecasts, truth)
    assert relative_errors(whole)[0, 1] > 1.2


def test_squared_errors_prefer_the_mean_of_counts_and_absolute_ones_the_median():
    truth = (RNG.random((40, 1, 5)) < 0.3).astype(float)
    forecasts = np.stack([np.zeros_like(truth), np.full_like(truth, 0.3)], axis=2)
    by_median, by_mean = (judged(forecasts, truth, flag)[1].errors[0] for flag in (False, True))
    assert by_median.argmin() == 0
    assert by_mean.argmin() == 1


def test_without_origins_a_series_follows_the_panel():
    record = Record(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]]), np.array([9.0, 9.0, 0.0]))
    prior = found(record).mean(axis=0)
    assert_allclose(series_weights(record, prior)[2], prior, atol=1e-10)
    assert prior[0] > 0.9


def test_two_kinds_of_series_keep_two_experts():
    errors = np.array([[1.0, 3.0, 2.0], [3.0, 1.0, 2.0]] * 20)
    record = record_of(errors)
    weights = series_weights(record, found(record).mean(axis=0))
    assert weights[::2, 0].min() > 0.9
    assert weights[1::2, 1].min() > 0.9


def test_more_origins_trust_the_series_more():
    errors = np.array([[1.0, 1.3]])
    prior = np.array([0.2, 0.8])
    few, many = (series_weights(record_of(errors, n), prior)[0, 0] for n in (2.0, 40.0))
    assert few < 0.5 < many


def test_errors_that_are_all_zero_are_alike():
    assert (relative_errors(record_of([[0.0, 0.0, 0.0]])) == 1).all()


@pytest.mark.parametrize("experts", [1, 5])
def test_weights_sum_to_one(experts):
    record = record_of(RNG.gamma(2.0, size=(7, experts)))
    assert_allclose(series_weights(record, found(record)).sum(axis=1), 1)


def test_kinds_that_the_others_outnumber_keep_their_expert():
    errors = np.array([[1.0, 2.0]] * 90 + [[2.0, 1.0]] * 10)
    record = record_of(errors, 2.0)
    kinds = np.repeat([np.arange(10), np.arange(90, 100)], [90, 10], axis=0)
    assert found(record)[90:, 1].max() < 0.1
    assert found_weights(record, kinds)[90:, 1].min() > 0.5

import numpy as np
from numpy.testing import assert_allclose

from klforecast.local.fitting import fit_judged, fit_local
from klforecast.local.law_weights import fit_laws
from klforecast.local.model import quantiles
from klforecast.local.origins import Origins
from klforecast.local.relative_law import log_errors, log_movement, quantiles_around
from klforecast.local.residual_law import ResidualLaw

LEVELS = np.arange(1, 10) / 10
STEPS = np.arange(1, 7)
LAW = ResidualLaw(0.5, np.array([1.0]), np.linspace(-2, 2, 99))


def growing(count, rows, seed):
    """Levels that rise by a tenth a row, with noise of a tenth of them."""
    rng = np.random.default_rng(seed)
    moves = 0.1 + 0.1 * rng.normal(size=(count, rows))
    return np.exp(moves.cumsum(axis=1) + 3 * rng.normal(size=(count, 1)))


def test_relative_quantiles_are_the_forecast_times_factors():
    past, point = growing(1, 30, 0), np.array([[5.0, 50.0]])
    steps = np.array([3, 3])
    around = quantiles_around(point, past, LAW, LAW, np.array([True]), steps, LEVELS)[1][0]
    assert (around > 0).all()
    assert_allclose(around[1], 10 * around[0])
    assert_allclose(around[0] * around[0, ::-1], 25.0)


def test_without_a_logarithm_both_laws_are_the_plain_one():
    past, positive = np.array([[-1.0, 3.0, 2.0]]), np.array([False])
    for point in (np.full((1, 6), 4.0), np.full((1, 6), -4.0)):
        plain, relative = quantiles_around(point, past, LAW, LAW, positive, STEPS, LEVELS)
        assert_allclose(plain, relative)
    past, positive = np.array([[1.0, 3.0, 2.0]]), np.array([True])
    plain, relative = quantiles_around(
        np.full((1, 6), -4.0), past, LAW, LAW, positive, STEPS, LEVELS
    )
    assert_allclose(plain, relative)
    assert len(quantiles_around(point, past, LAW, None, positive, STEPS, LEVELS)) == 1


def test_errors_of_the_logarithm_do_not_know_units_or_what_was_not_observed():
    truth = np.array([[[2.0, np.nan, 8.0]]])
    forecasts = np.array([[[1.0, 1.0, -1.0]]])
    found = log_errors(truth, forecasts, np.array([True]))
    assert_allclose(found, [[[np.log(2), np.nan, np.nan]]])
    assert_allclose(log_errors(100 * truth, 100 * forecasts, np.array([True])), found)
    assert np.isnan(log_errors(truth, forecasts, np.array([False]))).all()
    assert_allclose(log_movement(np.array([[1.0, 10.0, 1.0]])), np.log(10))


def weights_of_laws(noise):
    """Of the plain and of the relative law, where a known level of one to a hundred has this noise."""
    rng = np.random.default_rng(1)
    level = np.tile(np.exp(np.linspace(0, np.log(100), 60)), (40, 1))
    past = np.maximum(level + noise(level) * rng.normal(size=level.shape), 0.05)
    origins = Origins(np.arange(6, 30), STEPS)
    at = 60 - origins.offsets[:, None] + STEPS - 1
    truth, forecasts = past[:, at].transpose(1, 0, 2), level[:, at].transpose(1, 0, 2)
    positive = np.ones(40, dtype=bool)
    everyone = np.arange(40)
    alike = np.tile(everyone, (40, 1))
    laws, _ = fit_laws(past, origins, truth, forecasts, positive, True, alike, everyone)
    assert laws.weights.shape == (40, 5)
    return laws.weights[:, :2].mean(axis=0)


def test_the_relative_law_has_the_weight_where_noise_grows_with_the_level_and_the_plain_one_else():
    plain, relative = weights_of_laws(lambda level: 0.1 * level)
    assert relative > 2 * plain
    plain, relative = weights_of_laws(lambda level: np.full(level.shape, 0.3))
    assert plain > 2 * relative


def test_intervals_of_series_that_grow_hold_more_than_those_of_the_plain_law():
    series = growing(200, 30, 5)
    pasts, truth = list(series[:, :24]), series[:, 24:]

    def held(model):
        low, high = np.moveaxis(quantiles(model, pasts, 6, [0.1, 0.9]), 2, 0)
        return ((truth >= low) & (truth <= high)).mean()

    model = fit_local(pasts, 6)
    plain_alone = model._replace(laws=np.eye(5)[np.zeros(200, dtype=int)])
    assert held(model) > 0.7
    assert held(plain_alone) < held(model) - 0.15


def test_a_model_of_an_earlier_version_has_the_quantiles_of_its_plain_law():
    pasts = list(growing(5, 40, 6))
    model = fit_local(pasts, 6)
    earlier = model._replace(laws=np.eye(4)[np.zeros(5, dtype=int)], relative=None)
    plain = model._replace(laws=np.eye(5)[np.zeros(5, dtype=int)])
    assert_allclose(quantiles(earlier, pasts, 6, LEVELS), quantiles(plain, pasts, 6, LEVELS))


def test_a_panel_without_a_positive_series_has_no_relative_law():
    pasts = [np.random.default_rng(seed).normal(size=40) for seed in range(3)]
    model, judged = fit_judged(pasts, 4)
    assert model.relative is None
    assert model.laws.shape == (3, 4)
    assert judged.panel.laws.relative is None


def test_series_of_both_signs_have_their_plain_law_beside_positive_ones():
    rng = np.random.default_rng(3)
    pasts = [rng.normal(size=40) for _ in range(10)] + list(growing(10, 40, 4))
    model = fit_local(pasts, 6)
    assert model.relative is not None
    plain, relative = (
        quantiles(model._replace(laws=np.eye(5)[np.full(20, law)]), pasts, 6, LEVELS)
        for law in (0, 1)
    )
    assert_allclose(relative[:10], plain[:10])
    assert (relative[10:] != plain[10:]).any()

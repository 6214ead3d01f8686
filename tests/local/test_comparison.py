import numpy as np
from numpy.testing import assert_allclose

from klforecast.local.comparison import compared_origins, followed, forecasts_from
from klforecast.local.fitting import fit_judged
from klforecast.local.model import forecast


def test_what_followed_an_origin_is_known_for_series_that_had_begun():
    past = np.array([[1.0, 2.0, 3.0, 4.0], [np.nan, np.nan, 7.0, 8.0]])
    origins = compared_origins(n_series=2, spared=3, horizon=2)
    assert origins.offsets.tolist() == [1, 2, 3]
    truth = followed(past, origins)
    assert_allclose(truth[:, 0], [[4.0, np.nan], [3.0, 4.0], [2.0, 3.0]])
    assert_allclose(truth[:, 1], [[8.0, np.nan], [np.nan] * 2, [np.nan] * 2])


def test_known_forecasts_are_those_that_would_be_made():
    past = 10 + np.random.default_rng(0).normal(size=(5, 100)).cumsum(axis=1)
    model, judged = fit_judged(list(past), 12, (12,))
    origins = compared_origins(5, 25, 12)
    assert set(origins.offsets) & set(judged.origins.offsets)
    assert set(origins.offsets) - set(judged.origins.offsets)
    made = forecasts_from(model, judged, past, origins)
    for place, offset in enumerate(origins.offsets):
        steps = origins.steps[origins.steps <= offset]
        anew = forecast(model, list(past[:, :-offset]), int(steps[-1]))[:, steps - 1]
        assert_allclose(made[place, :, : len(steps)], anew, rtol=1e-9)
        assert np.isnan(made[place, :, len(steps) :]).all()

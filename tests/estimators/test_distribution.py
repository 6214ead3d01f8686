"""Forecasts and their quantiles as the frames that sktime asks for."""

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.distribution import LEVELS, Distribution

POINT = pd.DataFrame({"load": [1.0, 2.0], "heat": [10.0, 20.0]}, index=[5, 6])


def test_columns_of_quantiles_are_channels_outside_and_levels_inside():
    around = np.array([[[-1.0, 1.0], [-3.0, 3.0]], [[-2.0, 2.0], [-4.0, 4.0]]])
    frame = Distribution(POINT, around).quantile_frame(["load", "heat"], [0.1, 0.9])
    assert frame.index.tolist() == [5, 6]
    assert frame.columns.tolist() == [("load", 0.1), ("load", 0.9), ("heat", 0.1), ("heat", 0.9)]
    assert frame.to_numpy().tolist() == [[0.0, 2.0, 7.0, 13.0], [0.0, 4.0, 16.0, 24.0]]


def test_a_quantile_that_no_float_can_hold_is_the_largest_one():
    largest = np.finfo(float).max
    far = Distribution(POINT + 1e308, np.full((2, 2, 1), 1e308))
    assert (far.quantiles() == largest).all()


def test_the_variance_is_that_of_evenly_spread_levels():
    uniform = Distribution(POINT, np.broadcast_to(LEVELS - 0.5, (2, 2, 100)))
    np.testing.assert_allclose(uniform.variance(), 1 / 12, rtol=1e-3)
    with pytest.raises(ValueError, match="whose squares overflow"):
        Distribution(POINT, np.full((2, 2, 1), 1e200)).variance()

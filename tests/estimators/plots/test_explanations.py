import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline

from klforecast import KLMemoryForecaster
from klforecast.estimators.plots.explanations import plot_explanation


@pytest.fixture(scope="module")
def airline():
    return KLMemoryForecaster(horizon=12).fit(load_airline())


def test_the_line_is_the_forecast_less_the_level(airline):
    explanation = airline.explain()
    level = explanation[explanation["part"] == "level"].set_index("step")["value"]
    above = airline.plot_explanation().axes[0]
    (line,) = above.get_lines()
    np.testing.assert_allclose(line.get_ydata(), airline.predict().to_numpy() - level)


def test_bars_of_a_step_add_up_to_the_line(airline):
    above = airline.plot_explanation().axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in above.containers]
    np.testing.assert_allclose(np.sum(heights, axis=0), above.get_lines()[0].get_ydata())


def test_axes_have_names_and_units(airline):
    above, rows, sizes, colours = airline.plot_explanation(unit="$").axes
    assert above.get_ylabel() == "Number of airline passengers\nless level (\\$)"
    assert (rows.get_xlabel(), rows.get_ylabel()) == ("months before the forecast", "months ahead")
    assert sizes.get_xlabel() == "mean size (\\$)"
    assert colours.get_ylabel() == "\\$"


def test_the_largest_covariates_are_named_and_the_others_are_one():
    steps = pd.RangeIndex(1, 3)
    rows = [
        {"part": "core", "name": "a", "lag": 1, "value": 1.0},
        {"part": "level", "name": "level", "lag": pd.NA, "value": 10.0},
        *(
            {"part": "covariate", "name": f"x{size}", "lag": pd.NA, "value": float(size)}
            for size in range(7)
        ),
    ]
    explanation = pd.concat(
        [pd.DataFrame(rows).assign(series="y", channel="c", step=step, time=step) for step in steps]
    )
    figure = plot_explanation(explanation)
    assert [label.get_text() for label in figure.axes[2].get_yticklabels()] == [
        *("others", "x3", "x4", "x5", "x6", "past")
    ]


def test_a_channel_that_is_not_there_is_named(airline):
    with pytest.raises(ValueError, match="the explanation has no series 'y' with a channel 'x'"):
        airline.plot_explanation(channel="x")

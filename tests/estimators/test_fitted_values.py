import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline

from klforecast import KLMemoryForecaster


@pytest.fixture(scope="module")
def airline():
    return load_airline()


def light(**changes):
    return KLMemoryForecaster(6, local_experts=False, **changes)


def test_a_fitted_value_is_the_forecast_of_a_fit_to_earlier_rows(airline):
    fitted = light().fit(airline).fitted_values().set_index("time")
    early = light().fit(airline[:36]).update(airline[36:40], update_params=False)
    late = light().fit(airline[:72]).update(airline[72:100], update_params=False)
    for forecaster, row in ((early, 40), (late, 100)):
        expected = forecaster.predict([1]).iloc[0]
        assert fitted["forecast"].loc[airline.index[row]] == pytest.approx(expected)
    np.testing.assert_array_equal(fitted["truth"], airline[36:])


def test_no_row_moves_a_fitted_value_before_it_nor_its_own(airline):
    fitted = light().fit(airline).fitted_values()
    changed = airline.copy()
    changed.iloc[100:] += 1000.0
    again = light().fit(changed).fitted_values()
    rows = 100 - 36 + 1
    np.testing.assert_allclose(again["forecast"][:rows], fitted["forecast"][:rows], rtol=1e-12)
    assert not np.allclose(again["forecast"][rows:], fitted["forecast"][rows:])


def test_fitted_values_of_noise_do_not_fit_it():
    noise = pd.Series(np.random.default_rng(0).normal(size=200))
    fitted = light().fit(noise).fitted_values()
    assert ((fitted["truth"] - fitted["forecast"]) ** 2).mean() > 0.9 * noise[50:].var()


def test_series_of_a_panel_have_theirs_with_covariates():
    rng = np.random.default_rng(1)
    campaign = (rng.random(60) < 0.3) * 1.0
    parts = {name: 10 + 5 * campaign + 0.1 * rng.normal(size=60) for name in "ab"}
    y = pd.concat({name: pd.DataFrame({"y": v}) for name, v in parts.items()}, names=["id", "t"])
    X = pd.concat({name: pd.DataFrame({"on": campaign}) for name in parts}, names=["id", "t"])
    fitted = light().fit(y, X=X).fitted_values()
    assert fitted.groupby("series", sort=False).size().to_dict() == {"a": 45, "b": 45}
    late = fitted[fitted["time"] >= 30]
    assert (late["truth"] - late["forecast"]).abs().mean() < 1


def test_they_change_nothing_in_the_forecaster(airline, state_of):
    forecaster = light().fit(airline)
    before = state_of(forecaster)
    forecaster.fitted_values()
    assert state_of(forecaster) == before


def test_steps_up_to_the_cutoff_are_sent_there(airline):
    with pytest.raises(NotImplementedError, match=r"are those of fitted_values\(\)"):
        light().fit(airline).predict([-1, 0])


def test_their_errors_are_drawn(airline):
    figure = light().fit(airline).plot_residuals(unit="thousands")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "errors over time"
    assert titles[-1] == "what errors share over time"

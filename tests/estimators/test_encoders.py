"""Every encoder by name: through fit, predict, clone, pickle, file and a grid search, with each memory."""

import pickle

import numpy as np
import pytest
import torch
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.split import SingleWindowSplitter

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.modules.encoders import ENCODERS
from klforecast.modules.forecast import MEMORIES

FH = [1, 2, 5]
TINY = {
    "horizon": 5,
    "input_length": 12,
    "memory_depth": 24,
    "period": 6,
    "n_components": 2,
    "local_experts": False,
    "memory_tokens": 2,
    "d_model": 4,
    "n_layers": 1,
    "n_heads": 2,
    "patch_length": 4,
    "max_epochs": 1,
    "batch_size": 32,
    "random_state": 0,
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:The default of config ``remember_data``:FutureWarning"),
    # In one epoch some encoders become no better than they were.
    pytest.mark.filterwarnings("ignore:the memory of the training run is empty:UserWarning"),
]


@pytest.fixture(scope="module")
def y(hourly):
    return hourly[:110]


@pytest.fixture(params=["linear", *ENCODERS])
def name(request):
    return request.param


def memories_of(name):
    return [memory for memory in MEMORIES if name != "linear" or memory != "trajectory"]


def test_an_encoder_runs_with_every_memory_and_copies_agree(name, y, tmp_path):
    for memory in memories_of(name):
        forecaster = KLMemoryForecaster(encoder=name, memory=memory, **TINY).fit(y)
        forecast = forecaster.predict(fh=FH)
        assert np.isfinite(forecast.to_numpy()).all()
        thawed = pickle.loads(pickle.dumps(forecaster))
        np.testing.assert_array_equal(thawed.predict(fh=FH), forecast)
        forecaster.save(tmp_path / "saved.safetensors")
        loaded = KLMemoryForecaster.load(tmp_path / "saved.safetensors")
        np.testing.assert_array_equal(loaded.predict(fh=FH), forecast)
    again = forecaster.clone().fit(y)
    np.testing.assert_array_equal(again.predict(fh=FH), forecast)
    assert forecaster.get_params() == again.get_params()


def test_an_encoder_is_rebuilt_from_its_settings_and_its_state(name, y):
    fitted = KLMemoryForecaster(encoder=name, **TINY).fit(y).net_.module_
    other = KLMemoryForecaster(encoder=name, **TINY | {"random_state": 1}).fit(-y).net_.module_
    other.load_state_dict(fitted.state_dict())
    past = torch.randn(3, fitted.depth, 2, dtype=next(fitted.parameters()).dtype)
    assert torch.equal(other.eval()(past), fitted.eval()(past))


def test_a_grid_search_runs_over_an_encoder(name, y):
    grid = ForecastingGridSearchCV(
        KLMemoryForecaster(encoder=name, **TINY),
        SingleWindowSplitter(fh=FH, window_length=100),
        {"n_components": [1, 2]},
        backend=None,
    ).fit(y)
    assert grid.cv_results_["mean_test_MeanAbsolutePercentageError"].notna().all()


@pytest.mark.parametrize("encoder", ["nlinear", "gru", "itransformer"])
@pytest.mark.parametrize("memory", MEMORIES)
def test_without_the_core_the_encoder_forecasts_alone(encoder, memory, y):
    settings = TINY | {"encoder": encoder, "memory": memory, "linear_core": False}
    forecaster = KLMemoryForecaster(**settings).fit(y)
    assert forecaster.net_.module_.core is None
    assert np.isfinite(forecaster.predict(fh=FH).to_numpy()).all()


def test_the_statistics_of_an_encoder_are_those_of_its_first_training(y):
    net = KLMemoryForecaster(encoder="olinear", **TINY).fit(y).net_
    learned = net.module_.encoder.network.transform_in.clone()
    assert not torch.allclose(learned, torch.eye(12, dtype=torch.float64))
    net.partial_fit([torch.randn(110, 2).cumsum(dim=0)])
    assert torch.equal(net.module_.encoder.network.transform_in, learned)


def test_an_unknown_encoder_is_refused_with_the_names(y):
    with pytest.raises(ValueError, match=r"encoder is 'lstn'.*'linear'.*'lstm'.*'lightnet'"):
        KLMemoryForecaster(encoder="lstn").fit(y)


def test_nothing_is_left_without_the_core_of_the_closed_form(y):
    with pytest.raises(ValueError, match="linear_core=False takes it away"):
        KLMemoryForecaster(linear_core=False).fit(y)

import inspect

import numpy as np
import pytest
import torch

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.learning import learn_net
from klforecast.modules.forecast import ForecastModule

TINY = {"encoder": "transformer", "d_model": 4, "n_layers": 1, "n_heads": 1, "max_epochs": 1}


@pytest.fixture(scope="module")
def rows(hourly):
    values = hourly.to_numpy()
    return torch.from_numpy((values - values.mean(axis=0)) / values.std(axis=0))


def learn(rows, periods=(24,), **settings):
    parameters = KLMemoryForecaster(random_state=0, **settings).get_params()
    return learn_net([rows], 6, list(periods), parameters)


def test_without_memory_the_core_reads_its_window_alone(rows):
    net, input_length, n_components, _ = learn(rows, input_length=24, memory="none")
    assert (input_length, n_components, net.module_.depth) == (24, 0, 24)
    net, input_length, n_components, _ = learn(rows, input_length=24, memory_depth=96)
    assert (input_length, net.module_.depth) == (24, 96)
    assert n_components > 0


@pytest.mark.parametrize("n_components", [1, 5])
def test_the_components_that_are_asked_for_are_reported(rows, n_components):
    learned = learn(rows, input_length=24, memory_depth=96, n_components=n_components)
    assert learned.n_components == n_components


def test_the_period_reaches_the_core(rows):
    seasonal, plain = (learn(rows, periods, memory_depth=96) for periods in [(24,), ()])
    assert not torch.equal(seasonal.net.module_.weight, plain.net.module_.weight)


@pytest.mark.parametrize(("periods", "row_length"), [((24,), 24), ((), 0)])
def test_the_encoder_reads_the_history_by_cycles_or_by_patches(rows, periods, row_length):
    net, input_length, n_components, _ = learn(rows, periods, **TINY)
    assert net.module_.row_length == row_length
    assert (input_length, n_components) == (96, 5)
    assert net.module_.history_length == 200 - 96 - (200 - 96) % (row_length or 16)


def test_a_short_series_has_a_short_window_and_a_short_memory(rows):
    net, input_length, *_ = learn(rows[:100], (), patch_length=4, **TINY)
    assert input_length == 25
    assert net.module_.depth <= 50


def test_batches_are_the_steps_of_a_trajectory(rows):
    net, *_ = learn(rows, memory="trajectory", memory_depth=150, **TINY)
    assert net.module_.memory.memory_depth == 150
    assert net.module_.core.modes.numel() == 0


def test_training_settings_reach_the_net(rows):
    settings = {
        "lr": 0.01,
        "batch_size": 32,
        "patience": 7,
        "validation_fraction": 0.3,
        "lr_schedule": "constant",
        "loss": "mae",
    }
    for encoder in ({}, TINY):
        net = learn(rows, weight_decay=0.5, **settings, **encoder).net
        assert {name: getattr(net, name) for name in settings} == settings
        assert net.get_params()["optimizer__weight_decay"] == 0.5
        assert net.random_state == 0


def test_the_forecaster_and_the_module_agree_on_the_defaults_they_share():
    ours = inspect.signature(KLMemoryForecaster).parameters
    theirs = inspect.signature(ForecastModule).parameters
    for name in ("memory", "mixer", "d_model", "n_layers", "n_heads", "d_ff", "patch_length"):
        assert ours[name].default == theirs[name].default, name
    for name in ("dropout",):
        assert ours[name].default == theirs[name].default, name


def test_an_encoder_reports_its_epochs(hourly):
    forecaster = KLMemoryForecaster(6, random_state=0, **(TINY | {"max_epochs": 2})).fit(hourly)
    assert len(forecaster.history_) == 2
    assert np.isfinite(forecaster.history_["train_loss"]).all()
    assert KLMemoryForecaster(6).fit(hourly).history_.empty

import dataclasses
import inspect

import numpy as np
import pandas as pd
import pytest
import torch

from klforecast.core.plan import CoreOptions, plan_core
from klforecast.estimators.fitting import fit_panel
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.options import Options
from klforecast.modules.forecast import ForecastModule
from klforecast.training.nets import ForecastNet
from klforecast.training.options import EncoderOptions, TrainingOptions

TINY = {"encoder": "transformer", "d_model": 4, "n_layers": 1, "n_heads": 1, "max_epochs": 1}


@pytest.fixture(scope="module")
def rows(hourly):
    values = hourly.to_numpy()
    return torch.from_numpy((values - values.mean(axis=0)) / values.std(axis=0))


def learn(rows, periods=(24,), **settings):
    options = Options.of(KLMemoryForecaster(random_state=0, **settings).get_params())
    plan = plan_core([len(rows)], rows.shape[1], 6, list(periods), options.core)
    return fit_panel({(): rows.numpy()}, plan, None, options)


def test_without_memory_the_core_reads_its_window_alone(rows):
    learned = learn(rows, input_length=24, memory="none")
    assert (learned.input_length, learned.n_components) == (24, 0)
    assert learned.net.module_.depth == 24
    learned = learn(rows, input_length=24, memory_depth=96)
    assert (learned.input_length, learned.net.module_.depth) == (24, 96)
    assert learned.n_components > 0


@pytest.mark.parametrize("n_components", [1, 5])
def test_the_components_that_are_asked_for_are_reported(rows, n_components):
    learned = learn(rows, input_length=24, memory_depth=96, n_components=n_components)
    assert learned.n_components == n_components


def test_the_period_reaches_the_core(rows):
    seasonal, plain = (learn(rows, periods, memory_depth=96) for periods in [(24,), ()])
    assert not torch.equal(seasonal.net.module_.weight, plain.net.module_.weight)


@pytest.mark.parametrize(("periods", "row_length"), [((24,), 24), ((), 0)])
def test_the_encoder_reads_the_history_by_cycles_or_by_patches(rows, periods, row_length):
    learned = learn(rows, periods, **TINY)
    assert learned.net.module_.row_length == row_length
    assert (learned.input_length, learned.n_components) == (96, 5)
    assert learned.net.module_.history_length == 200 - 96 - (200 - 96) % (row_length or 16)


def test_a_short_series_has_a_short_window_and_a_short_memory(rows):
    learned = learn(rows[:100], (), patch_length=4, **TINY)
    assert learned.input_length == 25
    assert learned.net.module_.depth <= 50


def test_batches_are_the_steps_of_a_trajectory(rows):
    net = learn(rows, memory="trajectory", memory_depth=150, **TINY).net
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


@pytest.mark.parametrize(
    ("options", "owner"),
    [
        (EncoderOptions().sized(rows=10_000, period=24), ForecastModule),
        (EncoderOptions(), KLMemoryForecaster),
        (TrainingOptions(), KLMemoryForecaster),
        (TrainingOptions(), ForecastNet),
        (CoreOptions(), KLMemoryForecaster),
    ],
    ids=lambda part: getattr(part, "__name__", type(part).__name__),
)
def test_every_shared_default_is_that_of_the_option_records(options, owner):
    spelled = inspect.signature(owner).parameters
    shared = {field.name for field in dataclasses.fields(options)} & spelled.keys()
    shared -= {"encoder"} if owner is KLMemoryForecaster else set()  # "linear" is no encoder
    assert shared
    for name in sorted(shared):
        assert spelled[name].default == getattr(options, name), name


def test_every_constructor_argument_is_read_by_someone():
    arguments = KLMemoryForecaster().get_params().keys()
    records = (CoreOptions, EncoderOptions, TrainingOptions)
    read = {field.name for record in records for field in dataclasses.fields(record)}
    here = {
        "horizon",
        "period",
        "linear_core",
        "local_experts",
        "clean_outliers",
        "past_covariates",
        "calendar_features",
        "n_jobs",
    }
    assert arguments - read == here


def test_an_encoder_reports_its_epochs(hourly):
    forecaster = KLMemoryForecaster(6, random_state=0, **(TINY | {"max_epochs": 2})).fit(hourly)
    assert len(forecaster.training_log_) == 2
    assert np.isfinite(forecaster.training_log_["train_loss"]).all()
    assert KLMemoryForecaster(6).fit(hourly).training_log_.empty


def test_new_rows_of_a_series_whose_history_is_not_read_are_absorbed():
    steps = np.random.default_rng(5).standard_normal(3200)
    walk = pd.DataFrame({"price": steps.cumsum()})
    forecaster = KLMemoryForecaster(24, local_experts=False).fit(walk[:3000])
    assert forecaster.net_.module_.depth == 96
    updated = forecaster.update(walk[3000:]).predict(fh=range(1, 25))
    again = KLMemoryForecaster(24, local_experts=False).fit(walk).predict(fh=range(1, 25))
    np.testing.assert_allclose(updated, again, rtol=1e-6)

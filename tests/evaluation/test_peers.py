import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from klforecast.evaluation.benchmark.encoder_recipes import make_encoder
from klforecast.evaluation.benchmark.protocol import Task
from klforecast.evaluation.peers import recipes
from klforecast.evaluation.peers.spectral_memory import SpectralMemoryTransformer
from klforecast.evaluation.peers.training import PeerForecaster, Recipe
from klforecast.modules.encoders.dlinear import DLinear
from klforecast.modules.encoders.itransformer import ITransformer
from klforecast.modules.encoders.nlinear import NLinear
from klforecast.modules.encoders.rlinear import RLinear


@pytest.fixture
def past():
    return torch.randn(5, 48, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def series():
    steps = np.arange(400)
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal((400, 2))
    return pd.DataFrame(np.sin(steps / 4)[:, None] * [1, 20] + noise * [1, 20] + [0, 100])


def forecaster(series_rows=400, build=NLinear, horizon=8, **recipe):
    settings = {"lookback": 32, "learning_rate": 0.01} | recipe
    return PeerForecaster(
        lambda past, ahead, channels: build(past, ahead),
        Recipe(**settings),
        horizon=horizon,
        validation_rows=100,
    )


@pytest.mark.parametrize(
    "net",
    [
        NLinear(48, 8),
        DLinear(48, 8),
        RLinear(48, 8, 3),
        ITransformer(48, 8, d_model=16, n_heads=2),
    ],
    ids=lambda net: type(net).__name__,
)
def test_a_peer_maps_the_past_to_the_horizon(net, past):
    assert net(past).shape == (5, 8, 3)


def test_nlinear_follows_a_shift_of_its_window(past):
    net = NLinear(48, 8)
    assert_close(net(past + 3), net(past) + 3)


def test_dlinear_is_one_linear_map_of_trend_and_rest(past):
    net = DLinear(48, 8)
    padded = torch.cat([past[:, :1].expand(-1, 12, -1), past, past[:, -1:].expand(-1, 12, -1)], 1)
    trend = torch.stack([padded[:, i : i + 25].mean(dim=1) for i in range(48)], dim=1)
    expected = torch.einsum("hl,blc->bhc", net.trend.weight, trend)
    expected += torch.einsum("hl,blc->bhc", net.remainder.weight, past - trend)
    assert_close(net(past), expected + (net.trend.bias + net.remainder.bias)[:, None])


def test_rlinear_follows_the_level_and_scale_of_its_window(past):
    net = RLinear(48, 8, 3).eval()
    assert_close(net(7 * past - 2), 7 * net(past) - 2, atol=1e-3, rtol=1e-3)


def test_itransformer_treats_channels_alike(past):
    net = ITransformer(48, 8, d_model=16, n_heads=2).eval()
    order = [2, 0, 1]
    assert_close(net(past[..., order]), net(past)[..., order], atol=1e-5, rtol=1e-5)


def test_the_weights_of_the_best_epoch_are_kept(series):
    model = forecaster(max_epochs=50, patience=2, learning_rate=0.3, schedule="constant")
    model.fit(series)
    assert model.validation_errors_[-1] > min(
        model.validation_errors_
    )  # the last epoch is not the best one
    values = (torch.tensor(series.to_numpy()).float() - model.mean_) / model.scale_
    cutoffs = torch.arange(300, 393)
    again = model._validation_error(values, cutoffs - 32)
    assert again == pytest.approx(min(model.validation_errors_), rel=1e-6)


def test_training_stops_after_the_patience(series):
    model = forecaster(max_epochs=50, patience=2, learning_rate=0.3, schedule="constant")
    history = model.fit(series).validation_errors_
    assert len(history) == int(np.argmin(history)) + 1 + 2


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [1, 1, 1, 1, 1, 1]),
        ("halve", [1, 1, 0.5, 0.25, 0.125, 0.0625]),
        ("slow-decay", [1, 1, 1, 1, 0.9, 0.81]),
    ],
)
def test_the_learning_rate_follows_its_schedule(series, schedule, rates, monkeypatch):
    seen = []
    step = torch.optim.Adam.step

    def spy(self, *args, **kwargs):
        seen.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    settings = {"max_epochs": 6, "patience": 9, "learning_rate": 1.0, "batch_size": 1000}
    forecaster(schedule=schedule, **settings).fit(series)
    assert seen == pytest.approx(rates)


def test_validation_rows_are_neither_trained_on_nor_scaled_with(series):
    changed = series.copy()
    changed.iloc[300:] = 5 * changed.iloc[300:] + 1
    first, second = forecaster(max_epochs=1).fit(series), forecaster(max_epochs=1).fit(changed)
    assert_close(first.mean_, second.mean_, atol=0, rtol=0)
    assert_close(first.module_.map.weight, second.module_.map.weight, atol=0, rtol=0)


def test_the_seed_decides_and_the_global_generator_is_left_alone(series):
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first = forecaster(max_epochs=2).fit(series).predict_windows(series, [400])
    assert torch.equal(torch.random.get_rng_state(), state)
    second = forecaster(max_epochs=2).fit(series).predict_windows(series, [400])
    assert np.array_equal(first, second)


def test_forecasts_are_in_the_units_of_the_series(series):
    forecast = forecaster(max_epochs=8).fit(series).predict_windows(series, range(340, 392))
    truth = np.stack([series.to_numpy()[c : c + 8] for c in range(340, 392)])
    assert (np.abs(forecast - truth).mean(axis=(0, 1)) < [0.3, 6.0]).all()


def test_a_series_too_short_for_one_window_is_refused(series):
    with pytest.raises(ValueError, match=r"do not give one training window of 32 \+ 8 steps"):
        forecaster().fit(series.iloc[:139])


def test_recipes_are_cut_to_the_regime_and_changed_last():
    task = Task("ETTh1", 96, 24, past_limit=96, validation_rows=2880, seed=3)
    assert recipes.nlinear(task).get_params()["lookback"] == 96
    free = Task("ETTh1", 96, 24, past_limit=None, validation_rows=2880, seed=3)
    model = recipes.dlinear(free, max_epochs=1)
    assert (model.recipe.lookback, model.recipe.max_epochs) == (336, 1)
    assert model.random_state == 3
    assert recipes.itransformer(free).get_params()["lookback"] == 96
    assert recipes.rlinear(Task("ILI", 24, 52, None, 97, 0)).recipe.lookback == 104


@pytest.mark.parametrize("name", ["patchtst", "patchtst_built_in"])
def test_patchtst_learns_by_the_common_loop(series, name):
    if name == "patchtst":
        pytest.importorskip("transformers", reason="PatchTST runs on transformers")
    task = Task("", 8, 1, past_limit=None, validation_rows=100, seed=0)
    changes = {"lookback": 48, "batch_size": 32, "learning_rate": 1e-3, "max_epochs": 5}
    model = getattr(recipes, name)(task, **changes).fit(series)
    assert model.validation_errors_[-1] < 0.9 * model.validation_errors_[0]
    assert model.predict_windows(series, [360, 400]).shape == (2, 8, 2)


def spectral_memory(readout):
    net = SpectralMemoryTransformer(48, 8, 3, readout=readout, d_model=8)
    net.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(3):
            net(torch.randn(4, 48, 3))
    return net


def test_the_published_code_of_spectral_memory_forecasts_with_empty_tokens(past):
    net = spectral_memory("empty").eval()
    assert not net.network.memory(torch.zeros(5, 1, 8)).any()
    before = net(past)
    net.network.memory.reset()
    assert_close(net(past), before, atol=0, rtol=0)


def test_frozen_tokens_of_spectral_memory_are_read_and_not_written(past):
    net = spectral_memory("frozen").eval()
    tokens = net.network.memory(torch.zeros(5, 1, 8))
    assert tokens.any()
    before = net(past)
    assert_close(net(past), before, atol=0, rtol=0)
    assert_close(net.network.memory(torch.zeros(5, 1, 8)), tokens, atol=0, rtol=0)
    net.network.memory.reset()
    assert not torch.equal(net(past), before)


def test_spectral_memory_takes_gradients_of_tokens_that_are_then_replaced(past):
    net = spectral_memory("frozen").train()
    for _ in range(3):
        net.zero_grad()
        before = net.network.memory(torch.zeros(5, 1, 8)).clone()
        net(past).square().mean().backward()
        taken = [p.grad for p in net.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in taken)
        # Those of the memory itself: its mixer of components, which the forecast reads.
        assert any(p.grad is not None and p.grad.any() for p in net.network.memory.parameters())
        net(past)  # writes the batch before it
        assert not torch.equal(net.network.memory(torch.zeros(5, 1, 8)), before)


SHARED = {
    "input_length": "lookback",
    "lr": "learning_rate",
    "batch_size": "batch_size",
    "max_epochs": "max_epochs",
    "patience": "patience",
    "lr_schedule": "schedule",
    "d_model": "d_model",
    "n_layers": "n_layers",
    "dropout": "dropout",
}


@pytest.mark.parametrize("horizon", [96, 192, 336, 720])
@pytest.mark.parametrize("name", ["nlinear", "dlinear", "rlinear", "itransformer", "patchtst"])
def test_a_peer_and_the_encoder_of_its_name_run_in_the_same_published_setting(name, horizon):
    task = Task("ETTh1", horizon, 24, past_limit=None, validation_rows=2880, seed=0)
    peer = {"dropout": 0.0, **getattr(recipes, name)(task).get_params()}
    encoder = make_encoder(task, encoder=name).get_params()
    for ours, theirs in SHARED.items():
        if theirs in peer and (ours != "dropout" or name in ("rlinear", "patchtst")):
            assert encoder[ours] == peer[theirs], ours


def test_spectral_memory_starts_every_epoch_empty():
    net = spectral_memory("frozen").eval()
    assert not net.train().network.memory(torch.zeros(5, 1, 8)).any()


def test_without_memory_the_transformer_has_no_tokens():
    assert spectral_memory("none").network.memory is None


def test_an_unknown_readout_is_refused():
    with pytest.raises(ValueError, match="readout='later'"):
        spectral_memory("later")

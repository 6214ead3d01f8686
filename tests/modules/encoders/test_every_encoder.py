"""What holds for every encoder by name."""

import copy

import pytest
import torch
from torch.testing import assert_close

from klforecast.exceptions import KLForecastError
from klforecast.modules.encoders import ENCODERS, Sizes, build_encoder
from klforecast.modules.encoders.patches import PatchForecaster

N, C, TOKENS, D = 5, 3, 2, 8


def sizes(input_length=24, **changes):
    options = {"d_model": D, "n_layers": 1, "n_heads": 2, "patch_length": 4, "period": 6}
    return Sizes(7, C, input_length, memory_tokens=TOKENS, **{**options, **changes})


def draw(n=N, length=24):
    generator = torch.Generator().manual_seed(1)
    window = torch.randn(n, C, length, generator=generator, dtype=torch.float64).cumsum(dim=2)
    tokens = torch.randn(n * C, TOKENS, D, generator=generator, dtype=torch.float64)
    return window, tokens


@pytest.fixture(params=ENCODERS)
def name(request):
    return request.param


@pytest.fixture
def encoder(name):
    torch.manual_seed(0)
    built = build_encoder(name, sizes()).double()
    window, _ = draw(40)
    built.absorb(window, torch.randn(40, C, 7, dtype=torch.float64))
    return built.eval()


def test_a_forecast_for_each_channel_and_states_to_remember(name, encoder):
    window, tokens = draw()
    forecast, states = encoder(window, tokens)
    assert forecast.shape == (N, C, 7)
    assert states.shape[::2] == (N * C, ENCODERS[name].state_size(D, 4))
    assert encoder.embed(window.flatten(0, 1)).shape[::2] == states.shape[::2]


def test_a_window_depends_on_no_other_window_of_its_batch(encoder):
    window, tokens = draw()
    forecast, order = encoder(window, tokens).forecast, torch.randperm(N)
    by_window = tokens.unflatten(0, (N, C))
    shuffled = encoder(window[order], by_window[order].flatten(0, 1)).forecast
    assert_close(shuffled, forecast[order])
    alone = encoder(window[:1], by_window[0]).forecast
    assert_close(alone, forecast[:1])


def test_what_is_missing_in_a_window_spoils_no_other(name, encoder):
    window, tokens = draw()
    spoiled = window.clone()
    spoiled[1, 2, 5] = torch.nan
    if name == "gated-kalmanet":
        with pytest.raises(KLForecastError, match="NaN or huge values in the input"):
            encoder(spoiled, tokens)
        return
    forecast, kept = encoder(spoiled, tokens).forecast, [0, *range(2, N)]
    assert torch.equal(forecast[kept], encoder(window, tokens).forecast[kept])
    assert forecast[1, 2].isnan().any()


def test_tokens_change_the_forecast_and_are_reached_by_gradients(encoder):
    window, tokens = draw()
    tokens.requires_grad_()
    forecast = encoder(window, tokens).forecast
    forecast.square().sum().backward()
    assert tokens.grad.flatten(1).any(dim=1).all()
    assert not torch.allclose(encoder(window, 2 * tokens).forecast, forecast)


def test_forecasting_writes_nothing(encoder):
    before = copy.deepcopy(encoder.state_dict())
    encoder(*draw())
    assert_close(encoder.state_dict(), before, rtol=0, atol=0)


WITHOUT_FEED_FORWARD = {"nlinear", "dlinear", "rlinear", "mixlinear", "swift"}


def test_the_width_of_feed_forward_layers_is_an_option(name):
    shapes = [tuple(p.shape) for p in build_encoder(name, sizes(d_ff=37)).parameters()]
    assert any(37 in shape for shape in shapes) != (name in WITHOUT_FEED_FORWARD)


def test_an_encoder_without_memory_takes_no_tokens(name):
    built = build_encoder(name, Sizes(7, C, 24, d_model=D))
    assert built(draw()[0].float()).forecast.shape == (N, C, 7)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_window_may_be_shorter_than_a_patch_and_a_period(name, length):
    built = build_encoder(name, sizes(length)).double()
    window, tokens = draw(length=length)
    built.absorb(window, torch.randn(N, C, 7, dtype=torch.float64))
    assert built(window, tokens).forecast.isfinite().all()


PATCHED = [n for n in ENCODERS if isinstance(build_encoder(n, sizes()), PatchForecaster)]


@pytest.mark.parametrize("patched", PATCHED)
def test_encoders_of_patches_forecast_a_channel_from_itself_alone(patched):
    encoder = build_encoder(patched, sizes()).double().eval()
    window, tokens = draw()
    changed = window.clone()
    changed[:, 1] += torch.randn(N, 24, dtype=torch.float64)
    kept = [0, 2]
    assert_close(
        encoder(changed, tokens).forecast[:, kept], encoder(window, tokens).forecast[:, kept]
    )


def test_an_unknown_name_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"encoder='lstn'.*'lstm'"):
        build_encoder("lstn", sizes())

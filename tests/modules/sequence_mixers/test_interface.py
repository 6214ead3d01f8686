"""All mixers over time: one interface, the whole sequence equal to its steps."""

import pytest
import torch
from torch.testing import assert_close

from klforecast.exceptions import KLForecastError
from klforecast.modules import sequence_mixers as mixers

D = 8
BUILD = {
    "gru": lambda: mixers.Recurrent(D, "gru"),
    "lstm": lambda: mixers.Recurrent(D, "lstm"),
    "s4d": lambda: mixers.S4D(D, 3),
    "lssl": lambda: mixers.LSSL(D, 3),
    "spacetime": lambda: mixers.SpaceTime(D, 3),
    "mamba": lambda: mixers.Mamba(D, 3),
    "spectral": lambda: mixers.SpectralMixer(D, 2),
    "linear-attention": lambda: mixers.LinearAttention(D, 2),
    "deltanet": lambda: mixers.DeltaNet(D, 2),
    "deltaproduct": lambda: mixers.DeltaNet(D, 2, reflections=2),
    "mamba with negative eigenvalues": lambda: mixers.Mamba(D, 3, negative_eigenvalues=True),
    "mlstm": lambda: mixers.MLSTM(D, 2),
    "mlstm with a sigmoid gate": lambda: mixers.SigmoidMLSTM(D, 2),
    "gated-kalmanet": lambda: mixers.GatedKalmaNet(D, 2),
    "mixture-of-memories": lambda: mixers.MixtureOfMemories(D, 2),
    "lightnet": lambda: mixers.LightNet(D, 2),
}


@pytest.fixture(params=BUILD)
def mixer(request):
    torch.manual_seed(0)
    built = BUILD[request.param]().double()
    for weights in built.parameters():
        weights.data += 0.1 * torch.randn_like(weights)
    return built


def test_every_mixer_is_tested_here():
    assert {type(build()).__name__ for build in BUILD.values()} == set(mixers.__all__)


def by_steps(mixer, x, state=None):
    outputs = []
    for x_t in x.unbind(dim=1):
        y, state = mixer.step(x_t, state)
        outputs.append(y)
    return torch.stack(outputs, dim=1), state


def run(function, mixer, x):
    leaves = [x.clone().requires_grad_(), *mixer.parameters()]
    y, state = function(leaves[0])
    loss = (y * torch.arange(y.numel()).reshape(y.shape).cos()).sum()
    return y, state, torch.autograd.grad(loss, leaves, allow_unused=True)


@pytest.mark.parametrize("length", [1, 21])
def test_the_whole_sequence_is_its_steps_in_values_and_gradients(mixer, length):
    x = torch.randn(3, length, D, dtype=torch.float64)
    whole = run(mixer, mixer, x)
    steps = run(lambda sequence: by_steps(mixer, sequence), mixer, x)
    assert whole[0].shape == x.shape
    assert_close(whole, steps, rtol=1e-6, atol=1e-8)


def test_a_sequence_goes_on_where_its_state_stopped(mixer):
    x = torch.randn(3, 20, D, dtype=torch.float64)
    first, state = mixer(x[:, :13])
    whole, _ = mixer(x)
    assert_close(torch.cat([first, mixer(x[:, 13:], state)[0]], dim=1), whole)
    assert_close(by_steps(mixer, x[:, 13:], state)[0], whole[:, 13:])


def test_what_is_later_changes_nothing_earlier(mixer):
    x = torch.randn(3, 20, D, dtype=torch.float64)
    changed = x.clone()
    changed[:, 12:] += 1
    assert_close(mixer(changed)[0][:, :12], mixer(x)[0][:, :12])
    assert not torch.allclose(mixer(changed)[0][:, 12:], mixer(x)[0][:, 12:])


@pytest.mark.parametrize("length", [20, 100])
@pytest.mark.parametrize("value", [1e6, torch.nan, torch.inf])
def test_no_step_is_moved_by_a_bit_by_what_is_later(mixer, length, value):
    x = torch.randn(3, length, D)
    changed, mixer = x.clone(), mixer.float()
    changed[0, -1] = value
    if isinstance(mixer, mixers.GatedKalmaNet) and value != 1e6:
        with pytest.raises(KLForecastError, match="NaN or huge values in the input"):
            mixer(changed)
        return
    y = mixer(changed)[0]
    assert torch.equal(y[:, :-1], mixer(x)[0][:, :-1])
    assert torch.equal(y[1:], mixer(x)[0][1:])
    assert y[0, -1].isnan().any() == (value != 1e6)


def test_what_is_not_finite_stays_in_the_state(mixer):
    x = torch.randn(2, 40, D, dtype=torch.float64)
    spoiled = x.clone()
    spoiled[0, 25] = torch.nan
    if isinstance(mixer, mixers.GatedKalmaNet):
        with pytest.raises(KLForecastError, match=r"not positive: .* NaN or huge values"):
            mixer(spoiled)
        return
    y, state = mixer(spoiled)
    assert y[0, 25:].isnan().all()
    assert_close(y[1], mixer(x)[0][1])
    assert mixer(x[:, :3], state)[0][0].isnan().all()


def test_every_weight_is_reached(mixer):
    _, _, gradients = run(mixer, mixer, torch.randn(3, 6, D, dtype=torch.float64))
    assert all(gradient is not None and gradient.any() for gradient in gradients)

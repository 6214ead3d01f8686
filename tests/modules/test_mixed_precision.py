"""Half precision and autocast: every mixer, encoder and network computes what it does in float32."""

import copy

import pytest
import torch

from klforecast.modules import LinearCore, SpectralSSM
from klforecast.modules.encoders import ENCODERS, Sizes, build_encoder
from klforecast.modules.ssm.heads import LanguageModel, SequencePredictor
from klforecast.modules.ssm.pair import PairPredictor
from tests.modules.no_float64 import DEVICE, device_without_float64, move, to_device, unwrapped
from tests.modules.sequence_mixers.test_interface import BUILD, D
from tests.modules.test_lengths_and_batches import NETWORKS, First

# Norm of the difference beside that of the output: a mantissa of 8 or 11 bits through a few layers.
OFF = {torch.bfloat16: 0.06, torch.float16: 0.01}


class Forecast(torch.nn.Module):
    """An encoder as a module from windows to forecasts."""

    def __init__(self, name):
        super().__init__()
        self.encoder = build_encoder(
            name, Sizes(7, 3, 24, d_model=8, n_layers=1, n_heads=2, patch_length=4, period=6)
        )
        windows = torch.randn(40, 3, 24, generator=torch.Generator().manual_seed(3))
        self.encoder.absorb(windows, windows[..., :7])

    def forward(self, x):
        return self.encoder(x).forecast


class OnTokens(torch.nn.Module):
    """A module of token ids as one of numbers, whose signs are the tokens."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module((x > 0).long())


MODULES = {
    **{f"mixer-{name}": (lambda b=build: First(b()), (3, 37, D)) for name, build in BUILD.items()},
    **{f"encoder-{name}": (lambda n=name: Forecast(n), (4, 3, 24)) for name in ENCODERS},
    **{
        f"network-{name}": (
            lambda o=options: SpectralSSM(3, d_model=16, n_modes=4, compression_ratio=0.5, **o),
            (2, 37, 3),
        )
        for name, options in NETWORKS.items()
    },
    "network-normed": (
        lambda: SpectralSSM(3, d_model=16, n_modes=4, spectral_norm=True),
        (2, 37, 3),
    ),
    "predictor": (lambda: SequencePredictor(5, n_channels=3, d_model=16), (2, 37, 3)),
    "language": (lambda: OnTokens(LanguageModel(2, d_model=16)), (2, 37)),
    "pairs": (lambda: OnTokens(PairPredictor(5, vocab_size=2, d_model=16)), (4, 2, 37)),
    "linear core": (
        lambda: LinearCore(torch.randn(20, 3), torch.randn(2, 7, 17 + 3), torch.randn(2, 7)),
        (4, 37, 2),
    ),
}


@pytest.fixture(params=MODULES)
def module_and_input(request):
    build, shape = MODULES[request.param]
    torch.manual_seed(0)
    return build().eval(), torch.randn(shape, generator=torch.Generator().manual_seed(2))


def assert_near(y, reference, share):
    assert y.isfinite().all()
    assert (y.detach().double() - reference.double()).norm() <= share * reference.double().norm()


@pytest.mark.parametrize("dtype", OFF)
def test_a_module_of_half_precision_gives_what_float32_gives(module_and_input, dtype):
    module, x = module_and_input
    reference = module(x).detach()
    half = copy.deepcopy(module).to(dtype)
    y = half(x.to(dtype))
    assert y.dtype == dtype
    assert_near(y, reference, OFF[dtype])
    y.float().square().sum().backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in half.parameters())


def test_autocast_gives_what_float32_gives_forward_and_back(module_and_input):
    module, x = module_and_input
    reference = module(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        y = module(x)
    assert_near(y, reference, OFF[torch.bfloat16])
    y.float().square().sum().backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in module.parameters())


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("dtype", OFF)
def test_stepping_in_half_precision_is_the_whole_sequence(name, dtype):
    torch.manual_seed(0)
    mixer = BUILD[name]().to(dtype)
    x = torch.randn(3, 12, D).to(dtype)
    whole, state = mixer(x)[0], None
    for t in range(12):
        y, state = mixer.step(x[:, t], state)
        assert y.dtype == dtype
        assert_near(y, whole[:, t].detach(), 2 * OFF[dtype])


def test_a_module_made_under_a_float64_default_computes_in_float64(module_and_input, request):
    build, shape = MODULES[request.node.callspec.params["module_and_input"]]
    torch.set_default_dtype(torch.float64)
    try:
        module = build().eval()
        y = module(torch.randn(shape))
    finally:
        torch.set_default_dtype(torch.float32)
    assert y.dtype == torch.float64
    assert all(weights.dtype == torch.float64 for weights in module.parameters())
    assert module.float()(torch.randn(shape)).dtype == torch.float32


@torch.no_grad()
def test_no_module_needs_float64_of_a_device_that_has_none(module_and_input):
    module, x = module_and_input
    reference = module(x)
    with device_without_float64():
        y = move(module)(to_device(x))
    assert y.device == DEVICE
    assert_near(unwrapped(y), reference, 1e-5)

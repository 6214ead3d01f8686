"""No step is refused with a sentence, and no sequence is no sequence, everywhere."""

from itertools import product

import pytest
import torch

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.solved_net import FeaturesAndHead
from klforecast.modules import KLActivation, LinearCore, SpectralSSM
from klforecast.modules.affine_forecast import AffineForecast
from klforecast.modules.encoders import ENCODERS, Sizes, build_encoder
from klforecast.modules.sequence_mixers import MLSTM
from klforecast.modules.ssm.attention import RotaryAttention
from klforecast.modules.ssm.heads import LanguageModel, SequencePredictor
from klforecast.modules.ssm.layer import SpectralLayer
from klforecast.modules.ssm.pair import PairPredictor
from tests.modules.conftest import STATEFUL
from tests.modules.sequence_mixers.test_interface import BUILD, D

NETWORKS = {
    f"{'selective' if s else 'invariant'}-{'both' if b else 'causal'}{'-attention' if a else ''}": {
        "selective": s,
        "bidirectional": b,
        "attention_layers": (1,) if a else (),
    }
    for s, b, a in product([False, True], repeat=3)
} | {
    f"branches-{'both' if b else 'causal'}": {"n_branches": 3, "bidirectional": b}
    for b in (False, True)
}
SENTENCE = "got sequences of length 0; pass at least one step"


class First(torch.nn.Module):
    """A mixer as a module from sequences to sequences."""

    def __init__(self, mixer):
        super().__init__()
        self.mixer = mixer

    def forward(self, x):
        return self.mixer(x)[0]


def network(name):
    return SpectralSSM(3, d_model=16, n_modes=4, **NETWORKS[name])


# On sequences: (batch, length, channels) to a tensor with the same batch.
ON_SEQUENCES = {
    **{f"mixer-{name}": (lambda b=build: First(b()), D) for name, build in BUILD.items()},
    **{f"network-{name}": (lambda n=name: network(n), 3) for name in NETWORKS},
    "layer": (lambda: SpectralLayer(16), 16),
    "attention": (lambda: RotaryAttention(16), 16),
    "predictor": (lambda: SequencePredictor(2, n_channels=3, d_model=16), 3),
}


@pytest.mark.parametrize("name", ON_SEQUENCES)
def test_sequences_without_a_step_are_refused(name):
    build, width = ON_SEQUENCES[name]
    with pytest.raises(ValueError, match=SENTENCE):
        build()(torch.zeros(2, 0, width))


@pytest.mark.parametrize("name", ON_SEQUENCES)
def test_a_batch_of_no_sequences_is_one_of_no_outputs(name):
    build, width = ON_SEQUENCES[name]
    x = torch.zeros(0, 9, width, requires_grad=True)
    y = build()(x)
    assert y.shape[0] == 0
    assert name == "predictor" or y.shape[1] == 9
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("name", BUILD)
def test_the_state_of_no_sequences_goes_on(name):
    mixer = BUILD[name]()
    _, state = mixer(torch.zeros(0, 9, D))
    assert mixer(torch.zeros(0, 9, D), state)[0].shape == (0, 9, D)
    assert mixer.step(torch.zeros(0, D), state)[0].shape == (0, D)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_mask_of_no_sequences_is_taken(name):
    mask = torch.ones(0, 9, dtype=torch.bool)
    assert network(name)(torch.zeros(0, 9, 3), mask).shape == (0, 9, 16)


ON_TOKENS = [LanguageModel(5, d_model=16), PairPredictor(2, vocab_size=5, d_model=16)]


@pytest.mark.parametrize("model", ON_TOKENS)
def test_token_ids_follow_the_same_rule(model):
    pairs = isinstance(model, PairPredictor)
    shape = (2, 0) if not pairs else (2, 2, 0)
    with pytest.raises(ValueError, match=SENTENCE):
        model(torch.zeros(shape, dtype=torch.long))
    none = model(torch.zeros((0, 2, 7) if pairs else (0, 7), dtype=torch.long))
    assert len(none) == 0


ON_WINDOWS = [
    LinearCore(torch.zeros(5, 3), torch.zeros(1, 7, 4 + 3), torch.zeros(1, 7)),
    AffineForecast(torch.zeros(2, 9, 7), torch.zeros(2, 1, 7), torch.zeros(2, 1, 1)),
]


@pytest.mark.parametrize("model", ON_WINDOWS)
def test_windows_follow_the_same_rule(model):
    assert model(torch.zeros(0, 9, 2)).shape == (0, 7, 2)
    with pytest.raises(ValueError, match="got a past of 0 steps; pass the 9 before the cutoff"):
        model(torch.zeros(4, 0, 2))


def sizes(**changes):
    return Sizes(
        **{
            "horizon": 7,
            "n_channels": 3,
            "input_length": 24,
            "memory_tokens": 2,
            "d_model": 8,
            "n_layers": 1,
            "n_heads": 2,
            "patch_length": 4,
            "period": 6,
            **changes,
        }
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_makes_no_forecasts_of_no_windows(name):
    encoder = build_encoder(name, sizes())
    encoder.absorb(torch.randn(0, 3, 24), torch.randn(0, 3, 7))
    forecast, states = encoder(torch.zeros(0, 3, 24), torch.zeros(0, 2, 8))
    assert forecast.shape == (0, 3, 7)
    assert len(states) == len(encoder.embed(torch.zeros(0, 24))) == 0
    forecast.sum().backward()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_refuses_windows_without_a_step(name):
    encoder = build_encoder(name, sizes())
    with pytest.raises(ValueError, match=SENTENCE):
        encoder(torch.zeros(5, 3, 0), torch.zeros(15, 2, 8))
    with pytest.raises(ValueError, match=SENTENCE):
        encoder.embed(torch.zeros(5, 0))


@pytest.mark.parametrize(
    "name",
    ["horizon", "n_channels", "input_length", "d_model", "n_heads", "patch_length", "period"],
)
def test_an_encoder_of_size_zero_is_refused(name):
    with pytest.raises(ValueError, match=f"got {name}=0; pass a whole number of at least 1"):
        sizes(**{name: 0})


def test_a_stateful_module_reads_nothing_for_nothing(stateful, written, draw):
    module = written()
    read = stateful.read(module, draw(n=0))
    assert read.shape == (0, *stateful.read(module, draw()).shape[1:])


@pytest.mark.parametrize("name", ["backbone-prepend", "backbone-add", "dual-lane"])
def test_a_memory_beside_sequences_without_a_step_is_refused(name):
    model = STATEFUL[name].build()
    with pytest.raises(ValueError, match=SENTENCE):
        model(torch.zeros(6, 0, 8), torch.zeros(6, 12, 8))


def test_an_activation_of_nothing_is_nothing():
    activation = KLActivation(4, 2).train()
    activation(torch.randn(9, 4))
    assert activation(torch.zeros(0, 4)).shape == (0, 4)
    assert activation.weight == 9


@pytest.mark.parametrize(
    "size", ["n_modes", "n_layers", "max_length", "d_model", "n_heads", "n_channels"]
)
@pytest.mark.parametrize("value", [0, -1, 2.5, "3"])
def test_a_network_of_no_size_is_refused(size, value):
    with pytest.raises(ValueError, match=f"got {size}={value!r}; pass a whole number"):
        SpectralSSM(**{"n_channels": 3, "d_model": 16, size: value})


def test_an_empty_vocabulary_is_refused():
    with pytest.raises(ValueError, match="got vocab_size=0; pass a whole number"):
        SpectralSSM(vocab_size=0)


@pytest.mark.parametrize("ratio", ["0.5", None, True])
def test_a_compression_ratio_that_is_no_number_is_refused(ratio):
    with pytest.raises(ValueError, match=f"compression_ratio is {ratio!r}; pass a share"):
        SpectralSSM(3, compression_ratio=ratio)


def test_heads_are_a_whole_number():
    with pytest.raises(ValueError, match="got n_heads=0"):
        MLSTM(8, 0)


def solved_head():
    """The solved ridge of a classifier, as a module."""
    generator = torch.Generator().manual_seed(0)
    series = [torch.randn(1, 12, generator=generator, dtype=torch.float64) for _ in range(6)]
    labels = torch.tensor([0, 1] * 3)
    model = ClosedFormClassifier(n_groups=1).fit(series, labels, torch.ones(2))
    return FeaturesAndHead(model.features_, model.ridge_)


def test_a_solved_head_follows_the_same_rule():
    head = solved_head()
    assert head(torch.zeros(0, 1, 12, dtype=torch.float64)).shape == (0, 2)
    with pytest.raises(ValueError, match=SENTENCE):
        head(torch.zeros(2, 1, 0, dtype=torch.float64))

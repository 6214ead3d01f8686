import pytest
import torch
from torch.testing import assert_close

from klforecast.modules.ssm.attention import RotaryAttention
from klforecast.modules.ssm.layer import SpectralLayer
from klforecast.modules.ssm.spectral_ssm import SpectralSSM


def network(**options) -> SpectralSSM:
    return SpectralSSM(**({"n_channels": 3, "d_model": 16, "n_modes": 4} | options))


def test_token_ids_are_embedded():
    assert network(n_channels=None, vocab_size=7)(torch.tensor([[1, 2, 6]])).shape == (1, 3, 16)


@pytest.mark.parametrize("options", [{}, {"n_channels": 2, "vocab_size": 5}])
def test_channels_and_vocabulary_exclude_each_other(options):
    with pytest.raises(ValueError, match="pass n_channels for real sequences or vocab_size"):
        SpectralSSM(**options)


def test_attention_replaces_the_modes_in_the_named_layers_only():
    mixers = [type(block.mixer) for block in network(n_layers=4, attention_layers=(1, 3)).blocks]
    assert mixers == [SpectralLayer, RotaryAttention, SpectralLayer, RotaryAttention]


def test_an_attention_layer_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"attention_layers has \[2\]"):
        network(n_layers=2, attention_layers=(0, 2))


@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("attention_layers", [(), (1,)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing(selective, attention_layers, bidirectional):
    model = network(
        selective=selective, attention_layers=attention_layers, bidirectional=bidirectional
    )
    x = torch.randn(2, 60, 3)
    mask = torch.arange(60) < torch.tensor([60, 1])[:, None]
    assert_close(model(x, mask)[1, :1], model(x[1:, :1])[0], rtol=0, atol=1e-5)
    assert_close(model(x, mask)[0], model(x[:1])[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("selective", [False, True])
def test_streaming_equals_the_whole_sequence(selective):
    model = network(selective=selective).eval()
    x = torch.randn(2, 40, 3)
    whole, states = model(x), model.initial_states(2)
    for t in range(40):
        y, states = model.step(x[:, t], states)
        assert_close(y, whole[:, t], rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [{"bidirectional": True}, {"attention_layers": (0,)}])
def test_a_network_that_needs_whole_sequences_does_not_stream(options):
    with pytest.raises(ValueError, match="needs whole sequences"):
        network(**options).initial_states(1)


def test_dropout_is_active_in_training_only():
    model, x = network(dropout=0.5), torch.randn(1, 20, 3)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_the_forward_pass_in_evaluation_writes_nothing():
    model = network(spectral_norm=True, adaptive_mask=True, compression_ratio=0.5).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(torch.randn(2, 20, 3))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_double_precision_is_kept():
    assert network().double()(torch.randn(1, 9, 3, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(("max_length", "remembers"), [(4096, True), (32, False)])
def test_the_first_steps_are_remembered_over_4096_where_time_constants_allow(max_length, remembers):
    # Both series of a pair are the same after 64 steps, so whoever sees only the last 4,032 steps
    # gives both the same answer: half of all answers are wrong, whatever was learned.
    generator = torch.Generator().manual_seed(0)
    noise = 1e-3 * torch.randn(24, 4096, 1, generator=generator, dtype=torch.float64)
    cue = torch.zeros(4096, 1, dtype=torch.float64)
    cue[:64] = 1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encode = network(n_channels=1, n_layers=1, n_scales=4, max_length=max_length).double()
    with torch.no_grad():
        last = encode(torch.cat([noise + cue, noise - cue]))[:, -1]
    rows = torch.cat([last, torch.ones(48, 1)], dim=1)
    labels = torch.tensor([1.0, -1.0]).double().repeat_interleave(24)
    train = torch.arange(48) % 24 < 12
    readout = torch.linalg.pinv(rows[train], rtol=1e-8) @ labels[train]
    accuracy = ((rows[~train] @ readout).sign() == labels[~train]).double().mean()
    assert accuracy > 0.95 if remembers else accuracy == 0.5

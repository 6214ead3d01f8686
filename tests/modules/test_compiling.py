"""Networks and mixers under torch's own tools: compiled in one graph, exported, traced."""

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules import KLActivation, SpectralSSM
from klforecast.modules.ssm.heads import SequencePredictor
from klforecast.modules.ssm.mask import ModeMask
from tests.modules.sequence_mixers.test_interface import BUILD, D
from tests.modules.test_lengths_and_batches import NETWORKS

pytestmark = [
    # torch.export of torch 2.13 copies its own specifications of inputs in a deprecated way.
    pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning"),
]

# Attention is torch's own and takes the same road in every network.
COMPILED = [
    name for name in NETWORKS if "attention" not in name or name.startswith("invariant-causal")
]


def network(name):
    """Blocks of each kind once: a second one is compiled as the first."""
    torch.manual_seed(0)
    options = {"attention_layers": (), **NETWORKS[name]}
    n_layers = 1 + len(options["attention_layers"])
    return SpectralSSM(3, d_model=16, n_modes=4, n_layers=n_layers, **options).eval()


@pytest.mark.parametrize("name", COMPILED)
def test_a_network_compiles_as_one_graph(name):
    model, x = network(name), torch.randn(2, 40, 3)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x), model(x))
    compiled(x).square().sum().backward()
    ours = [weights.grad.clone() for weights in model.parameters()]
    model.zero_grad()
    model(x).square().sum().backward()
    theirs = [weights.grad for weights in model.parameters()]
    assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", COMPILED)
def test_a_network_is_exported_for_any_batch_with_a_mask(name):
    model, x = network(name), torch.randn(2, 40, 3)
    mask = torch.arange(40) < torch.tensor([40, 30])[:, None]
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(model, (x, mask), dynamic_shapes=({0: batch}, {0: batch}))
    more = torch.randn(5, 40, 3)
    kept = torch.arange(40) < torch.tensor([40, 30, 1, 7, 40])[:, None]
    assert_close(exported.module()(more, kept), model(more, kept))


def test_a_predictor_is_exported():
    model = SequencePredictor(2, n_channels=3, d_model=16, selective=True).eval()
    x = torch.randn(2, 40, 3)
    assert_close(torch.export.export(model, (x,)).module()(x), model(x))


# Torch compiles no recurrent cell of its own as one graph.
@pytest.mark.parametrize("name", [name for name in BUILD if name not in ("gru", "lstm")])
def test_a_mixer_compiles_as_one_graph(name):
    mixer, x = BUILD[name](), torch.randn(2, 20, D)
    torch._dynamo.reset()
    compiled = torch.compile(mixer, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x), mixer(x))


# A trace warns of every length that it takes for fixed, and here the length is.
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", COMPILED)
def test_a_network_is_traced(name):
    model = network(name)
    traced = torch.jit.trace(model, torch.randn(2, 40, 3), check_trace=False)
    x = torch.randn(2, 40, 3)
    assert_close(traced(x), model(x))


def test_an_activation_in_evaluation_compiles_as_one_graph():
    activation = KLActivation(4, 2)
    activation(torch.randn(9, 4))
    x = torch.randn(9, 4)
    torch._dynamo.reset()
    compiled = torch.compile(activation.eval(), backend="aot_eager", fullgraph=True)
    assert_close(compiled(x), activation(x))


def test_an_average_over_networks_has_the_modes_that_they_have():
    model = SpectralSSM(3, d_model=16, compression_ratio=0.5, bidirectional=True)
    for average in (torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), None):
        averaged = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=average, use_buffers=True
        )
        for _ in range(3):
            averaged.update_parameters(model)
        kept = averaged.module.blocks[0].mixer.mask
        assert kept.indices().tolist() == list(range(8))
        assert_close(averaged(torch.ones(1, 9, 3)), model(torch.ones(1, 9, 3)))


def test_a_mask_saved_as_truth_values_is_loaded():
    mask = ModeMask(6, 0.5)
    mask.load_state_dict({"kept": torch.tensor([False, True, True, False, False, True])})
    assert mask.indices().tolist() == [1, 2, 5]

import pytest
import torch

from klforecast.modules.ssm.cost import flops_per_token, n_parameters
from klforecast.modules.ssm.heads import LanguageModel
from klforecast.modules.ssm.spectral_ssm import SpectralSSM


def compressed(ratio: float, **options) -> SpectralSSM:
    return SpectralSSM(3, d_model=32, n_modes=16, compression_ratio=ratio, **options).compress()


def state_floats(network: SpectralSSM) -> int:
    """Real numbers that one stream carries from step to step."""
    return sum(2 * state.numel() for state in network.initial_states(batch=1))


@pytest.mark.parametrize("selective", [False, True])
def test_every_cost_falls_with_the_compression_ratio(selective):
    networks = [compressed(ratio, selective=selective) for ratio in (1.0, 0.5, 0.25, 0.1)]
    for cost in (n_parameters, state_floats, lambda n: flops_per_token(n, torch.zeros(1, 64, 3))):
        costs = [cost(network) for network in networks]
        assert costs == sorted(set(costs), reverse=True)


def test_the_streaming_state_is_proportional_to_the_kept_modes():
    assert state_floats(compressed(0.25)) == 2 * 2 * 4 * 32  # layers, real and imaginary, modes


def test_the_shared_embedding_is_counted_once():
    model = LanguageModel(50, d_model=16)
    assert n_parameters(model) == n_parameters(model.backbone)


def test_only_attention_costs_more_per_token_the_longer_the_sequence():
    def growth(**options) -> float:
        torch.manual_seed(0)
        network = SpectralSSM(3, d_model=32, selective=True, **options)
        long, short = (flops_per_token(network, torch.zeros(1, n, 3)) for n in (512, 128))
        return long / short

    assert growth() == 1.0
    assert growth(attention_layers=(1,)) > 1.2


def test_counting_leaves_the_network_in_its_mode():
    network = SpectralSSM(3, d_model=32)
    flops_per_token(network, torch.zeros(1, 16, 3))
    assert network.training

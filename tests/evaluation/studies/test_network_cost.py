import math

import torch

from klforecast.evaluation.studies.network_cost import network_cost, tokens_per_second
from klforecast.modules.ssm.heads import SequencePredictor


def test_every_cost_is_a_finite_positive_number():
    cost = network_cost(2, batch=2, length=64, repeats=1, n_channels=1, d_model=16)
    assert all(0 < value < math.inf for value in cost[::2])
    assert cost.peak_mib >= 0
    assert cost.n_parameters > 0


def test_measuring_leaves_the_model_and_the_threads_as_they_were():
    model, threads = SequencePredictor(2, n_channels=1, d_model=16), torch.get_num_threads()
    tokens_per_second(model, torch.zeros(2, 8, 1), repeats=1)
    assert model.training
    assert torch.get_num_threads() == threads

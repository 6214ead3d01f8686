import math

import torch

from klforecast.evaluation.lra.speed import tokens_per_second
from klforecast.modules.ssm.heads import SequencePredictor


def test_a_speed_is_finite_and_leaves_the_model_and_the_threads_as_they_were():
    model, threads = SequencePredictor(2, n_channels=1, d_model=16), torch.get_num_threads()
    assert 0 < tokens_per_second(model, torch.zeros(2, 8, 1), repeats=1) < math.inf
    assert model.training
    assert torch.get_num_threads() == threads

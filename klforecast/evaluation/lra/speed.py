"""How fast a network runs: steps per second of a forward pass on one thread."""

import torch
from torch import Tensor, nn

from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.timing import cpu_seconds
from klforecast.modules.ssm.cost import n_steps


def tokens_per_second(
    module: nn.Module,
    x: Tensor,  # (batch, length, n_channels), or token ids (batch, length); or pairs of these
    repeats: int = 3,
) -> float:
    """Steps that a forward pass handles per second of CPU time on one thread: the best repeat."""
    training = module.training
    module.eval()
    try:
        with one_thread(), torch.no_grad():
            module(x)  # the first pass pays for allocations
            seconds = [cpu_seconds(lambda: module(x)) for _ in range(repeats)]
    finally:
        module.train(training)
    return n_steps(x) / min(seconds)

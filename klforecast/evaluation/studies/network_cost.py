"""What a spectral network costs when it runs: steps per second, peak memory, operations, state."""

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from klforecast.evaluation.studies.timing import cpu_seconds, one_thread
from klforecast.modules.ssm.cost import flops_per_token, n_parameters, n_steps
from klforecast.modules.ssm.heads import SequencePredictor


class NetworkCost(NamedTuple):
    """Cost of one forward pass over a batch, on one thread."""

    tokens_per_second: float  # steps of all sequences, per second of CPU time
    peak_mib: float  # growth of the process's peak memory during the passes
    flops_per_token: float
    n_parameters: int


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


def network_cost(
    n_outputs: int,
    *,
    batch: int = 16,
    length: int = 1024,
    repeats: int = 3,
    **backbone: Any,
) -> NetworkCost:
    """Cost of a compressed `SequencePredictor`, measured in a process of its own.

    Parameters
    ----------
    n_outputs : int
        Outputs of the head.
    batch, length : int
        Size of the batch that is passed through.
    repeats : int, default=3
        Passes to take the fastest of.
    **backbone
        Arguments of `SpectralSSM`; `n_channels` is required.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_network_cost, n_outputs, batch, length, repeats, backbone).result()


def _network_cost(
    n_outputs: int, batch: int, length: int, repeats: int, backbone: dict[str, Any]
) -> NetworkCost:
    model = SequencePredictor(n_outputs, **backbone)
    model.backbone.compress()
    x = torch.zeros(batch, length, backbone["n_channels"])
    tokens_per_second(model, x[:1, :2], repeats=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    speed = tokens_per_second(model, x, repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return NetworkCost(
        tokens_per_second=speed,
        peak_mib=peak / 1024,
        flops_per_token=flops_per_token(model, length, backbone["n_channels"]),
        n_parameters=n_parameters(model),
    )

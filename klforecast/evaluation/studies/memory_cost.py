"""What a memory of the training run adds to a training step of the Spectral Memory transformer.

    python -m klforecast.evaluation.studies.memory_cost

Three networks take turns: without memory, with tokens that are only read, and with tokens, writes
and decompositions of a full memory of 3,000 rows. So the second line holds what longer sequences
cost, and the difference to the third what remembering costs. CPU seconds of one thread.
"""

import statistics
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.peers.spectral_memory import SpectralMemoryTransformer
from klforecast.evaluation.studies.command import make_parser, make_table, show
from klforecast.evaluation.studies.timing import in_turns

_LOOKBACK, _HORIZON, _CHANNELS, _BATCH = 96, 96, 7, 32  # ETTh1 in the setting of the paper
_ROWS = 3000  # of a full memory, as published


class StepCost(NamedTuple):
    """Cost of a training step; the mean counts every decomposition, the median hardly any."""

    network: str
    median: float  # milliseconds
    mean: float  # milliseconds
    ratio: float  # of the means, to the tokens that are only read


class _Reader(nn.Module):
    """The network with its memory as it is: tokens are read and nothing is written."""

    def __init__(self, network: SpectralMemoryTransformer):
        super().__init__()
        self.network = network.network

    def forward(self, past: Tensor) -> Tensor:
        return self.network(past)


def step_costs(steps: int = 1500, d_model: int = 64) -> list[StepCost]:
    """Measure training steps of the three networks in turns.

    Parameters
    ----------
    steps : int, default=1500
        Steps of each network; in 750 a full memory is decomposed once.
    d_model : int, default=64
        Width.

    Returns
    -------
    list of StepCost
    """
    generator = torch.Generator().manual_seed(0)
    past = torch.randn(_BATCH, _LOOKBACK, _CHANNELS, generator=generator)
    future = torch.randn(_BATCH, _HORIZON, _CHANNELS, generator=generator)
    networks: dict[str, nn.Module] = {
        "no memory": _network("none", d_model),
        "tokens read": _Reader(_full(_network("frozen", d_model), generator)),
        "tokens read and written": _full(_network("frozen", d_model), generator),
    }
    optimizers = {name: torch.optim.Adam(net.parameters()) for name, net in networks.items()}

    def step(name: str) -> None:
        loss = nn.functional.mse_loss(networks[name](past), future)
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()

    seconds = in_turns({name: partial(step, name) for name in networks}, steps)
    times = {name: [1000 * spent for spent in of] for name, of in seconds.items()}
    means = {name: statistics.fmean(spent) for name, spent in times.items()}
    return [
        StepCost(name, statistics.median(spent), means[name], means[name] / means["tokens read"])
        for name, spent in times.items()
    ]


def _network(readout: str, d_model: int) -> SpectralMemoryTransformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SpectralMemoryTransformer(
            _LOOKBACK, _HORIZON, _CHANNELS, readout=readout, d_model=d_model
        )


def _full(net: SpectralMemoryTransformer, generator: torch.Generator) -> SpectralMemoryTransformer:
    memory = net.network.memory
    assert memory is not None
    memory.store.append(torch.randn(_ROWS, memory.d_model, generator=generator))
    return net


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--d-model", type=int, default=64)
    options = parser.parse_args(arguments)
    with one_thread():
        costs = step_costs(options.steps, options.d_model)
    lines = [
        (cost.network, f"{cost.median:.2f}", f"{cost.mean:.2f}", f"{cost.ratio:.3f}")
        for cost in costs
    ]
    title = f"a training step, width {options.d_model}, {_ROWS:,} rows remembered"
    show(make_table(title, ("network", "median ms", "mean ms", "mean / tokens read"), lines))


if __name__ == "__main__":
    main()

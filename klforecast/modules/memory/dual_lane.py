"""Dual-lane ensemble: two sequence models side by side, mixed by what a memory recalls.

    w = softmax(W flatten(tokens))           one pair of weights for each sequence
    y = w_1 lane_1(x) + w_2 lane_2(x)

W has no bias and starts at zero: at first, and whenever the memory is empty, y is the mean of the
lanes. Whatever it learns, y lies between them.

See       Marquez 2025, The Spectrum Remembers: Spectral Memory, published code, DualLaneKL:
          y = (lane_1(x) + lane_2(x)) / 2 + mean of the tokens, its lanes two GRUs, its memory the
          trajectory of (lane_1(x) + lane_2(x)) / 2 at the last step.
Left out  The mean token, which is not of the mixture: `klforecast.modules.memory.with_memory` gives one
          to a lane or to the whole. The memory never writes itself.
New       The weights: there the mean is fixed.
"""

import torch
from torch import Tensor, nn

from klforecast.modules.memory.kl_memory import KLMemory
from klforecast.modules.memory.with_memory import read_tokens, run_backbone


class DualLane(nn.Module):
    """Two sequence models, mixed for each sequence by weights from memory tokens.

    Parameters
    ----------
    first, second : Module
        The lanes: each maps (batch, length, d_model) to the same shape, or to a tuple that begins
        with it.
    memory : KLMemory
        Where the tokens come from. It is written by whoever trains, with ``memory.append``: a
        history source with histories, a trajectory source with what the lanes return.

    Examples
    --------
    >>> from klforecast.modules import DualLane, KLMemory
    >>> lanes = nn.GRU(8, 8, batch_first=True), nn.LSTM(8, 8, batch_first=True)
    >>> memory = KLMemory(8, source="trajectory", memory_depth=100, n_components=4)
    >>> model = DualLane(*lanes, memory)
    >>> x = torch.randn(4, 10, 8)
    >>> model.lane_weights(x)[0]
    tensor([0.5000, 0.5000], grad_fn=<SelectBackward0>)
    >>> model.memory.append(model(x))
    """

    def __init__(self, first: nn.Module, second: nn.Module, memory: KLMemory):
        super().__init__()
        self.lanes = nn.ModuleList([first, second])
        self.memory = memory
        self.to_weights = nn.Linear(memory.memory_tokens * memory.d_model, 2, bias=False)
        nn.init.zeros_(self.to_weights.weight)

    def forward(self, x: Tensor, history: Tensor | None = None) -> Tensor:
        """Run both lanes and mix them; nothing is written.

        It takes, returns and refuses what `WithMemory.forward` does, in each of its lanes.
        """
        weights = self.lane_weights(x, history)
        outputs = torch.stack([run_backbone(lane, x) for lane in self.lanes], dim=-1)
        return (outputs * weights[:, None, None]).sum(dim=-1)

    def lane_weights(self, x: Tensor, history: Tensor | None = None) -> Tensor:
        """Weights of the lanes, (batch, 2): positive, of sum one. Arguments as for `forward`."""
        return self.to_weights(read_tokens(self.memory, x, history).flatten(1)).softmax(dim=-1)

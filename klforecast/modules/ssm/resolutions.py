"""One layer at several resolutions: branches that read means of 1, 2, 4, ... steps, mixed by learned shares.

    x_s = mean of x over blocks of 2^s steps                  over observed steps only
    y   = sum_s softmax(w)_s spread(layer_s(x_s))             s = 0 ... n - 1

Spread gives every step the output of its block, in a causal network that of the last block that is
over: nothing is known of a mean before its last step. Time constants are those of the sequence, so a
branch of coarse steps is cheap where they are long. Cost: less than twice that of one layer.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from klforecast.modules.ssm.layer import SpectralLayer


class Resolutions(nn.Module):
    """Spectral layers side by side, (batch, length, d_model) to the same shape.

    Parameters
    ----------
    n_branches : int
        Resolutions.
    layer : callable
        From the number of steps of a block to the `SpectralLayer` of that branch.
    causal : bool
        Whether a step may see no later one.
    """

    def __init__(self, n_branches: int, layer: Callable[[int], SpectralLayer], causal: bool):
        super().__init__()
        self.causal = causal
        self.branches = nn.ModuleList(layer(2**number) for number in range(n_branches))
        self.shares = nn.Parameter(torch.zeros(n_branches))

    def forward(
        self,
        x: Tensor,  # (batch, length, d_model)
        mask: Tensor | None = None,  # (batch, length), True where observed
        gaps: Tensor | None = None,
    ) -> Tensor:  # (batch, length, d_model)
        """Mix whole sequences; what is padded changes nothing elsewhere.

        Raises
        ------
        ValueError
            If there are gaps: blocks of samples at uneven times are of no one length.
        """
        if gaps is not None:
            raise ValueError("gaps are for n_branches=1; pass regular sequences, or one branch")
        seen = x.new_ones(x.shape[:2], dtype=torch.bool) if mask is None else mask.bool()
        total = torch.zeros_like(x)
        for number, (share, branch) in enumerate(
            zip(self.shares.softmax(dim=0), self.branches, strict=True)
        ):
            means, observed = block_means(x, seen, 2**number)
            total = total + share * self._spread(branch(means, observed), 2**number, x.shape[1])
        return total

    def _spread(self, y: Tensor, size: int, length: int) -> Tensor:
        if self.causal:
            y = pad(y, (0, 0, 1, 0))  # nothing yet, until the first block is over
            return y.repeat_interleave(size, dim=1)[:, 1 : length + 1]
        return y.repeat_interleave(size, dim=1)[:, :length]


def block_means(x: Tensor, seen: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Means over the observed steps of each block, and which blocks have any.

    Parameters
    ----------
    x : Tensor (batch, length, n)
    seen : Tensor (batch, length)
        True where observed.
    size : int
        Steps of a block; the last one may be shorter.

    Examples
    --------
    >>> x, seen = torch.tensor([[[1.0], [3.0], [5.0]]]), torch.ones(1, 3, dtype=torch.bool)
    >>> block_means(x, seen, 2)[0].flatten()
    tensor([2., 5.])
    """
    missing = -x.shape[1] % size
    blocks = pad(torch.where(seen[..., None], x, 0.0), (0, 0, 0, missing)).unflatten(1, (-1, size))
    counts = pad(seen, (0, missing)).unflatten(1, (-1, size)).sum(dim=2)
    return blocks.sum(dim=2) / counts.clamp(min=1)[..., None], counts > 0

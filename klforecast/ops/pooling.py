"""What is left of a filter's response to a series when time is pooled away.

    sides     share of steps above a bias, for several biases
    peak      the largest response
    contest   how often, and how strongly, a mode gives the largest or the smallest response of its
              group

Shares above a bias are those of ROCKET (arXiv 1910.13051, "PPV") and MiniRocket (2012.08791), the
contest within a group is that of Hydra (2203.13652); both pool random convolutions there, and
damped oscillations here. Responses come from `ops.filter_bank` or `ops.windowed_bank` as (groups,
modes, chunk, n, chunks). Comparisons write into one buffer: fresh memory for each of them would take
most of the time.
"""

import numpy as np
import torch
from torch import Tensor

from klforecast.ops.arrays import to_tensor
from klforecast.ops.filter_bank import Blocks

# Responses that are sorted for the biases of a mode: quantiles are known to a five hundredth of all
# responses then, and the biases are four at random.
_SORTED = 65_536


def draw_biases(
    responses: Tensor,  # (groups, modes, chunk, n, chunks)
    blocks: Blocks,
    n_biases: int,
    generator: torch.Generator,
) -> Tensor:  # (groups, modes, n_biases)
    """Biases at random quantiles of the responses to some series, evenly spread for each mode.

    Of more than 65,536 responses of a mode, as many at most, evenly spaced, are looked at.
    """
    seen = responses[:, :, blocks.observed]
    seen = seen[..., :: -(-seen.shape[-1] // _SORTED)]
    # Vectorised in numpy: a tenth of the time of a sort in torch.
    seen = to_tensor(np.sort(seen.numpy(), axis=-1))
    count = seen.shape[-1]
    start = torch.rand(*seen.shape[:2], 1, generator=generator, dtype=torch.float64)
    quantile = (start + torch.arange(n_biases) / n_biases) % 1
    below = (quantile * (count - 1)).long()
    # Halfway between two responses: at a response itself, rounding would decide the side.
    return (seen.gather(2, below) + seen.gather(2, (below + 1).clamp(max=count - 1))) / 2


def pool_sides(
    responses: Tensor,  # (groups, modes, chunk, n, chunks)
    blocks: Blocks,
    biases: Tensor,  # (groups, modes, n_biases)
) -> Tensor:  # (groups, modes * n_biases, n)
    """Share of steps above each bias."""
    hidden = _hide(responses, blocks, -torch.inf)
    above = torch.empty_like(hidden)
    counts = [
        _total(torch.gt(hidden, bias[..., None, None, None], out=above))
        for bias in biases.to(responses.dtype).unbind(2)
    ]
    return torch.cat(counts, dim=1) / blocks.lengths


def pool_peak(
    responses: Tensor,  # (groups, modes, chunk, n, chunks)
    blocks: Blocks,
) -> Tensor:  # (groups, modes, n)
    """Largest response over the steps of each series."""
    return _hide(responses, blocks, -torch.inf).amax(2).amax(-1)


def pool_contest(
    responses: Tensor,  # (groups, modes, chunk, n, chunks)
    blocks: Blocks,
) -> Tensor:  # (groups, 4 * modes, n)
    """Wins of each mode against the others of its group.

    Square roots of the share of steps that the mode wins and of the mean of its winning responses,
    for the largest response and for the smallest.
    """
    pooled = []
    wins = torch.empty_like(responses)
    for sign in (1, -1):
        best = responses.amax(1, keepdim=True) if sign == 1 else responses.amin(1, keepdim=True)
        torch.eq(responses, best, out=wins)
        if not blocks.observed.all():
            wins.mul_(blocks.observed)
        pooled.append(_total(wins))
        pooled.append(_total(wins.mul_((sign * best).clamp(min=0))))
    return (torch.cat(pooled, dim=1) / blocks.lengths).sqrt()


def _total(values: Tensor) -> Tensor:
    # One axis after the other: torch sums two axes that do not touch several times slower, and it
    # copies to sum an axis of one.
    return (values.squeeze(2) if values.shape[2] == 1 else values.sum(2)).sum(-1)


def _hide(responses: Tensor, blocks: Blocks, value: float) -> Tensor:
    """Responses with `value` after the end of each series."""
    if blocks.observed.all():
        return responses
    return responses.masked_fill(~blocks.observed, value)

"""Softmax attention with rotary positions: the mixer of the hybrid layers."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from klforecast.ops.checks import require_steps
from klforecast.ops.precision import exact, like


def rotate_positions(
    x: Tensor,  # (batch, heads, length, width)
    positions: Tensor | None = None,  # (batch, length); None is 0, 1, 2, ...
) -> Tensor:
    """Turn each pair of channels by an angle proportional to the position (arXiv 2104.09864)."""
    length, width = x.shape[-2:]
    pairs, steps = (exact(torch.arange(n, device=x.device)) for n in (width // 2, length))
    places = steps if positions is None else positions[:, None]
    angle = places[..., None] * 10_000 ** (-2 * pairs / width)  # (..., length, width // 2)
    cos, sin = like(angle.cos(), x), like(angle.sin(), x)
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], dim=-1)


class RotaryAttention(nn.Module):
    """Multi-head attention over time, (batch, length, d_model) to the same shape.

    Parameters
    ----------
    d_model : int
        Channels in and out.
    n_heads : int, default=4
        Heads; `d_model` is a multiple of `2 * n_heads`.
    causal : bool, default=True
        Let a step see itself and the past only.

    Notes
    -----
    Time O(length**2 * d_model) per sequence.
    """

    def __init__(self, d_model: int, n_heads: int = 4, causal: bool = True):
        super().__init__()
        if d_model % (2 * n_heads):
            raise ValueError(
                f"d_model is {d_model}; pass a multiple of 2 * n_heads = {2 * n_heads}"
            )
        self.n_heads = n_heads
        self.causal = causal
        self.into = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(
        self,
        x: Tensor,  # (batch, length, d_model)
        mask: Tensor | None = None,  # (batch, length), True where observed
        gaps: Tensor | None = None,  # (batch, length), time since the step before, in steps
    ) -> Tensor:  # (batch, length, d_model)
        """Attend over whole sequences; a padded step is attended to by itself alone."""
        length = x.shape[1]
        require_steps(length)
        if mask is not None:
            x = torch.where(mask[..., None].bool(), x, 0.0)
        heads = self.into(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(dim=0)  # (batch, heads, length, width)
        positions = None if gaps is None else exact(gaps).cumsum(dim=1)
        query, key = rotate_positions(query, positions), rotate_positions(key, positions)
        visible = None
        if mask is not None:
            # Every step sees itself, so that no softmax is taken over nothing.
            visible = mask[:, None, None, :].bool() | torch.eye(length, device=x.device).bool()
            if self.causal:
                visible = visible.tril()
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, is_causal=self.causal and mask is None
        )
        return self.out(mixed.transpose(1, 2).flatten(-2))

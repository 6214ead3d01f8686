"""What the mixers with a matrix of memory per head share: projections in, norm and gate out.

    q, k, v = linear maps of x, cut into heads
    o       = recurrence(q, k, v, ...)              of the subclass
    y       = W (rmsnorm(o) * sigmoid(G x))

The recurrence runs in float32 at least (`klforecast.ops.precision`), the rest in the dtype of the
weights or of autocast.

Letters   batch; heads; length in steps; d width of a head
"""

from typing import Any

import torch
from torch import Tensor, nn

from klforecast.ops.checks import require_positive, require_steps


class HeadMixer(nn.Module):
    """Base of mixers over time with heads; a subclass says what happens within a head.

    Parameters
    ----------
    d_model : int
        Channels in and out.
    n_heads : int, default=4
        Heads; it divides `d_model`.

    Raises
    ------
    ValueError
        If `n_heads` does not divide `d_model`.
    """

    def __init__(self, d_model: int, n_heads: int = 4):
        super().__init__()
        require_positive(d_model=d_model, n_heads=n_heads)
        if d_model % n_heads:
            raise ValueError(f"got d_model={d_model}; pass a multiple of n_heads={n_heads}")
        self.n_heads = n_heads
        self.width = d_model // n_heads
        self.into = nn.Linear(d_model, 3 * d_model, bias=False)
        self.norm = nn.RMSNorm(self.width)
        self.gate = nn.Linear(d_model, d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Mix whole sequences.

        Parameters
        ----------
        x : Tensor of shape (batch, length, d_model)
        state : optional
            As an earlier call returned it; None is the start.

        Returns
        -------
        y : Tensor of shape (batch, length, d_model)
        state
            After the last step.

        Raises
        ------
        ValueError
            If the sequences have no step. A batch of none is a batch of none.
        """
        require_steps(x.shape[1])
        o, state = self.recur(x, state)
        normed = self._normed(o).transpose(1, 2).flatten(2)
        return self.out(normed * torch.sigmoid(self.gate(x))), state

    def step(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance by one step: x and y are (batch, d_model)."""
        o, state = self.recur_step(x[:, None], state)
        return self.out(self._normed(o).flatten(1) * torch.sigmoid(self.gate(x))), state

    def recur(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """From (batch, length, d_model) to (batch, heads, length, d), by the chunked kernel."""
        raise NotImplementedError

    def recur_step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """From (batch, 1, d_model) to (batch, heads, d), by the recurrence itself."""
        raise NotImplementedError

    def qkv(self, x: Tensor) -> list[Tensor]:
        """Queries, keys and values, (batch, heads, length, d) each."""
        return [self.heads(part) for part in self.into(x).chunk(3, dim=-1)]

    def heads(self, x: Tensor) -> Tensor:
        """(batch, length, heads * n) -> (batch, heads, length, n)."""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def zeros(self, x: Tensor, *shape: int) -> Tensor:
        """Zeros of the given shape for each sequence and head, like x."""
        return x.new_zeros(len(x), self.n_heads, *shape)

    def _normed(self, o: Tensor) -> Tensor:
        return self.norm(o.to(self.norm.weight.dtype))


def at_step(*terms: Tensor) -> list[Tensor]:
    """Take the only step of terms (batch, heads, 1, n)."""
    return [term[:, :, 0] for term in terms]

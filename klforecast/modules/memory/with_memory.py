"""Karhunen-Loeve memory tokens for any sequence model (batch, length, d_model) -> the same shape.

    "prepend"        y = last rows of backbone([tokens ; x])
    "add"            y = backbone(x + W flatten(tokens))              the same for every step
    "cross-attend"   y = backbone(x + attention(x over tokens))

Prepending suits attention, where every step can look at the tokens, and causal recurrences, where
it is the same as starting from the state that the tokens leave behind. Adding suits models that
have no place for further steps (linear maps over a fixed length), cross-attention those that read a
sequence in both directions or in blocks of fixed size.

W and the attention have no bias: an empty memory, whose tokens are zero, adds nothing.

See       Marquez 2025, The Spectrum Remembers: Spectral Memory (tokens prepended to a transformer).
"""

from typing import Any

import torch
from torch import Tensor, nn

from klforecast.modules.memory.kl_memory import KLMemory
from klforecast.ops.checks import require_steps

WAYS = ("prepend", "add", "cross-attend")


def with_memory(
    backbone: nn.Module, d_model: int, *, how: str = "prepend", **memory_options: Any
) -> "MemoryBackbone":
    """Give a sequence model a Karhunen-Loeve memory.

    Parameters
    ----------
    backbone : Module
        Maps (batch, length, d_model) to the same shape. A tuple whose first entry has that shape
        (as `torch.nn.GRU` with ``batch_first=True`` returns it) is understood; for any other
        signature wrap the model in a module of a few lines.
    d_model : int
        Width of the sequences.
    how : {"prepend", "add", "cross-attend"}, default="prepend"
        How the tokens reach the backbone; see the top of this file.
    **memory_options
        Of `KLMemory`: source, memory_depth, n_components, memory_tokens, state_size and so on.

    Returns
    -------
    MemoryBackbone
        Its `memory` is written by whoever trains, with ``memory.append``; `forward` only reads.

    Raises
    ------
    ValueError
        If `how` is unknown or an option of the memory cannot be.

    Examples
    --------
    >>> gru = torch.nn.GRU(8, 8, batch_first=True)
    >>> model = with_memory(gru, 8, memory_depth=50, memory_tokens=3, state_size=2)
    >>> histories = torch.randn(100, 50, 2)
    >>> model.memory.append(histories)
    >>> model(torch.randn(4, 10, 8), histories[:4]).shape
    torch.Size([4, 10, 8])
    """
    return MemoryBackbone(backbone, KLMemory(d_model, **memory_options), how)


class MemoryBackbone(nn.Module):
    """A backbone that reads memory tokens beside its sequence; see `with_memory`.

    Parameters
    ----------
    backbone : Module
        Maps (batch, length, d_model) to the same shape, or to a tuple that begins with it.
    memory : KLMemory
        Where the tokens come from.
    how : {"prepend", "add", "cross-attend"}, default="prepend"
        How they reach the backbone.
    """

    def __init__(self, backbone: nn.Module, memory: KLMemory, how: str = "prepend"):
        super().__init__()
        if how not in WAYS:
            raise ValueError(f"got how={how!r}; pass one of {', '.join(map(repr, WAYS))}")
        self.backbone = backbone
        self.memory = memory
        self.how = how
        d_model = memory.d_model
        if how == "add":
            self.features = nn.Linear(memory.memory_tokens * d_model, d_model, bias=False)
        elif how == "cross-attend":
            self.attention = nn.MultiheadAttention(d_model, 1, bias=False, batch_first=True)

    def forward(self, x: Tensor, history: Tensor | None = None) -> Tensor:
        """Run the backbone beside what the memory holds; nothing is written.

        Parameters
        ----------
        x : Tensor of shape (batch, length, d_model)
        history : Tensor of shape (batch, memory_depth, state_size), default=None
            History source: the past of each sequence. The trajectory source reads none.

        Returns
        -------
        Tensor of shape (batch, length, d_model)

        Raises
        ------
        ValueError
            If a memory of histories is given none.
        TypeError
            If the backbone returns something else than a tensor or a tuple that begins with one.
        """
        tokens = read_tokens(self.memory, x, history)
        if self.how == "prepend":
            return run_backbone(self.backbone, torch.cat([tokens, x], dim=1))[:, -x.shape[1] :]
        if self.how == "add":
            return run_backbone(self.backbone, x + self.features(tokens.flatten(1))[:, None])
        return run_backbone(
            self.backbone, x + self.attention(x, tokens, tokens, need_weights=False)[0]
        )


def read_tokens(memory: KLMemory, x: Tensor, history: Tensor | None) -> Tensor:
    """Read the tokens that go with a batch of sequences.

    Parameters
    ----------
    memory : KLMemory
    x : Tensor of shape (batch, length, d_model)
    history : Tensor of shape (batch, memory_depth, state_size) or None
        None is for a memory of a trajectory.

    Returns
    -------
    Tensor of shape (batch, memory_tokens, d_model)

    Raises
    ------
    ValueError
        If a memory of histories is given none, or the histories of another number of sequences, or
        the sequences have no step.
    """
    require_steps(x.shape[1])
    if history is not None and len(history) != len(x):
        raise ValueError(
            f"got {len(x)} sequences and {len(history)} histories; pass one history for each"
        )
    if history is None and memory.source == "history":
        raise ValueError(
            "this memory reads the past of each sequence, and none was given; pass "
            "history=(batch, memory_depth, state_size), or build it with source='trajectory'"
        )
    # Of what a trajectory is given, only the number of sequences counts.
    return memory(x.new_zeros(len(x), 1, memory.state_size) if history is None else history)


def run_backbone(backbone: nn.Module, x: Tensor) -> Tensor:
    """Run a backbone; of a tuple that it returns, take the first entry.

    Raises
    ------
    TypeError
        If the backbone returns something else than a tensor or a tuple that begins with one.
    """
    y = backbone(x)
    if isinstance(y, tuple):
        y = y[0]
    if not isinstance(y, Tensor):
        raise TypeError(
            f"the backbone returned a {type(y).__name__}; wrap it in a module that returns the "
            "tensor (batch, length, d_model)"
        )
    return y

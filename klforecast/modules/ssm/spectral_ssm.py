"""The spectral state-space network: an embedding and a stack of blocks, each mixer + MLP.

    x = x + mixer(norm(x))        mixer: SpectralLayer, Resolutions (several of them), or
                                  RotaryAttention in the hybrid layers
    x = x + mlp(norm(x))

It computes one vector per step; `modules.ssm.heads` turns them into classes, values or tokens.
Left out: normalisation over the batch, so that a sequence never depends on its batch mates.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from klforecast.modules.blocks import PreNormBlock
from klforecast.modules.ssm.attention import RotaryAttention
from klforecast.modules.ssm.layer import SpectralLayer
from klforecast.modules.ssm.resolutions import Resolutions
from klforecast.ops.checks import require_positive


class SpectralBlock(PreNormBlock):
    """Pre-norm residual block around a `SpectralLayer`, several of them or `RotaryAttention`."""

    def forward(
        self,
        x: Tensor,  # (batch, length, d_model)
        mask: Tensor | None = None,  # (batch, length), True where observed
        gaps: Tensor | None = None,  # (batch, length), time since the step before, in steps
    ) -> Tensor:  # (batch, length, d_model)
        """Transform whole sequences."""
        return self.add(x, self.mixer(self.mixer_norm(x), mask, gaps))

    def step(
        self,
        x: Tensor,  # (batch, d_model)
        state: Tensor,  # (batch, heads, modes, width), complex
        gaps: Tensor | None = None,  # (batch,)
    ) -> tuple[Tensor, Tensor]:
        """Advance by one step; for blocks whose mixer is a `SpectralLayer`."""
        assert isinstance(self.mixer, SpectralLayer)
        mixed, state = self.mixer.step(self.mixer_norm(x), state, gaps)
        return self.add(x, mixed), state


class SpectralSSM(nn.Module):
    """Network of spectral layers over real sequences or token ids.

    Parameters
    ----------
    n_channels : int, default=None
        Channels of real sequences. Pass this or `vocab_size`.
    vocab_size : int, default=None
        Number of different tokens, for sequences of token ids.
    d_model : int, default=64
        Width of the network.
    n_layers : int, default=2
        Blocks.
    n_modes : int, default=16
        Complex modes per head, before compression.
    n_heads : int, default=4
        Heads per layer.
    selective : bool, default=False
        Let steps, writes and reads of the recurrence depend on the input.
    compression_ratio : float, default=1.0
        Share of the modes that every layer uses, in (0, 1].
    adaptive_mask : bool, default=False
        Learn which modes are used instead of using those of lowest frequency.
    spectral_norm : bool, default=False
        Bound the gain of the spectral layers; see `SpectralLayer`.
    n_scales : int, default=1
        Different time constants among the heads of a layer.
    n_branches : int, default=1
        Resolutions side by side in every layer: it reads means of 1, 2, 4, ... steps; see
        `Resolutions`.
    attention_layers : sequence of int, default=()
        Indices of the blocks that use softmax attention instead of modes.
    bidirectional : bool, default=False
        Let every step see the future too.
    dropout : float, default=0.0
        Share of activations dropped in training after every mixer and MLP.
    max_length : int, default=1024
        Length of the sequences to come, in steps; sets the longest time constant at the start.

    Examples
    --------
    >>> import torch
    >>> SpectralSSM(n_channels=3, d_model=16, n_modes=4)(torch.zeros(2, 50, 3)).shape
    torch.Size([2, 50, 16])
    """

    def __init__(
        self,
        n_channels: int | None = None,
        *,
        vocab_size: int | None = None,
        d_model: int = 64,
        n_layers: int = 2,
        n_modes: int = 16,
        n_heads: int = 4,
        selective: bool = False,
        compression_ratio: float = 1.0,
        adaptive_mask: bool = False,
        spectral_norm: bool = False,
        n_scales: int = 1,
        n_branches: int = 1,
        attention_layers: Sequence[int] = (),
        bidirectional: bool = False,
        dropout: float = 0.0,
        max_length: int = 1024,
    ):
        super().__init__()
        if (n_channels is None) == (vocab_size is None):
            raise ValueError(
                f"n_channels is {n_channels} and vocab_size is {vocab_size}; "
                "pass n_channels for real sequences or vocab_size for token ids"
            )
        alphabet = {"n_channels": n_channels} if vocab_size is None else {"vocab_size": vocab_size}
        require_positive(
            **alphabet,
            d_model=d_model,
            n_layers=n_layers,
            n_modes=n_modes,
            n_heads=n_heads,
            n_branches=n_branches,
            max_length=max_length,
        )
        absent = sorted(set(attention_layers) - set(range(n_layers)))
        if absent:
            raise ValueError(
                f"attention_layers has {absent}; pass indices between 0 and {n_layers - 1}"
            )
        self.bidirectional = bidirectional

        def spectral_layer(stride: int = 1) -> SpectralLayer:
            return SpectralLayer(
                d_model,
                n_modes=n_modes,
                n_heads=n_heads,
                selective=selective,
                compression_ratio=compression_ratio,
                adaptive_mask=adaptive_mask,
                spectral_norm=spectral_norm,
                n_scales=n_scales,
                bidirectional=bidirectional,
                max_length=max(1, max_length // stride),
            )

        self.embedding: nn.Linear | nn.Embedding
        if n_channels is not None:
            self.embedding = nn.Linear(n_channels, d_model)
        else:
            assert vocab_size is not None
            self.embedding = nn.Embedding(vocab_size, d_model)
        self.blocks = nn.ModuleList()
        for index in range(n_layers):
            mixer: nn.Module
            if index in attention_layers:
                mixer = RotaryAttention(d_model, n_heads, causal=not bidirectional)
            elif n_branches > 1:
                mixer = Resolutions(n_branches, spectral_layer, causal=not bidirectional)
            else:
                mixer = spectral_layer()
            self.blocks.append(SpectralBlock(mixer, d_model, 2 * d_model, dropout))
        self.norm = nn.LayerNorm(d_model)

    @property
    def spectral_layers(self) -> list[SpectralLayer]:
        """The layers with modes, in order; those of a block from its finest branch on."""
        return [part for part in self.blocks.modules() if isinstance(part, SpectralLayer)]

    def forward(
        self,
        x: Tensor,  # (batch, length, n_channels), or token ids (batch, length)
        mask: Tensor | None = None,  # (batch, length), True where observed
        gaps: Tensor | None = None,  # (batch, length), time since the step before, in steps
    ) -> Tensor:  # (batch, length, d_model)
        """Vector of every step; what is padded changes nothing elsewhere, not even if it is NaN.

        Parameters
        ----------
        x, mask : Tensor
        gaps : Tensor of shape (batch, length), default=None
            Time since the step before, observed or not, at least zero; one is that of a regular
            sequence, which None stands for. Leaving out unobserved steps and adding up their gaps
            changes nothing at the steps that are left. The first gap does not matter. Time-invariant
            layers go step by step then, instead of by one convolution.

        Raises
        ------
        ValueError
            If the sequences have no step, or gaps are negative or not finite. A batch of none is a
            batch of none.
        """
        if gaps is not None:
            _require_gaps(gaps)
        if mask is not None:
            mask = mask.bool()
            # Before anything is computed: a gradient of zero times NaN would be NaN.
            x = torch.where(mask if x.dim() == 2 else mask[..., None], x, 0)
        x = self.embedding(x)
        for block in self.blocks:
            x = block(x, mask, gaps)
        return self.norm(x)

    def step(
        self,
        x: Tensor,  # (batch, n_channels), or token ids (batch,)
        states: list[Tensor],  # one per block
        gaps: Tensor | None = None,  # (batch,), time since the step before, in steps
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance by one step; returns (batch, d_model) and the states.

        Stepping through a sequence gives what `forward` gives for the whole of it.
        """
        x = self.embedding(x)
        after = []
        for block, state in zip(self.blocks, states, strict=True):
            assert isinstance(block, SpectralBlock)
            x, state = block.step(x, state, gaps)
            after.append(state)
        return self.norm(x), after

    def initial_states(self, batch: int) -> list[Tensor]:
        """States of zeros for a batch of streams.

        Raises
        ------
        ValueError
            If the network is bidirectional or has attention layers or branches: these need the whole
            sequence.
        """
        layers = [block.mixer for block in self.blocks if isinstance(block.mixer, SpectralLayer)]
        if self.bidirectional or len(layers) < len(self.blocks):
            raise ValueError(
                "this network needs whole sequences; for streaming pass "
                "bidirectional=False, attention_layers=() and n_branches=1"
            )
        return [layer.initial_state(batch) for layer in layers]

    def compress(self) -> "SpectralSSM":
        """Remove the modes that the masks do not keep; same outputs, smaller network."""
        for layer in self.spectral_layers:
            layer.compress()
        return self


def _require_gaps(gaps: Tensor) -> None:
    wrong = ~(gaps.isfinite() & (gaps >= 0))
    if wrong.any():
        raise ValueError(
            f"{int(wrong.sum())} of {gaps.numel()} gaps are negative or not finite; pass the time since "
            "the step before, in steps, at least zero"
        )

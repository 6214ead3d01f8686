"""Karhunen-Loeve activation: what a feed-forward block usually does decides what it does next.

    c = V' (x - mu)        z = c / s                coordinates of x along its leading modes
    g = 2 sigmoid(a z + b)                          one gate for each mode, 1 at first
    y = phi(x + V ((g - 1) c + s h))                phi pointwise, GELU unless another is given

mu and V, s are the mean, and the leading eigenvectors and deviations, of the activations that this
block had in training: running statistics, as of a batch normalisation, in which a batch counts
`forgetting` times as much as the next. a, b and h are learned. Along a mode, a gate lets pass
between none and twice of what is there, and h shifts it by what the memory recalls, in deviations.
At first all are zero and y = phi(x): put into a trained network it changes nothing.

A training batch is read with the statistics of the batches before it, and written after: no
sequence sees another of its batch. In evaluation nothing is written. The sign of a mode is that
which agrees with the mode before it, so that what was learned of it stays true.

Under activation checkpointing (`torch.utils.checkpoint`) a backward pass runs a forward once more.
It then reads the statistics that the first run read, found by the mean of its batch, and writes
nothing.

Letters   x (..., d) hidden activations   k modes   mu (d,)   V (d, k)   s, a, b, h (k,)
See       Marquez 2025, The Spectrum Remembers: Spectral Memory, published code, KLMemoryActivation:
          y = gelu(x + psi' H), H the means over time of the last 1,024 sequences and psi the
          leading mode of an exponential kernel over them. That is the shift h alone.
Left out  Its kernel: its time scale is 64 / T rows where T are held, so that at 1,024 it is
          the identity to six digits and psi any vector; the modes of the activations themselves
          stand in for it. Its writes in evaluation. Its T x T eigenproblem for every call. A mask:
          padded steps count as any other.
New       The gates: at fixed statistics a shift alone is what a bias of the layer before can be.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from klforecast.exceptions import KLForecastError
from klforecast.modules.states import StatefulModule
from klforecast.ops.checks import require_positive
from klforecast.ops.covariance import RunningCovariance, absorb_block
from klforecast.ops.kl import covariance_kl
from klforecast.ops.linalg import follow_signs
from klforecast.ops.precision import exact, like

# Forward passes that one backward pass may go back to: calls times micro-batches.
_RECENT = 64
# A batch that is computed again differs from itself by rounding at most.
_SAME_BATCH = 1e-2


class Recalled(NamedTuple):
    """What a forward pass reads, in the dtype of its activations."""

    mean: Tensor  # (d,)
    modes: Tensor  # (d, k)
    deviations: Tensor  # (k,)


class KLActivation(StatefulModule):
    """Activation of a feed-forward block that gates its hidden units along their leading modes.

    Parameters
    ----------
    d_hidden : int
        Width of the block between its two linear layers.
    n_components : int, default=8
        Modes that are gated, largest variance first. Those that the activations do not have are
        zero.
    activation : Module or callable, default=None
        The pointwise part, phi; None is GELU. `torch.nn.Identity()` leaves the gates as the only
        nonlinearity.
    forgetting : float, default=0.99
        Weight of a training batch relative to the next, in (0, 1]; f remembers about 1 / (1 - f)
        batches.

    Raises
    ------
    ValueError
        If a size is below 1 or `forgetting` is out of range; in training, if an activation is not
        finite.
    KLForecastError
        In a backward pass, if activations that are computed again are those of none of the last 64
        forward passes.

    Notes
    -----
    Cost for n rows: O(n d k) to read. To write, in training alone, O(n d**2 + d**3) in float64,
    which is of the order of the block itself.

    Examples
    --------
    >>> activation = KLActivation(32, n_components=4)
    >>> layer = nn.TransformerEncoderLayer(16, 2, 32, activation=activation, batch_first=True)
    >>> y = layer(torch.randn(8, 10, 16))  # in training: the batch is remembered
    >>> int(activation.weight)
    80
    >>> y = layer.eval()(torch.randn(8, 10, 16))
    >>> int(activation.weight)
    80
    """

    mean: Tensor
    covariance: Tensor
    weight: Tensor
    deviations: Tensor
    modes: Tensor

    def __init__(
        self,
        d_hidden: int,
        n_components: int = 8,
        *,
        activation: Callable[[Tensor], Tensor] | None = None,
        forgetting: float = 0.99,
    ):
        super().__init__()
        require_positive(d_hidden=d_hidden, n_components=n_components)
        if not 0 < forgetting <= 1:
            raise ValueError(f"got forgetting={forgetting!r}; pass a number in (0, 1]")
        self.n_components = n_components
        self.activation = activation or nn.GELU()
        self.forgetting = forgetting
        self.gate_slope = nn.Parameter(torch.zeros(n_components))
        self.gate_bias = nn.Parameter(torch.zeros(n_components))
        self.shift = nn.Parameter(torch.zeros(n_components))
        for name, shape in {
            "mean": (d_hidden,),
            "covariance": (d_hidden, d_hidden),
            "weight": (),
            "deviations": (n_components,),
            "modes": (d_hidden, n_components),
        }.items():
            self.register_state(name, torch.zeros(shape))
        self._recent: deque[tuple[Tensor, Recalled]] = deque(maxlen=_RECENT)

    def forward(self, x: Tensor) -> Tensor:
        """Activate; in training the activations are remembered afterwards.

        Parameters
        ----------
        x : Tensor of shape (..., d_hidden)

        Returns
        -------
        Tensor of shape (..., d_hidden)
        """
        if x.shape[-1] != len(self.mean):
            raise ValueError(
                f"got activations of width {x.shape[-1]}; pass {len(self.mean)}, or set d_hidden"
            )
        recalled = self._recall(x) if self.training else self._read(x)
        mean, modes, deviations = recalled
        along = (x - mean) @ modes
        # A mode without variance is a column of zeros: its gate acts on nothing.
        standardised = along / deviations.where(deviations > 0, 1.0)
        gates = 2 * torch.sigmoid(self.gate_slope * standardised + self.gate_bias)
        change = (gates - 1) * along + deviations * self.shift
        y = self.activation(x + change @ modes.mT)
        if self.training:
            self._write_once(x, recalled)
        return y

    @torch.no_grad()
    def append(self, x: Tensor) -> None:
        """Write the activations (..., d_hidden) of one batch; `forward` does so in training.

        Raises
        ------
        ValueError
            If they are not finite, or their squares overflow. What was written before stays as it
            is.
        """
        seen = absorb_block(
            RunningCovariance(self.mean, self.covariance, self.weight),
            x.reshape(-1, x.shape[-1]),
            self.forgetting,
        )
        eigenvalues, modes = covariance_kl(seen.covariance, self.n_components)
        self.write(
            **seen._asdict(),
            deviations=eigenvalues.sqrt(),
            modes=follow_signs(modes, self.modes),
        )

    @torch.no_grad()
    def reset(self) -> None:
        """Forget every batch. Learned weights stay."""
        for buffer in (self.mean, self.covariance, self.weight, self.deviations, self.modes):
            buffer.zero_()

    def _read(self, x: Tensor) -> Recalled:
        states = (self.mean, self.modes, self.deviations)
        # A copy: what is written after this forward must not reach into its gradient.
        return Recalled(*(like(state.clone(), x) for state in states))

    @torch.compiler.disable
    def _recall(self, x: Tensor) -> Recalled:
        """Read for a batch in training: what its own forward pass read, if this is that once more."""
        if not _in_backward():
            return self._read(x)
        batch = _mean(x)
        off = [(batch - mean).norm() / mean.norm().clamp(min=1e-30) for mean, _ in self._recent]
        nearest = min(range(len(off)), key=lambda i: (off[i], -i), default=None)
        if nearest is None or off[nearest] > _SAME_BATCH:
            raise KLForecastError(
                f"a backward pass computes activations again that were in none of the last {_RECENT} "
                "forward passes of this block; go back after fewer of them, and keep the state of "
                "random numbers (preserve_rng_state=True)"
            )
        return self._recent[nearest][1]

    @torch.compiler.disable
    def _write_once(self, x: Tensor, recalled: Recalled) -> None:
        if x.numel() and not _in_backward():
            self.append(x)
            self._recent.append((_mean(x), recalled))


@torch.no_grad()
def _mean(x: Tensor) -> Tensor:  # (..., d) -> (d,)
    return exact(x).flatten(0, -2).mean(dim=0)


def _in_backward() -> bool:
    """Whether autograd is at work: then a forward pass is one of checkpointing, run once more."""
    return torch._C._current_graph_task_id() != -1

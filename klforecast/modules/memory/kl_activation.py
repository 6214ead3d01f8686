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

from collections.abc import Callable

import torch
from torch import Tensor, nn

from klforecast.ops.covariance import RunningCovariance, absorb_block
from klforecast.ops.kl import covariance_kl


class KLActivation(nn.Module):
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
        If a size is below 1 or `forgetting` is out of range.

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
        if d_hidden < 1 or n_components < 1:
            raise ValueError(
                f"got d_hidden={d_hidden} and n_components={n_components}; pass at least 1"
            )
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
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

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
        mean, modes, deviations = (part.to(x) for part in (self.mean, self.modes, self.deviations))
        along = (x - mean) @ modes
        # A mode without variance is a column of zeros: its gate acts on nothing.
        standardised = along / deviations.where(deviations > 0, 1.0)
        gates = 2 * torch.sigmoid(self.gate_slope * standardised + self.gate_bias)
        recalled = (gates - 1) * along + deviations * self.shift
        y = self.activation(x + recalled @ modes.mT)
        if self.training:
            self.append(x)
        return y

    @torch.no_grad()
    def append(self, x: Tensor) -> None:
        """Write the activations (..., d_hidden) of one batch; `forward` does so in training."""
        seen = absorb_block(
            RunningCovariance(self.mean, self.covariance, self.weight),
            x.reshape(-1, x.shape[-1]),
            self.forgetting,
        )
        eigenvalues, modes = covariance_kl(seen.covariance, self.n_components)
        turned = (modes * self.modes).sum(dim=0) < 0
        self.mean.copy_(seen.mean)
        self.covariance.copy_(seen.covariance)
        self.weight.copy_(seen.weight)
        self.deviations.copy_(eigenvalues.sqrt())
        self.modes.copy_(torch.where(turned, -modes, modes))

    @torch.no_grad()
    def reset(self) -> None:
        """Forget every batch. Learned weights stay."""
        for buffer in (self.mean, self.covariance, self.weight, self.deviations, self.modes):
            buffer.zero_()

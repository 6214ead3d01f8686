"""Which modes of a spectral layer are in use: all, the slowest, or those a gradient chose."""

import math
from numbers import Real

import torch
from torch import Tensor, nn

from klforecast.ops.checks import require_positive


class ModeMask(nn.Module):
    """Zero-one gate over the modes of a layer that keeps a fixed number of them.

    Parameters
    ----------
    n_modes : int
        Modes of the layer, in order of frequency.
    ratio : float, default=1.0
        Share to keep, in (0, 1]; ceil(ratio * n_modes) modes are kept.
    adaptive : bool, default=False
        Learn which modes to keep. The forward pass keeps the modes of the largest logits; the
        backward pass sees sigmoid(logits / temperature), so that a mode that is switched off still
        learns whether it would have helped (straight-through). False keeps the first modes, the
        ones of lowest frequency, where the adaptive mask starts too.

    Attributes
    ----------
    temperature : float
        Width of the sigmoid in the backward pass; lower it during training.

    Examples
    --------
    >>> ModeMask(8, ratio=0.25)()
    tensor([1., 1., 0., 0., 0., 0., 0., 0.])
    """

    kept: Tensor  # (n_modes,), one where a mode is in use and zero elsewhere
    logits: nn.Parameter | None  # (n_modes,)

    def __init__(self, n_modes: int, ratio: float = 1.0, adaptive: bool = False):
        super().__init__()
        number = isinstance(ratio, Real) and not isinstance(ratio, bool)
        if not number or not 0 < ratio <= 1:
            raise ValueError(f"compression_ratio is {ratio!r}; pass a share of modes in (0, 1]")
        require_positive(n_modes=n_modes)
        # 0.7 * 10 is a little above 7 in floating point and must not keep 8.
        n_kept = max(1, math.ceil(ratio * n_modes - 1e-9))
        # Numbers, not truth values: averages over models (EMA) take the mean of every buffer.
        self.register_buffer("kept", (torch.arange(n_modes) < n_kept).to(torch.get_default_dtype()))
        self.temperature = 1.0
        if adaptive:
            self.logits = nn.Parameter(
                -0.1 * torch.arange(n_modes, dtype=torch.get_default_dtype())
            )
        else:
            self.register_parameter("logits", None)

    @property
    def n_kept(self) -> int:
        """How many modes are kept."""
        return int(self.kept.count_nonzero())

    def indices(self) -> Tensor:
        """Indices of the kept modes in ascending order."""
        if self.logits is None:
            return self.kept.nonzero()[:, 0]
        return self.logits.detach().topk(self.n_kept).indices.sort().values

    def choose(self, indices: Tensor) -> None:
        """Keep these modes from now on and stop learning."""
        self.kept = torch.zeros_like(self.kept).index_fill(0, indices, 1.0)
        self.logits = None

    def freeze(self) -> None:
        """Keep the modes that are kept now and stop learning."""
        self.choose(self.indices())

    def forward(self) -> Tensor:  # (n_modes,)
        """Gate of every mode: ones for the kept modes, zeros for the others."""
        if self.logits is None:
            return self.kept
        hard = torch.zeros_like(self.logits).index_fill(0, self.indices(), 1.0)
        soft = torch.sigmoid(self.logits / self.temperature)
        return hard + (soft - soft.detach())

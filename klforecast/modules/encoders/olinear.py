"""OLinear: forecast in the coordinates in which the training data are uncorrelated.

    z        = Q_in' window                    Q: eigenvectors of the correlation over time
    h        = W_e z                           per channel
    h        = norm(h + W_o N W_v h), N_ij = softplus(A_ij) / sum_j softplus(A_ij)  across channels
    h        = norm(h + mlp(h))
    u_e      = Q_out W_e' h                    e = 1 ... E futures
    forecast = mlp(u_1, ..., u_E)

The coordinates are Karhunen-Loeve coordinates of the window and of the future.

Letters   L lookback   H horizon   Q (L, L) or (H, H) orthogonal   A (c, c) learned
Paper     Yue et al. 2025, OLinear: A Linear Model for Time Series Forecasting in Orthogonally
          Transformed Domain, arXiv 2505.08550.
Left out  The embedding of every value by the same vector of E numbers before W_e, which a linear
          map takes in; learned offsets of z and u. Here the correlation is that of normalised
          training windows.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from klforecast.modules.states import StatefulModule
from klforecast.ops.linalg import require_finite, safe_eigh
from klforecast.ops.precision import exact, like

# Sum of squares of a step that was always zero; windows are normalised to a deviation of one.
_SMALLEST_MOMENT = 1e-12


class OLinear(StatefulModule):
    """Linear layers between two orthogonal transforms that follow the training data.

    Parameters
    ----------
    lookback, horizon, channels : int
        Sizes in and out.
    d_model, n_layers : int
        Width and number of the layers between.
    d_ff : int, default=None
        Width between the maps of a feed-forward layer. None is `d_model`.
    n_futures : int, default=16
        Futures that the forecast is made of.
    dropout : float, default=0.1
        In the layers, and of the forecast.
    """

    moments_in: Tensor
    moments_out: Tensor
    transform_in: Tensor
    transform_out: Tensor

    def __init__(
        self,
        lookback: int,
        horizon: int,
        channels: int,
        *,
        d_model: int,
        n_layers: int,
        d_ff: int | None = None,
        n_futures: int = 16,
        dropout: float = 0.1,
    ):
        super().__init__()
        for name, size in (("in", lookback), ("out", horizon)):
            self.register_state(f"moments_{name}", torch.zeros(size, size))
            self.register_state(f"transform_{name}", torch.eye(size))
        self.embed = nn.Linear(lookback, d_model)
        d_ff = d_ff or d_model
        self.layers = nn.ModuleList(
            _Layer(channels, d_model, d_ff, dropout) for _ in range(n_layers)
        )
        self.head = nn.Sequential(
            nn.LayerNorm(d_model),
            nn.Linear(d_model, n_futures * horizon),
            nn.Unflatten(-1, (n_futures, horizon)),
        )
        self.merge = nn.Sequential(
            nn.Flatten(2),
            nn.Linear(n_futures * horizon, d_ff),
            nn.GELU(),
            nn.Linear(d_ff, horizon),
            nn.Dropout(dropout),
        )

    @torch.no_grad()
    def absorb(self, window: Tensor, future: Tensor) -> None:
        """Add training windows to the correlation, and follow it."""
        if len(window) == 0:
            return
        for name, rows in (("in", window), ("out", future)):
            require_finite(rows, f"the windows {name}")
        new = {}
        for name, rows in (("in", window), ("out", future)):
            rows = exact(rows).flatten(0, 1)
            new[f"moments_{name}"] = moments = getattr(self, f"moments_{name}") + rows.mT @ rows
            scale = moments.diagonal().clamp(min=_SMALLEST_MOMENT).sqrt()
            new[f"transform_{name}"] = safe_eigh(moments / (scale[:, None] * scale))[1]
        self.write(**new)

    def forward(
        self,
        past: Tensor,  # (batch, lookback, channels)
        features: Tensor | None = None,  # (batch, channels, d_model)
    ) -> Tensor:
        """Forecast every channel."""
        hidden = self.embed(past.mT @ like(self.transform_in, past))
        if features is not None:
            hidden = hidden + features
        for layer in self.layers:
            hidden = layer(hidden)
        futures = self.head(hidden)
        return self.merge(futures @ like(self.transform_out, futures).mT).mT


class _Layer(nn.Module):
    def __init__(self, channels: int, d_model: int, d_ff: int, dropout: float):
        super().__init__()
        self.across = nn.Parameter(torch.eye(channels) + torch.randn(channels, channels))
        self.value, self.out = (nn.Linear(d_model, d_model) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.Linear(d_model, d_ff), nn.GELU(), nn.Dropout(dropout), nn.Linear(d_ff, d_model)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:  # (batch, channels, d_model)
        weight = softplus(self.across)
        weight = self.dropout(weight / weight.sum(dim=1, keepdim=True))
        first, second = self.norms
        hidden = first(hidden + self.dropout(self.out(weight @ self.value(hidden))))
        return second(hidden + self.dropout(self.mlp(hidden)))

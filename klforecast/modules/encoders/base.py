"""What every encoder of a `ForecastModule` is: normalised windows and memory tokens to a forecast.

    forecast, states = encoder(window, tokens)

Letters   n batch   c channels   L input length   m memory tokens   d model width
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from klforecast.ops.checks import require_positive


@dataclass(frozen=True)
class Sizes:
    """What an encoder is built for.

    Attributes
    ----------
    horizon, n_channels, input_length : int
        Steps to forecast, channels, steps of a window.
    memory_tokens : int
        Tokens that come with every window; 0 for an encoder without memory.
    d_model, n_layers, n_heads, patch_length : int
    dropout : float
    d_ff : int or None
        Width between the two maps of a feed-forward layer; None is what the encoder takes.
    period : int
        Steps of the leading cycle; 1 where there is none.
    """

    horizon: int
    n_channels: int
    input_length: int
    memory_tokens: int = 0
    d_model: int = 64
    n_layers: int = 2
    n_heads: int = 4
    patch_length: int = 16
    dropout: float = 0.1
    d_ff: int | None = None
    period: int = 1

    def __post_init__(self) -> None:
        require_positive(
            horizon=self.horizon,
            n_channels=self.n_channels,
            input_length=self.input_length,
            d_model=self.d_model,
            n_heads=self.n_heads,
            patch_length=self.patch_length,
            period=self.period,
        )

    @property
    def patch(self) -> int:
        """Steps of a patch, which is never longer than the window."""
        return min(self.patch_length, self.input_length)

    @property
    def feed_forward(self) -> int:
        """Width between the two maps of a feed-forward layer: `d_ff`, or twice the width."""
        return self.d_ff or 2 * self.d_model


class Encoded(NamedTuple):
    """What an encoder makes of a batch of windows."""

    forecast: Tensor  # (n, c, horizon), in units of the normalised windows
    states: Tensor  # (n c, rows, state size), what a trajectory remembers


class Encoder(nn.Module):
    """Base of the encoders; a subclass gives `forward` and `embed`."""

    absorbs = False
    """Whether training windows have to be passed to `absorb` before the first step."""

    def forward(self, window: Tensor, tokens: Tensor | None = None) -> Encoded:
        """Forecast from normalised windows beside their memory tokens.

        Parameters
        ----------
        window : Tensor of shape (n, c, L)
            Each channel of each window with mean zero and deviation one.
        tokens : Tensor of shape (n c, m, d), default=None
            None is for an encoder without memory.

        Returns
        -------
        Encoded
        """
        raise NotImplementedError

    def embed(self, sequences: Tensor) -> Tensor:
        """Turn past values (n c, length) into states (n c, rows, state size) to remember."""
        raise NotImplementedError

    def absorb(self, window: Tensor, future: Tensor) -> None:
        """Take in training windows before the first step, for statistics that are not trained.

        Parameters
        ----------
        window : Tensor of shape (n, c, L)
        future : Tensor of shape (n, c, horizon)
            In units of the normalised windows. Most encoders have no use for them.
        """

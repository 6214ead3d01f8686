"""S-Mamba: a selective state space across the channels, in both directions.

    token_c = W_e past_c                                       one per channel
    tokens  = norm(tokens + mamba(tokens) + flipped mamba(flipped tokens))       over channels
    tokens  = norm(tokens + mlp(tokens))
    forecast_c = W_o token_c

Each Mamba has 2 states a channel, a convolution over 2 tokens, and no expansion.

Letters   c channel   d model width
Paper     Wang et al. 2024, Is Mamba Effective for Time Series Forecasting?, arXiv 2403.11144.
Left out  Calendar marks as further tokens. Unlike attention, the recurrence depends on the order of
          the channels.
"""

from torch import Tensor, nn

from klforecast.modules.blocks import feed_forward
from klforecast.modules.sequence_mixers.mamba import Mamba

# As in the published code for ETTh1: a sequence of channels is short.
_STATES = _KERNEL = 2


class SMamba(nn.Module):
    """Bidirectional Mamba over channel tokens.

    Parameters
    ----------
    lookback, horizon : int
        Steps in and out.
    d_model, n_layers : int
        Width of a token, number of layers.
    d_ff : int, default=None
        Width between the maps of a feed-forward layer. None is ``2 * d_model``.
    dropout : float, default=0.1
        In the layers.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        *,
        d_model: int,
        n_layers: int,
        d_ff: int | None = None,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(lookback, d_model), nn.Dropout(dropout))
        self.layers = nn.ModuleList(
            _Layer(d_model, d_ff or 2 * d_model, dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, horizon)

    def forward(
        self,
        past: Tensor,  # (batch, lookback, channels)
        features: Tensor | None = None,  # (batch, channels, d_model)
    ) -> Tensor:
        """Forecast every channel; features are added to the tokens of the channels."""
        tokens = self.embed(past.mT)
        if features is not None:
            tokens = tokens + features
        for layer in self.layers:
            tokens = layer(tokens)
        return self.head(self.norm(tokens)).mT


class _Layer(nn.Module):
    def __init__(self, d_model: int, d_ff: int, dropout: float):
        super().__init__()
        self.forwards, self.backwards = (
            Mamba(d_model, _STATES, expand=1, kernel=_KERNEL) for _ in range(2)
        )
        self.mixer_norm = nn.LayerNorm(d_model)
        self.mlp_norm = nn.LayerNorm(d_model)
        self.mlp = feed_forward(d_model, d_ff)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:  # (batch, channels, d_model)
        mixed = self.forwards(tokens)[0] + self.backwards(tokens.flip(1))[0].flip(1)
        tokens = self.mixer_norm(tokens + mixed)
        return self.mlp_norm(tokens + self.dropout(self.mlp(tokens)))

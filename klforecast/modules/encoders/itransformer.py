"""iTransformer: attention between channels, each channel's whole past being one token.

    token_c = W_e (past_c - m_c) / s_c          (lookback -> d_model), one per channel
    tokens = encoder(tokens)                    post-norm layers: attention over channels, GELU MLP
    forecast_c = s_c (W_o token_c) + m_c        (d_model -> horizon)

Paper     Liu et al. (2024), "iTransformer: Inverted Transformers Are Effective for Time Series
          Forecasting", ICLR; arXiv:2310.06625.
Left out  calendar marks as further tokens (hour, weekday), which the published code feeds in; their
          absence is part of the number that this file reaches.
"""

from torch import Tensor, nn


class ITransformer(nn.Module):
    """Encoder over channel tokens."""

    def __init__(
        self,
        lookback: int,
        horizon: int,
        *,
        d_model: int,
        n_layers: int = 2,
        n_heads: int = 8,
        d_ff: int | None = None,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(lookback, d_model), nn.Dropout(dropout))
        layer = nn.TransformerEncoderLayer(
            d_model, n_heads, d_ff or d_model, dropout, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, n_layers, norm=nn.LayerNorm(d_model))
        self.head = nn.Linear(d_model, horizon)

    def forward(
        self,
        past: Tensor,  # (batch, lookback, channels)
        features: Tensor | None = None,  # (batch, channels, d_model)
    ) -> Tensor:
        """Forecast every channel; features are added to the tokens of the channels."""
        mean = past.mean(dim=1, keepdim=True).detach()
        scale = (past.var(dim=1, keepdim=True, correction=0).detach() + 1e-5).sqrt()
        tokens = self.embed(((past - mean) / scale).mT)
        if features is not None:
            tokens = tokens + features
        return self.head(self.encoder(tokens)).mT * scale + mean  # (batch, horizon, channels)

"""DLinear: a moving average and the remainder, each with a linear map over time of its own.

    trend = moving average of the past over 25 steps, edges repeated
    forecast = W_t trend + W_s (past - trend) + b          maps shared by all channels

Paper     Zeng, Chen, Zhang & Xu (2023), "Are Transformers Effective for Time Series Forecasting?",
          AAAI; arXiv:2205.13504, section 4.
Left out  the variant with one map per channel.
"""

from torch import Tensor, nn

from klforecast.modules.encoders.moving_average import moving_average


class DLinear(nn.Module):
    """Two linear maps, of the trend of the past and of what the trend leaves."""

    def __init__(self, lookback: int, horizon: int):
        super().__init__()
        self.trend = nn.Linear(lookback, horizon)
        self.remainder = nn.Linear(lookback, horizon)

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel."""
        past = past.mT
        trend = moving_average(past)
        return (self.trend(trend) + self.remainder(past - trend)).mT  # (batch, horizon, channels)

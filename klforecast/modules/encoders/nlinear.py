"""NLinear: one linear map over time, applied to the past minus its last value.

    forecast = W (past - last) + b + last          W (horizon, lookback), shared by all channels

Paper     Zeng, Chen, Zhang & Xu (2023), "Are Transformers Effective for Time Series Forecasting?",
          AAAI; arXiv:2205.13504, section 4.
Left out  the variant with one map per channel.
"""

from torch import Tensor, nn


class NLinear(nn.Module):
    """Linear map of the past, taken relative to its last value."""

    def __init__(self, lookback: int, horizon: int):
        super().__init__()
        self.map = nn.Linear(lookback, horizon)

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel."""
        last = past[:, -1:]
        return self.map((past - last).mT).mT + last  # (batch, horizon, channels)

"""The trend of DLinear and Autoformer: a moving average, the ends of the series repeated beyond them.

Paper     Wu et al. 2021, Autoformer, arXiv 2106.13008, eq. 1; Zeng et al. 2023, arXiv 2205.13504.
"""

from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

_STEPS = 25  # a day of hours and one more, odd so that it has a middle; as in both published codes


def moving_average(x: Tensor) -> Tensor:
    """Mean over the 25 steps around each step, (batch, channels, length) to the same shape."""
    side = (_STEPS - 1) // 2
    return avg_pool1d(pad(x, (side, side), mode="replicate"), _STEPS, stride=1)

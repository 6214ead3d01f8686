"""Series at uneven times: values with the gaps between them, and the same on an even grid.

A timed series has its gaps as its last row: the time since the sample before, in units of a regular
step; the first is one. Networks read the gaps, filters a copy of the series on an even grid, bridged by
straight lines.
"""

import numpy as np
from torch import Tensor

from klforecast.ops.arrays import to_tensor


def evenly(timed: Tensor) -> Tensor:  # (channels + 1, samples) -> (channels, steps)
    """Values at whole steps from the first sample on, on straight lines between the samples.

    Examples
    --------
    >>> import torch
    >>> evenly(torch.tensor([[0.0, 1.0, 4.0], [1.0, 1.0, 3.0]]))
    tensor([[0., 1., 2., 3., 4.]], dtype=torch.float64)
    """
    values, gaps = timed[:-1].double().numpy(), timed[-1].double().numpy()
    times = np.cumsum(gaps) - gaps[0]
    grid = np.arange(round(times[-1]) + 1)
    return to_tensor(np.stack([np.interp(grid, times, channel) for channel in values]))

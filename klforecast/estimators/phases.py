"""Quantiles of a forecast averaged with those of what the last cycles held at the phase of each step.

The mathematics is in `klforecast.ops.cycle_law`; here are windows and batches.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.pooling import Pooled
from klforecast.estimators.window_reader import WindowReader, WindowsOf
from klforecast.ops.arrays import to_tensor
from klforecast.ops.cycle_law import near_steps, phase_quantiles, phase_values, rows_read

_VALUES_PER_BATCH = 2**22  # 32 MB in float64


def mix_in_phases(
    pooled: Pooled,
    shares: Tensor,  # (C, 2)
    horizon: int,
    reader: WindowReader,
    windows_of: WindowsOf,
    lengths: Sequence[int] | np.ndarray,
    levels: Sequence[Tensor],
) -> Pooled:
    """Average the quantiles of some windows with those of their phases.

    Parameters
    ----------
    pooled : Pooled
        Scaled.
    shares : Tensor of shape (C, 2)
        Of the law of the phase, in near and in far steps.
    horizon : int
        For which these were found.
    reader : WindowReader
    windows_of : WindowsOf
    lengths : sequence of int
        Rows known before the cutoff of each window.
    levels : sequence of Tensor of shape (C, Q)
        That are read for each window.

    Returns
    -------
    Pooled
        With the same point forecast.
    """
    rows = rows_read(reader.depth, reader.period)
    if pooled.around is None or rows == 0:
        return pooled
    around, ahead = pooled.around.copy(), torch.arange(pooled.point.shape[1])
    used = shares.any(dim=1).numpy()
    near = (ahead < near_steps(horizon)).numpy()[:, None]
    share = np.where(near, *shares[used].numpy().T)[..., None]
    # What continues a short past to the left says nothing of how far rows spread.
    observed = np.asarray(lengths) >= rows
    size = max(1, _VALUES_PER_BATCH // max(reader.depth * reader.channels, around[:1].size))
    for start in range(0, len(around), size):
        batch = slice(start, start + size)
        values = phase_values(to_tensor(windows_of(batch)).mT[:, used, -rows:], reader.period)
        if values is None:
            return pooled
        at = torch.stack([own[used] for own in levels[batch]])
        quantiles = phase_quantiles(values, at, ahead).transpose(1, 2).numpy()
        distance = quantiles - pooled.point[batch][:, :, used, None]
        weight = share * observed[batch, None, None, None]
        around[batch, :, used] += weight * (distance - around[batch, :, used])
    return Pooled(pooled.point, around)

"""What a fitted model reads: the `depth` rows before a cutoff, and its own forecasts after it."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from klforecast.modules.states import in_double
from klforecast.ops.arrays import to_tensor
from klforecast.ops.missing import GapFiller, gap_covariance

# Values of the past that are forecast from at once: 32 MB in float64.
_VALUES_PER_BATCH = 2**22


def extend_past(
    past: np.ndarray,  # (time, channels)
    depth: int,
    period: int,
) -> np.ndarray:  # (depth, channels)
    """Take the last `depth` rows; where there are fewer, continue to the left.

    The row at time t < 0 repeats the first cycle at the same phase, row t mod period, if the past
    holds a whole cycle; else it repeats the first row.

    Parameters
    ----------
    past : ndarray, (time, channels)
        At least one row.
    depth : int
        Rows wanted.
    period : int
        Rows of one cycle; 1 for a series without cycles.

    Returns
    -------
    ndarray, (depth, channels)

    Examples
    --------
    >>> import numpy as np
    >>> extend_past(np.array([[1.0], [2.0], [3.0]]), depth=5, period=2).ravel()
    array([1., 2., 1., 2., 3.])
    """
    if len(past) >= depth:
        return past[-depth:]
    cycle = period if len(past) >= period else 1
    missing = np.arange(len(past) - depth, 0)
    return np.concatenate([past[missing % cycle], past])


def past_windows(
    values: np.ndarray,  # (time, channels)
    cutoffs: np.ndarray,  # (n,) int, each in 1 .. time
    depth: int,
    period: int,
) -> np.ndarray:  # (n, depth, channels)
    """Stack the `depth` rows before each cutoff, extended as by :func:`extend_past`."""
    return np.stack([extend_past(values[:cutoff], depth, period) for cutoff in cutoffs])


def fill_panel(
    panel: Sequence[Tensor],  # (time, channels) each, standardised
    period: int,
    covariance: Tensor | None = None,  # (channels, w)
) -> tuple[list[Tensor], Tensor]:
    """Fill the gaps of training series; return the covariance, (channels, w), that fills later ones.

    It is found from these series where none is given.
    """
    if covariance is None:
        covariance = gap_covariance(panel, period)
    if not any(torch.isnan(series).any() for series in panel):
        return list(panel), covariance
    filler = GapFiller(covariance)
    filled = [filler.fill(rows) if torch.isnan(rows).any() else rows for rows in panel]
    return filled, covariance


class FilledRows:
    """Rows of one series with their gaps filled, as they look before each cutoff.

    Parameters
    ----------
    values : ndarray, (time, channels)
        Standardised; NaN where a value is missing.
    filler : GapFiller
    """

    def __init__(self, values: np.ndarray, filler: GapFiller):
        self._values = values
        self._filler = filler if np.isnan(values).any() else None
        if self._filler is not None:
            self._series = to_tensor(values)
            self._settled = filler.settle(self._series)

    def before(self, cutoff: int, depth: int) -> np.ndarray:  # (min(cutoff, depth), channels)
        """Take the last `depth` rows before a cutoff; no row at or after it has a say in them."""
        if self._filler is None:
            return self._values[max(0, cutoff - depth) : cutoff]
        return self._filler.before(self._series, self._settled, cutoff, depth).numpy()


def roll_forward(
    module: nn.Module,
    past: Tensor,  # (batch, depth, channels)
    steps: int,
) -> Tensor:  # (batch, steps, channels)
    """Forecast `steps` ahead; beyond the module's horizon it reads its own forecasts.

    Parameters
    ----------
    module : nn.Module
        Maps (batch, depth, channels) to (batch, horizon, channels).
    past : Tensor, (batch, depth, channels)
        What is known, scaled.
    steps : int
        Steps wanted. ceil(steps / horizon) calls of the module.

    Returns
    -------
    Tensor, (batch, steps, channels)
    """
    rounds: list[Tensor] = []
    known = 0
    with torch.no_grad():
        while known < steps:
            forecast = module(past)
            rounds.append(forecast)
            known += forecast.shape[1]
            past = torch.cat([past, forecast], dim=1)[:, -past.shape[1] :]
    return torch.cat(rounds, dim=1)[:, :steps]


def forecast_windows(
    module: nn.Module,
    windows_of: Callable[[slice], np.ndarray],  # a batch -> (batch, depth, channels)
    n_windows: int,
    steps: int,
    window_shape: tuple[int, int],  # (depth, channels)
) -> np.ndarray:  # (n_windows, steps, channels)
    """Forecast from many windows in batches of bounded size, in float64.

    The module is only read: evaluation mode and float64 belong to a copy of it.

    Parameters
    ----------
    module : nn.Module
        Maps (batch, depth, channels) to (batch, horizon, channels).
    windows_of : callable
        Makes the windows of a batch, a slice of 0 .. n_windows.
    n_windows, steps : int
        Windows to forecast from, and steps to forecast from each.
    window_shape : tuple of int
        (depth, channels).

    Returns
    -------
    ndarray, (n_windows, steps, channels), float64
    """
    frozen = in_double(copy.deepcopy(module)).eval()
    device = next(frozen.parameters()).device
    depth, channels = window_shape
    size = max(1, _VALUES_PER_BATCH // (depth * channels))
    forecasts = np.empty((n_windows, steps, channels))
    for start in range(0, n_windows, size):
        batch = slice(start, start + size)
        past = to_tensor(windows_of(batch)).to(device)
        forecasts[batch] = roll_forward(frozen, past, steps).cpu().numpy()
    return forecasts

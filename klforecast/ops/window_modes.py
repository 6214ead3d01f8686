"""Modes over time of many windows at once, and the period of a mode.

    C = sum_w (w - mean(w)) (w - mean(w))' / n  =  sum_k lambda_k psi_k psi_k'

Letters   n windows w of `depth` steps each, of all channels of all series   psi modes   lambda eigenvalues
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.ops.arrays import to_tensor
from klforecast.ops.linalg import fix_signs, safe_eigh

_WINDOWS_AT_MOST = 2000  # more do not change the leading modes to the eye


class WindowModes(NamedTuple):
    """Modes over time of many pasts, and what they explain."""

    modes: np.ndarray  # (depth, n_modes), the newest step last
    shares: np.ndarray  # (depth,), of the variance, all of them, descending


def window_modes(
    panel: Sequence[np.ndarray],  # (time, channels) each
    depth: int,
    n_modes: int,
) -> WindowModes:
    """Decompose the covariance over time of the windows of `depth` steps in a panel.

    Some 2,000 windows, evenly spread, stand for all of them.

    Examples
    --------
    >>> wave = np.sin(np.arange(120.0) * np.pi / 6)[:, None]
    >>> window_modes([wave], 24, 2).shares[:3].round(3)
    array([0.505, 0.495, 0.   ])
    """
    depth = min(depth, max(2, max(map(len, panel)) // 2))
    windows = np.concatenate(
        [
            np.lib.stride_tricks.sliding_window_view(rows, depth, axis=0).reshape(-1, depth)
            for rows in panel
            if len(rows) >= depth
        ]
    )
    chosen = to_tensor(windows[:: max(1, len(windows) // _WINDOWS_AT_MOST)])
    centred = chosen - chosen.mean(dim=1, keepdim=True)
    eigenvalues, modes = safe_eigh(centred.mT @ centred / len(centred))
    shares = eigenvalues / eigenvalues.sum().clamp(min=1e-300)
    return WindowModes(fix_signs(modes[:, :n_modes]).numpy(), shares.numpy())


def mode_period(mode: np.ndarray) -> float:
    """Period in steps of the strongest frequency of a mode; infinite for less than a cycle.

    Examples
    --------
    >>> round(mode_period(np.sin(np.arange(96) * np.pi / 12)), 1)
    24.0
    """
    padded = 16 * len(mode)
    tapered = (mode - mode.mean()) * np.hanning(len(mode) + 2)[1:-1]
    strength = np.abs(np.fft.rfft(tapered, padded))
    best = int(strength[1:].argmax()) + 1
    period = padded / best
    return np.inf if period > 0.9 * len(mode) else period

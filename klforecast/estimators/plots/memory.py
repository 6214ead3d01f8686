"""Pictures of what a fitted forecaster remembers: modes with their periods, spectrum, weights.

modes     of all pasts of `memory_depth_` steps, see `klforecast.ops.window_modes`
weights   how much each past step moves the forecast, and each memory token: derivatives, see
          `klforecast.modules.attribution`
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from pandas.tseries.offsets import BaseOffset, Tick

from klforecast.core.linear_core import LinearCore
from klforecast.data.open_days import week_mask
from klforecast.estimators.arguments import check_integer
from klforecast.estimators.frames.context import extend_past
from klforecast.estimators.plots import style
from klforecast.estimators.plots.plotting import new_axes, new_figure
from klforecast.modules.attribution import influence, token_weights
from klforecast.ops.arrays import to_tensor
from klforecast.ops.window_modes import mode_period, window_modes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COMPONENTS_SHOWN = 4  # of each block of a linear core
_CYCLES_SHOWN = 10  # of the slowest mode drawn
_CLOSE = 0.06  # relative difference from a cycle of the calendar that still bears its name
# Cycles of the calendar, in mean days.
_DAYS = {
    "half-daily": 0.5,
    "daily": 1.0,
    "half-weekly": 3.5,
    "weekly": 7.0,
    "monthly": 30.44,
    "quarterly": 91.3,
    "half-yearly": 182.6,
    "yearly": 365.25,
}
# By the first letter of a frequency.
_DAYS_PER_STEP = {"W": 7.0, "M": 30.44, "Q": 91.3, "Y": 365.25, "B": 1.4, "D": 1.0}


def name_period(period: float, frequency: BaseOffset | None) -> str:
    """Say how long a period is: in words of the calendar where it has one, else in steps.

    Examples
    --------
    >>> name_period(24.2, pd.tseries.frequencies.to_offset("h")), name_period(24.2, None)
    ('daily', '24.2 steps')
    """
    if np.isinf(period):
        return "trend"
    days = _days_per_step(frequency)
    if days is not None:
        for name, length in _DAYS.items():
            if abs(period * days / length - 1) < _CLOSE:
                return name
    return f"{period:.3g} steps"


def _days_per_step(frequency: BaseOffset | None) -> float | None:
    if frequency is None:
        return None
    if isinstance(frequency, Tick):
        return pd.Timedelta(frequency) / pd.Timedelta(days=1)
    mask = week_mask(frequency)
    if mask is not None:
        return frequency.n * 7 / mask.count("1")
    code = frequency.rule_code.split("-")[0].removeprefix("B") or "B"
    return frequency.n * _DAYS_PER_STEP[code[0]] if code[0] in _DAYS_PER_STEP else None


def draw_modes(
    panel: Sequence[np.ndarray],  # (time, channels) each, scaled
    depth: int,
    frequency: BaseOffset | None,
    n_modes: int,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the leading modes of windows of `depth` steps; see `KLMemoryForecaster.plot_modes`."""
    check_integer("n_modes", n_modes, minimum=1)
    found = window_modes(panel, depth, n_modes)
    ax = new_axes(ax)
    depth, gap = len(found.modes), 2.4 * np.abs(found.modes).max()
    periods = [mode_period(mode) for mode in found.modes.T]
    shown = int(min(depth, _CYCLES_SHOWN * max(periods)))
    for number, (mode, period) in enumerate(zip(found.modes.T, periods, strict=True)):
        name = name_period(period, frequency)
        label = f"mode {number + 1}: {name}, {100 * found.shares[number]:.0f} %"
        ax.axhline(-number * gap, color=style.FAINT, linewidth=0.8, zorder=0)
        colour, dashes = style.MODELS[number % len(style.MODELS)]
        steps = np.arange(1 - shown, 1)
        ax.plot(steps, mode[-shown:] - number * gap, color=colour, linestyle=dashes, label=label)
    style.tidy_axes(ax)
    ax.set_yticks([])
    ax.set_xlabel(f"steps before the cutoff (the last {shown} of {depth})")
    ax.set_ylabel("modes, one below the other")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False)
    return ax


def draw_memory(
    module: torch.nn.Module,
    panel: Sequence[np.ndarray],  # (time, channels) each, scaled
    depth: int,
    period: int,
    n_components: int,
    frequency: BaseOffset | None,
) -> "Figure":
    """Draw spectrum, influence and tokens at the end of the first series; see `plot_memory`."""
    found = window_modes(panel, depth, 1)
    past = to_tensor(extend_past(panel[0], depth, period))
    past = past.to(next(module.parameters()))
    weights, names = _named_tokens(module, past, frequency)
    lower = 0.7 + 0.22 * len(names) if names else 0.0
    figure = new_figure((10, 4 + lower))
    grid = figure.add_gridspec(2 if names else 1, 2, height_ratios=[4, lower][: 1 + bool(names)])
    left, right = (figure.add_subplot(grid[0, column]) for column in (0, 1))
    shown = found.shares[found.shares > 1e-8]
    colour = style.MODELS[0][0]
    left.semilogy(np.arange(1, len(shown) + 1), shown, color=colour, marker=".", linewidth=1)
    left.set_xscale("log")
    left.set_xlabel("mode")
    left.set_ylabel("share of the variance")
    if isinstance(module, LinearCore) and 0 < n_components <= len(shown):
        kept = found.shares[:n_components].sum()
        left.axvline(n_components, color=style.MUTED, linestyle="--", linewidth=1)
        said = f"{n_components} modes hold {100 * kept:.1f} % of the variance"
        left.set_title(said, loc="left", fontsize=10)
    moved = influence(module, past).cpu().numpy()
    right.plot(np.arange(1 - len(moved), 1), moved, color=colour, linewidth=1)
    right.set_yscale("log")
    right.set_xlabel("steps before the cutoff")
    right.set_ylabel("|d forecast / d step|")
    right.set_title("what moves the forecast", loc="left", fontsize=10)
    for ax in (left, right):
        style.tidy_axes(ax)
    if names:
        _draw_weights(figure.add_subplot(grid[1, :]), weights, names)
    return figure


def _named_tokens(
    module: torch.nn.Module, past: torch.Tensor, frequency: BaseOffset | None
) -> tuple[np.ndarray, list[str]]:  # (tokens, depth), a name for each
    weights = token_weights(module, past).cpu().double().numpy()
    if not isinstance(module, LinearCore):
        return weights, [f"token {number + 1}" for number in range(len(weights))]
    chosen, names = [], []
    for rows, columns in module.blocks:
        for column in range(*columns.indices(len(weights)))[:_COMPONENTS_SHOWN]:
            mode = module.modes[rows, column].cpu().double().numpy()
            constant = np.ptp(mode) < 1e-3 * np.abs(mode).max()
            chosen.append(column)
            names.append("level" if constant else name_period(mode_period(mode), frequency))
    return weights[chosen], names


def _draw_weights(ax: "Axes", weights: np.ndarray, names: list[str]) -> None:
    largest = weights.max(axis=1, keepdims=True)
    reached = weights.any(axis=0).argmax()  # the oldest step that any token reads
    depth = weights.shape[1] - reached
    ax.imshow(
        weights[:, reached:] / np.where(largest > 0, largest, 1.0),
        cmap="Blues",
        vmin=0.0,
        vmax=1.0,
        aspect="auto",
        interpolation="nearest",
        extent=(0.5 - depth, 0.5, len(names) - 0.5, -0.5),
    )
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("steps before the cutoff")
    ax.set_title("what each token attends to, dark where most", loc="left", fontsize=10)

"""What the errors of one series say of its rows: p-values, outliers, and changes of level.

    outlier    p-value of the one-step error below the false alarm rate
    shift      sequential alarm on p-values of cycles; the score of a cycle is the largest of its
               one-cycle errors of one sign, so that each row has been the first of a forecast

Channels are judged together: the smallest of C p-values counts C times, and the sums of all channels
share one alarm.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.detection.errors import Errors
from klforecast.ops.arrays import to_tensor
from klforecast.ops.surprise import sequential_alarms, surprise, surprise_among

_NEARLY = (
    0.75  # of a change of level: more than noise of the rows before it, mostly less than the change
)


class References(NamedTuple):
    """Scores of undisturbed rows, which new ones are set beside.

    Attributes
    ----------
    step : Tensor, (n, channels)
        Sizes of one-step errors.
    cycle : Tensor, (m, 2 channels)
        Largest errors of each cycle, upwards and downwards.
    """

    step: Tensor
    cycle: Tensor


class Verdicts(NamedTuple):
    """What is said of the rows of one series; NaN where nothing is known.

    Attributes
    ----------
    expected : ndarray, (rows, channels)
    outlier : ndarray, (rows,)
        P-value of the one-step error.
    channel : ndarray, (rows,) int
        The most surprising channel.
    shift : ndarray, (rows,)
        P-value of the cycle that the row is in.
    kinds : ndarray, (rows,) int
        0 none, 1 outlier, 2 shift up, 3 shift down.
    """

    expected: np.ndarray
    outlier: np.ndarray
    channel: np.ndarray
    shift: np.ndarray
    kinds: np.ndarray


def references_of(errors: Errors, first: int, cycle: int) -> References:
    """Scores of held-out rows; of cycles, those that are complete."""
    step = to_tensor(np.abs(errors.step[first:]))
    scores = cycle_scores(errors, first, cycle)
    return References(step, scores[: max(0, (len(errors.step) - first - cycle + 1) // cycle)])


def cycle_scores(errors: Errors, first: int, cycle: int) -> Tensor:  # (cycles, 2 channels)
    """Largest one-cycle error of each cycle, upwards and downwards; NaN where there is none."""
    own = to_tensor(errors.cycle[first:])
    missing = -len(own) % cycle
    own = torch.cat([own, own.new_full((missing, own.shape[1]), torch.nan)])
    both = torch.cat([own, -own], dim=1).reshape(-1, cycle, 2 * own.shape[1])
    largest = both.nan_to_num(nan=-torch.inf).amax(dim=1)
    return torch.where(largest.isinf(), torch.nan, largest)


def step_p_values(scores: np.ndarray, references: Tensor, n_held_out: int) -> Tensor:
    """P-values of one-step errors by channel, (rows, channels); the first rows are the references themselves."""
    return _by_column(to_tensor(np.abs(scores)), references, n_held_out, heavy=True)


def judge(
    errors: Errors,
    references: References,
    first: int,
    cycle: int,
    rate: float,
    is_held_out: bool,
) -> Verdicts:
    """Judge the rows of one series.

    Parameters
    ----------
    errors : Errors
    references : References
    first : int
        Row from which on there are errors.
    cycle : int
        Rows of a cycle.
    rate : float
        False alarms of a row, and of a cycle.
    is_held_out : bool
        Whether the errors begin with those that the references were made of.
    """
    rows, channels = errors.step.shape
    own = len(references.step) if is_held_out else 0
    by_channel = step_p_values(errors.step[first:], references.step, own)
    channel = np.zeros(rows, dtype=np.int64)
    channel[first:] = by_channel.nan_to_num(nan=torch.inf).argmin(dim=1).numpy()
    outlier = np.full(rows, np.nan)
    outlier[first:] = _smallest(by_channel)
    scores = cycle_scores(errors, first, cycle)
    own = len(references.cycle) if is_held_out else 0
    # Medians have light tails where the errors themselves have heavy ones.
    p = _by_column(scores, references.cycle, own, heavy=False)
    shift = np.full(rows, np.nan)
    shift[first:] = np.repeat(_smallest(p), cycle)[: rows - first]
    kinds = np.where(outlier < rate, 1, 0)
    for place, kind in shift_places(errors, p, first, cycle, 1 / rate).items():
        # What follows a shift within a cycle is far off because of it.
        kinds[place : place + cycle] = 0
        kinds[place] = 2 if kind < channels else 3
        channel[place] = kind % channels
    return Verdicts(errors.expected, outlier, channel, shift, kinds)


def shift_places(
    errors: Errors,
    p: Tensor,  # (cycles, 2 channels)
    first: int,
    cycle: int,
    run_length: float,
) -> dict[int, int]:
    """First rows of changes of level, with their kind: upwards by channel, then downwards by channel."""
    found: dict[int, int] = {}
    both = np.concatenate([errors.cycle, -errors.cycle], axis=1)
    steps = np.concatenate([errors.step, -errors.step], axis=1)
    largest: dict[int, float] = {}
    for number, kind in enumerate(sequential_alarms(p, run_length).tolist()):
        if kind < 0:
            continue
        start = first + number * cycle
        top = start + int(np.nanargmax(both[start : start + cycle, kind]))
        size = both[top, kind]
        place = _first_row(both[:, kind], steps[:, kind], top, cycle)
        before = next(reversed(found), None)
        # A change shows in the forecasts of half a cycle before it: of two alarms the larger counts.
        if before is not None and found[before] == kind and place - before < cycle:
            if size <= largest[before]:
                continue
            del found[before]
        found[place], largest[place] = kind, size
    return found


def _first_row(cycle_errors: np.ndarray, steps: np.ndarray, top: int, cycle: int) -> int:
    """First row near the largest one-cycle error whose own error is nearly as large."""
    enough = _NEARLY * cycle_errors[top]
    near = np.arange(max(0, top - cycle), min(top + cycle, len(steps)))
    far_off = near[steps[near] >= enough]
    return int(far_off[0]) if len(far_off) else top


def _by_column(scores: Tensor, references: Tensor, n_own: int, heavy: bool) -> Tensor:
    """P-values column by column; the first `n_own` scores are the references, each set beside the others."""
    columns = [
        torch.cat(
            [
                surprise_among(score[:n_own], heavy=heavy),
                surprise(score[n_own:], reference, heavy=heavy),
            ]
        )
        for score, reference in zip(scores.unbind(1), references.unbind(1), strict=True)
    ]
    return torch.stack(columns, dim=1)


def _smallest(p: Tensor) -> np.ndarray:  # (rows,)
    """Smallest of the p-values of a row, times their number; NaN where there is none."""
    smallest = p.nan_to_num(nan=torch.inf).amin(dim=1)
    known = (~p.isnan()).sum(dim=1)
    return torch.where(known > 0, (smallest * known).clamp(max=1), torch.nan).numpy()

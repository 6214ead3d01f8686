"""Dilated modes with a window: state-space modes that forget everything after nine steps.

    v[t] = lambda v[t-d] + x[t] - lambda^w x[t-wd]       a mode less its copy delayed by w steps of d
    u[t] = u[t-d] + x[t] - x[t-wd]                       the plain sum of the same w values
    y[t] = (Re(e^{i psi} v[t+a]) - c u[t+a]) / norm      its response, a = d (w - 1) / 2

c makes the response to a constant zero, norm gives the mode a gain of one on white noise, and a
puts the window around its step. Outside of a series all values are zero. Where the endless modes of
`ops.filter_bank` are smooth, these see steps and spikes sharply, from near (d = 1) and from afar.
Windows of nine dilated points are those of the ROCKET family (arXiv 1910.13051, 2012.08791), whose
weights are drawn freely or take two values.

Letters   g groups   k modes of a group   c channels   w steps of a window   n series   t steps
"""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from klforecast.ops.filter_bank import Blocks, FilterBank, draw_mix, draw_uniform

WINDOW = 9  # as in MiniRocket (arXiv 2012.08791), see above
_SHORTEST, _LONGEST = 2.0, 64.0  # time constants in dilated steps


class WindowedBank(NamedTuple):
    """Modes that count time in steps of their group's dilation."""

    modes: FilterBank
    dilation: Tensor  # (groups,), d in steps

    def part(self, start: int, stop: int) -> "WindowedBank":
        """Groups `start` to `stop`."""
        return WindowedBank(self.modes.part(start, stop), self.dilation[start:stop])


def draw_windowed(
    n_groups: int,
    n_modes: int,
    n_channels: int,
    length: float,
    generator: torch.Generator,
) -> WindowedBank:
    """Draw a bank at random.

    Dilations are spread evenly, on a scale of logarithms, from one step to where a window is as
    long as a series. Time constants are log-uniform from 2 to 64 dilated steps, frequencies
    uniform up to the highest one; groups add channels as those of `draw_bank` do.

    Parameters
    ----------
    n_groups, n_modes : int
        Groups, and modes in each.
    n_channels : int
        Channels of the series.
    length : float
        Typical length of a series in steps.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    WindowedBank
    """
    uniform = partial(draw_uniform, generator)
    widest = max(1.0, (length - 1) / (WINDOW - 1))
    spread = (torch.arange(n_groups) + uniform(1)) / n_groups
    dilation = (spread * math.log(widest)).exp().long()
    shape = (n_groups, n_modes)
    time_constant = _SHORTEST * (uniform(*shape) * math.log(_LONGEST / _SHORTEST)).exp()
    frequency, phase = math.pi * uniform(*shape), 2 * math.pi * uniform(*shape)
    mix = draw_mix(n_groups, n_channels, generator)
    return WindowedBank(FilterBank(time_constant, frequency, phase, mix), dilation)


def filter_windowed(
    blocks: Blocks,
    bank: WindowedBank,
    backward: bool = False,
) -> Tensor:  # (groups, modes, 1, n, steps)
    """Responses of all modes to all series.

    Parameters
    ----------
    blocks : Blocks
        The series, in chunks of one step.
    bank : WindowedBank
        The modes.
    backward : bool, default=False
        Run from the end of each series to its start.

    Returns
    -------
    Tensor (groups, modes, 1, n, steps)
        In the order and precision of ``blocks.values``. Values after the end of a series mean
        nothing.

    Notes
    -----
    Nine multiplications per mode and step.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.filter_bank import to_blocks
    >>> bank = draw_windowed(3, 8, 1, 100, torch.Generator().manual_seed(0))
    >>> filter_windowed(to_blocks([torch.ones(1, 100).double()], 1), bank).shape
    torch.Size([3, 8, 1, 1, 100])
    """
    values = blocks.values.squeeze(1)  # (c, n, t)
    steps = values.shape[2]
    signals = torch.einsum("gc,cnt->gnt", bank.modes.mix.to(values.dtype), values)
    # The latest value comes last, and it is the first that an impulse response multiplies.
    kernels = _impulse_responses(bank.modes).to(values.dtype)
    kernels = kernels if backward else kernels.flip(-1)
    responses = []
    for signal, kernel, dilation in zip(signals, kernels, bank.dilation.tolist(), strict=True):
        reach = dilation * (WINDOW // 2)
        padded = F.pad(signal, (reach, reach))
        starts = range(0, WINDOW * dilation, dilation)
        seen = torch.stack([padded[:, start : start + steps] for start in starts])
        responses.append(kernel @ seen.flatten(1))
    return torch.stack(responses).view(*kernels.shape[:2], 1, *values.shape[1:])


def windowed_loop(
    series: Tensor,  # (channels, length)
    bank: WindowedBank,
    backward: bool = False,
) -> Tensor:  # (groups, modes, length)
    """Respond step by step: the definition of `filter_windowed` for one series."""
    if backward:
        mirrored = windowed_loop(series.flip(1), bank)
        return mirrored.flip(2)
    responses = []
    for group, dilation in enumerate(bank.dilation.tolist()):
        modes = bank.modes.part(group, group + 1)
        pole = torch.complex(-1 / modes.time_constant, modes.frequency).exp()[0]
        gain = torch.polar(torch.ones_like(modes.phase), modes.phase)[0]
        level = (gain * (1 - pole**WINDOW) / (1 - pole)).real / WINDOW
        norm = _impulse_norm(modes)[0]
        ahead = dilation * (WINDOW // 2)
        x = F.pad((modes.mix @ series.double())[0], (WINDOW * dilation, ahead))
        states = [torch.zeros_like(gain)] * len(x)
        sums = [torch.zeros_like(norm)] * len(x)
        for t in range(WINDOW * dilation, len(x)):
            gone = x[t - WINDOW * dilation]
            states[t] = pole * states[t - dilation] + x[t] - pole**WINDOW * gone
            sums[t] = sums[t - dilation] + x[t] - gone
        y = [((gain * v).real - level * u) / norm for v, u in zip(states, sums, strict=True)]
        responses.append(torch.stack(y[WINDOW * dilation + ahead :], dim=-1))
    return torch.stack(responses)


def _centred_impulses(modes: FilterBank) -> Tensor:  # (groups, modes, WINDOW)
    log_pole = torch.complex(-1 / modes.time_constant, modes.frequency)[..., None]
    gain = torch.polar(torch.ones_like(modes.phase), modes.phase)[..., None]
    impulses = (gain * (log_pole * torch.arange(WINDOW)).exp()).real
    return impulses - impulses.mean(-1, keepdim=True)


def _impulse_norm(modes: FilterBank) -> Tensor:  # (groups, modes)
    return _centred_impulses(modes).norm(dim=-1)


def _impulse_responses(modes: FilterBank) -> Tensor:  # (groups, modes, WINDOW)
    return _centred_impulses(modes) / _impulse_norm(modes)[..., None]

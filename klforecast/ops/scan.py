"""Scans of complex state-space modes: the definitions as plain loops, and fast exact forms of them.

A mode is one complex number per channel that decays, turns and is written to. Two models use it:

selective (the step depends on the input)
    h[t] = exp((-a + i theta) elapsed[t]) h[t-1] + (1 - exp(-a delta[t])) B[t] x[t]
    y[t] = Re sum_m C[t, m] h[t, m]
time-invariant (every step is alike)
    h[t] = lambda h[t-1] + x[t]
    y[t] = Re sum_m W[m] h[t, m]

Letters   batch; length in steps; heads; width channels per head; modes
          delta >= 0 size of a step, elapsed >= 0 time since the step before, which is delta unless
          it is given; a > 0 decay and theta radians per unit of time
Precision Float32 at least, in results and states too (`klforecast.ops.precision`)
State     complex (batch, heads, modes, width); `None` stands for zero
Left out  B and C that differ between heads, and a decay that differs between the modes of a head:
          sharing them is what turns the recurrence into two matrix products per chunk.
See       Dao & Gu 2024 (arXiv 2405.21060) for the chunked form with real scalar decay,
          Gu et al. 2022 (arXiv 2206.11893) for diagonal modes and the convolution they amount to.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from klforecast.ops.checks import require_steps
from klforecast.ops.convolution import convolve
from klforecast.ops.precision import exact, in_working_precision, like
from klforecast.ops.spoiling import set_apart

# Measured on one core at 1,024 steps: 32 beats 16 and 64, forward and backward.
DEFAULT_CHUNK = 32


@in_working_precision
def spectral_step(
    x: Tensor,  # (batch, heads, width)
    step: Tensor,  # (batch, heads)
    decay: Tensor,  # (heads,)
    frequency: Tensor,  # (heads, modes)
    write: Tensor,  # (batch, modes), complex
    read: Tensor,  # (batch, modes), complex
    state: Tensor,  # (batch, heads, modes, width), complex
    elapsed: Tensor | None = None,  # (batch, heads)
) -> tuple[Tensor, Tensor]:
    """Advance the selective recurrence by one step.

    Returns
    -------
    y : Tensor (batch, heads, width)
    state : Tensor (batch, heads, modes, width), complex
    """
    elapsed = step if elapsed is None else elapsed
    keep = torch.exp(-decay * elapsed)  # (batch, heads)
    turn = torch.polar(
        keep[..., None].expand(-1, -1, frequency.shape[1]), elapsed[..., None] * frequency
    )
    entering = -torch.expm1(-decay * step)
    written = write[:, None, :, None] * (entering[..., None] * x)[:, :, None, :]
    state = turn[..., None] * state + written
    return (read[:, None, :, None] * state).sum(dim=2).real, state


def spectral_scan_loop(
    x: Tensor,  # (batch, length, heads, width)
    step: Tensor,  # (batch, length, heads)
    decay: Tensor,  # (heads,)
    frequency: Tensor,  # (heads, modes)
    write: Tensor,  # (batch, length, modes), complex
    read: Tensor,  # (batch, length, modes), complex
    state: Tensor | None = None,  # (batch, heads, modes, width), complex
    elapsed: Tensor | None = None,  # (batch, length, heads)
) -> tuple[Tensor, Tensor]:
    """Run the selective recurrence step by step: the definition of `spectral_scan`."""
    elapsed = step if elapsed is None else elapsed
    if state is None:
        state = _zero_state(x, frequency.shape[1])
    outputs = []
    for t in range(x.shape[1]):
        y, state = spectral_step(
            x[:, t], step[:, t], decay, frequency, write[:, t], read[:, t], state, elapsed[:, t]
        )
        outputs.append(y)
    return torch.stack(outputs, dim=1), state


@in_working_precision
def spectral_scan(
    x: Tensor,  # (batch, length, heads, width)
    step: Tensor,  # (batch, length, heads)
    decay: Tensor,  # (heads,)
    frequency: Tensor,  # (heads, modes)
    write: Tensor,  # (batch, length, modes), complex
    read: Tensor,  # (batch, length, modes), complex
    state: Tensor | None = None,  # (batch, heads, modes, width), complex
    elapsed: Tensor | None = None,  # (batch, length, heads)
    chunk: int = DEFAULT_CHUNK,
) -> tuple[Tensor, Tensor]:
    """Run the selective recurrence chunk by chunk, exactly.

    Within a chunk the recurrence is a masked matrix product; between chunks only the state is
    carried. A step of zero leaves the state as it is, which is how padding is to be expressed.

    Parameters
    ----------
    x : Tensor (batch, length, heads, width)
        Input, real.
    step : Tensor (batch, length, heads)
        Size of each step, >= 0: how much of the input enters, and how much of the state is left.
    decay : Tensor (heads,)
        Decay per unit of `step`, > 0.
    frequency : Tensor (heads, modes)
        Radians per unit of `step`.
    write, read : Tensor (batch, length, modes), complex
        How the input enters each mode, and how each mode enters the output.
    state : Tensor (batch, heads, modes, width), complex, default=None
        State before the first step; None is zero.
    elapsed : Tensor (batch, length, heads), default=None
        Time since the step before, >= 0, in units of `step`, by which the state decays and turns.
        None is `step`.
    chunk : int, default=32
        Steps per chunk. It changes the cost, not the result.

    Returns
    -------
    y : Tensor (batch, length, heads, width)
    state : Tensor (batch, heads, modes, width), complex
        State after the last step.

    Raises
    ------
    ValueError
        If there is no step.

    Notes
    -----
    Time O(length * heads * (chunk * (modes + width) + modes * width)) per sequence; the largest
    intermediate tensors have length * heads * max(chunk, 2 * modes) entries per sequence. Phases
    are counted from the start of each chunk: counted from the start of the sequence they lose
    three digits in float32 after some thousand steps.

    Examples
    --------
    >>> import torch
    >>> x, step = torch.ones(1, 5, 1, 2), torch.full((1, 5, 1), 0.1)
    >>> unit = torch.ones(1, 5, 3, dtype=torch.complex64)
    >>> y, state = spectral_scan(x, step, torch.ones(1), torch.arange(3.0)[None], unit, unit)
    >>> y.shape, state.shape
    (torch.Size([1, 5, 1, 2]), torch.Size([1, 1, 3, 2]))
    """
    length = x.shape[1]
    require_steps(length)
    if state is None:
        state = _zero_state(x, frequency.shape[1])
    padding = -length % chunk
    elapsed = step if elapsed is None else elapsed
    (x, step, elapsed, write, read), spoiled = set_apart(1, x, step, elapsed, write, read)
    x, step, elapsed = (  # (b, h, k, q, .)
        _chunks(x, padding, chunk),
        _chunks(step[..., None], padding, chunk),
        _chunks(elapsed[..., None], padding, chunk),
    )
    write, read = (
        _chunks(write[:, :, None], padding, chunk),
        _chunks(read[:, :, None], padding, chunk),
    )

    time = elapsed.cumsum(dim=3)  # (b, h, k, q, 1)
    log_keep = -decay[:, None, None, None] * time
    phase = time * frequency[:, None, None, :]  # (b, h, k, q, m)
    unwind = torch.polar(torch.ones_like(phase), -phase)
    keys = _real_pairs(write * unwind)  # (b, h, k, q, 2m)
    queries = _real_pairs(read.conj() * unwind)
    written = -torch.expm1(-decay[:, None, None, None] * step) * x

    # Only s <= t can be above zero before the exponential, and there the exponent never is.
    future = torch.ones(chunk, chunk, dtype=torch.bool, device=x.device).triu(1)
    fading = (log_keep - log_keep.mT).masked_fill(future, -torch.inf).exp()
    y = ((queries @ keys.mT) * fading) @ written

    total = log_keep[..., -1:, :]
    gathered = _complex_pairs((keys * (total - log_keep).exp()).mT @ written)  # (b, h, k, m, p)
    last_turn = unwind[..., -1, :, None].conj()
    carry = last_turn * total.exp()
    starts = []
    for k in range(gathered.shape[2]):
        starts.append(state)
        state = carry[:, :, k] * state + last_turn[:, :, k] * gathered[:, :, k]
    before = _real_pairs(torch.stack(starts, dim=2).mT).mT  # (b, h, k, 2m, p)
    y = y + (queries * log_keep.exp()) @ before

    y = y.flatten(2, 3)[:, :, :length].transpose(1, 2) + spoiled[..., None, None]
    return y, state + spoiled[:, -1, None, None, None]


@in_working_precision
def modal_step(
    x: Tensor,  # (batch, heads, width)
    log_pole: Tensor,  # (heads, modes), complex
    weight: Tensor,  # (heads, width, modes), complex
    state: Tensor,  # (batch, heads, modes, width), complex
    gaps: Tensor | None = None,  # (batch,)
) -> tuple[Tensor, Tensor]:
    """Advance the time-invariant recurrence by one step; returns the output and the state.

    `gaps` are the times since the step before, in steps; None is one.
    """
    time = 1 if gaps is None else gaps[:, None, None]
    state = (time * log_pole).exp()[..., None] * state + x[:, :, None, :]
    return (weight.mT * state).sum(dim=2).real, state


def modal_filter_loop(
    x: Tensor,  # (batch, length, heads, width)
    log_pole: Tensor,  # (heads, modes), complex
    weight: Tensor,  # (heads, width, modes), complex
    state: Tensor | None = None,  # (batch, heads, modes, width), complex
    gaps: Tensor | None = None,  # (batch, length)
) -> tuple[Tensor, Tensor]:
    """Run the time-invariant recurrence step by step: the definition of `modal_filter`.

    With `gaps`, times since the step before, in steps, it is the only form: steps at uneven times are
    no convolution.
    """
    if state is None:
        state = _zero_state(x, log_pole.shape[1])
    outputs = []
    for t in range(x.shape[1]):
        gap = None if gaps is None else gaps[:, t]
        y, state = modal_step(x[:, t], log_pole, weight, state, gap)
        outputs.append(y)
    return torch.stack(outputs, dim=1), state


def modal_kernel(
    log_pole: Tensor,  # (heads, modes), complex
    weight: Tensor,  # (heads, width, modes), complex
    length: int,
) -> Tensor:
    """Impulse response of the time-invariant recurrence, (heads, width, length)."""
    return torch.einsum("hpm,hml->hpl", weight, _pole_powers(log_pole, 0, length)).real


@in_working_precision
def modal_filter(
    x: Tensor,  # (batch, length, heads, width)
    log_pole: Tensor,  # (heads, modes), complex
    weight: Tensor,  # (heads, width, modes), complex
    state: Tensor | None = None,  # (batch, heads, modes, width), complex
) -> Tensor:
    """Run the time-invariant recurrence as one convolution by FFT.

    Parameters
    ----------
    x : Tensor (batch, length, heads, width)
        Input, real.
    log_pole : Tensor (heads, modes), complex
        Logarithm of each pole per step: real part below zero, imaginary part in radians.
    weight : Tensor (heads, width, modes), complex
        How each mode enters each channel of the output.
    state : Tensor (batch, heads, modes, width), complex, default=None
        State before the first step; None is zero.

    Returns
    -------
    Tensor (batch, length, heads, width)
        The state after the last step is not needed for it; `modal_state` gives it.

    Raises
    ------
    ValueError
        If there is no step.

    Notes
    -----
    Time O(length * (heads * modes * width + batch * heads * width * log(length)**2)).

    Examples
    --------
    >>> import torch
    >>> log_pole = torch.complex(torch.full((1, 2), -0.1), torch.tensor([[0.0, 1.0]]))
    >>> modal_filter(torch.ones(3, 7, 1, 4), log_pole, torch.ones(1, 4, 2) + 0j).shape
    torch.Size([3, 7, 1, 4])
    """
    length = x.shape[1]
    kernel = modal_kernel(log_pole, weight, length)
    y = convolve(x.permute(0, 2, 3, 1), kernel)  # (batch, heads, width, length)
    if state is not None:
        # The state has already been through one step when the first output is read.
        powers = _pole_powers(log_pole, 1, length)
        y = y + torch.einsum("hpm,bhmp,hml->bhpl", weight, state, powers).real
    return y.permute(0, 3, 1, 2)


@in_working_precision
def modal_state(
    x: Tensor,  # (batch, length, heads, width)
    log_pole: Tensor,  # (heads, modes), complex
    state: Tensor | None = None,  # (batch, heads, modes, width), complex
) -> Tensor:
    """State of the time-invariant recurrence after the last step, (batch, heads, modes, width)."""
    powers = _pole_powers(log_pole, 0, x.shape[1]).flip(2)
    after = torch.einsum("hml,blhp->bhmp", powers, x.to(powers.dtype))
    if state is None:
        return after
    return after + _pole_powers(log_pole, x.shape[1], 1) * state


def _pole_powers(log_pole: Tensor, first: int, count: int) -> Tensor:  # (heads, modes, count)
    # In float32 the phase of step 4,096 has an error of 5e-4 radians, so it is counted in float64.
    poles = exact(log_pole)
    exponents = torch.arange(first, first + count, dtype=torch.float64, device=poles.device)
    return like((poles[..., None] * exponents).exp(), log_pole)


def _zero_state(x: Tensor, modes: int) -> Tensor:  # (batch, heads, modes, width)
    batch, _, heads, width = x.shape
    zeros = x.new_zeros(batch, heads, modes, width)
    return torch.complex(zeros, zeros)


def _chunks(sequence: Tensor, padding: int, chunk: int) -> Tensor:
    """(batch, length, heads, n) -> (batch, heads, chunks, chunk, n), zeros after the end."""
    padded = F.pad(sequence, (0, 0, 0, 0, 0, padding))
    return padded.unflatten(1, (-1, chunk)).permute(0, 3, 1, 2, 4)


def _real_pairs(z: Tensor) -> Tensor:  # (..., n) complex -> (..., 2n)
    return torch.view_as_real(z.resolve_conj()).flatten(-2)


def _complex_pairs(pairs: Tensor) -> Tensor:  # (..., 2m, p) -> (..., m, p) complex
    real, imaginary = pairs.unflatten(-2, (-1, 2)).unbind(dim=-2)
    return torch.complex(real, imaginary)

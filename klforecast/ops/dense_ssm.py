"""Linear state spaces with a dense transition: the definition as a loop, and one convolution.

    h[t] = A h[t-1] + B u[t]
    y[t] = C' h[t]               kernel C' A^l B, l = 0, 1, ...

Letters   batch; length in steps; channels; n states of a channel
State     (batch, channels, n); `None` stands for zero
Precision Float32 at least, in results and states too (`klforecast.ops.precision`)
See       Gu et al. 2021, LSSL, arXiv 2110.13985; Gu et al. 2020, HiPPO, arXiv 2008.07669.
"""

import torch
from torch import Tensor

from klforecast.ops.checks import require_steps
from klforecast.ops.convolution import convolve
from klforecast.ops.precision import in_working_precision


@in_working_precision
def dense_ssm_step(
    u: Tensor,  # (batch, channels)
    A: Tensor,  # (channels, n, n)
    B: Tensor,  # (channels, n)
    C: Tensor,  # (channels, n)
    state: Tensor,  # (batch, channels, n)
) -> tuple[Tensor, Tensor]:
    """Advance by one step; returns the output (batch, channels) and the state."""
    state = (A @ state[..., None])[..., 0] + B * u[..., None]
    return (C * state).sum(dim=-1), state


def dense_ssm_loop(
    u: Tensor,  # (batch, length, channels)
    A: Tensor,  # (channels, n, n)
    B: Tensor,  # (channels, n)
    C: Tensor,  # (channels, n)
    state: Tensor | None = None,  # (batch, channels, n)
) -> tuple[Tensor, Tensor]:
    """Run step by step: the definition of `dense_ssm`."""
    state = u.new_zeros(len(u), *B.shape) if state is None else state
    outputs = []
    for u_t in u.unbind(dim=1):
        y, state = dense_ssm_step(u_t, A, B, C, state)
        outputs.append(y)
    return torch.stack(outputs, dim=1), state


@in_working_precision
def dense_ssm(
    u: Tensor,  # (batch, length, channels)
    A: Tensor,  # (channels, n, n)
    B: Tensor,  # (channels, n)
    C: Tensor,  # (channels, n)
    state: Tensor | None = None,  # (batch, channels, n)
) -> tuple[Tensor, Tensor]:
    """Run as one convolution by FFT.

    Parameters
    ----------
    u : Tensor (batch, length, channels)
        Input.
    A : Tensor (channels, n, n)
        Transition of each channel.
    B, C : Tensor (channels, n)
        How the input enters the states, and how the states enter the output.
    state : Tensor (batch, channels, n), default=None
        State before the first step; None is zero.

    Returns
    -------
    y : Tensor (batch, length, channels)
    state : Tensor (batch, channels, n)
        State after the last step.

    Raises
    ------
    ValueError
        If there is no step.

    Notes
    -----
    Time O(channels (n**3 log(length) + length n**2 + batch length log(length))).

    Examples
    --------
    >>> import torch
    >>> one = torch.ones(1, 1)
    >>> dense_ssm(torch.ones(1, 4, 1), one[None], one, one)[0].flatten().round()
    tensor([1., 2., 3., 4.])
    """
    length = u.shape[1]
    require_steps(length)
    reading = krylov(A.mT, C, length + 1)  # (channels, n, length + 1)
    kernel = (reading[..., :length] * B[..., None]).sum(dim=1)
    signal = u.mT  # (batch, channels, length)
    y = convolve(signal, kernel)
    after = torch.einsum("cnl,bcl->bcn", krylov(A, B, length).flip(-1), signal)
    if state is not None:
        y = y + torch.einsum("cnl,bcn->bcl", reading[..., 1:], state)
        power = torch.linalg.matrix_power(A, length)
        after = after + (power @ state[..., None])[..., 0]
    return y.mT, after


def krylov(A: Tensor, b: Tensor, length: int) -> Tensor:
    """Columns A^l b for l = 0 ... length - 1, by doubling.

    Parameters
    ----------
    A : Tensor (channels, n, n)
    b : Tensor (channels, n)
    length : int

    Returns
    -------
    Tensor (channels, n, length)
    """
    columns, power = b[..., None], A
    while columns.shape[-1] < length:
        columns = torch.cat([columns, power @ columns], dim=-1)
        power = power @ power
    return columns[..., :length]


def companion(column: Tensor) -> Tensor:
    """Companion matrices: shift the states down, and feed the last one back.

    Parameters
    ----------
    column : Tensor (channels, n)
        Last column. The last state follows the autoregression whose weight of lag i is entry n - i.

    Returns
    -------
    Tensor (channels, n, n)
    """
    channels, n = column.shape
    shift = torch.diag(torch.ones(n - 1), -1).to(column)[:, :-1]
    return torch.cat([shift.expand(channels, -1, -1), column[..., None]], dim=2)


def stable_column(reflection: Tensor) -> Tensor:
    """Last column of a companion matrix from reflection coefficients, by the steps of Levinson.

    Coefficients between -1 and 1 give every autoregression whose poles lie within the unit circle,
    and no other (Barndorff-Nielsen & Schou 1973): a division by the absolute sum of the weights, which
    also bounds the poles, would rule out every oscillation that lasts.

    Parameters
    ----------
    reflection : Tensor (channels, n)
        Partial autocorrelation of lag 1, 2, ..., n, each between -1 and 1.

    Returns
    -------
    Tensor (channels, n)
        The weight of lag n first.

    Examples
    --------
    >>> import torch
    >>> stable_column(torch.tensor([[0.5, -0.5]]))
    tensor([[-0.5000,  0.7500]])
    """
    weights = reflection[:, :0]  # of lag 1, 2, ...
    for last in reflection.split(1, dim=1):
        weights = torch.cat([weights - last * weights.flip(1), last], dim=1)
    return weights.flip(1)


def hippo_legs(n_states: int) -> tuple[Tensor, Tensor]:
    """HiPPO-LegS: the state space whose states are the Legendre coefficients of its past.

    Parameters
    ----------
    n_states : int
        n.

    Returns
    -------
    A : Tensor (n, n), float64
    B : Tensor (n,), float64
        Of the continuous system h' = A h + B u; Gu et al. 2020, theorem 2.
    """
    root = (2 * torch.arange(n_states, dtype=torch.float64) + 1).sqrt()
    below = -(root[:, None] * root).tril(-1)
    return below - torch.diag(torch.arange(1, n_states + 1, dtype=torch.float64)), root


def hippo_poles(n_modes: int) -> Tensor:
    """Poles of the normal part of HiPPO-LegS with 2 `n_modes` states, one of each complex pair.

    All have the real part -1/2; Gu et al. 2022 (arXiv 2206.11893), S4D-LegS.

    Parameters
    ----------
    n_modes : int

    Returns
    -------
    Tensor (n_modes,), complex128
        By rising frequency.
    """
    A, B = hippo_legs(2 * n_modes)
    skew = A + 0.5 * B[:, None] * B + 0.5 * torch.eye(2 * n_modes, dtype=torch.float64)
    frequencies = torch.linalg.eigvalsh(1j * (skew - skew.mT) / 2)
    positive = frequencies[n_modes:]
    return torch.complex(torch.full_like(positive, -0.5), positive)

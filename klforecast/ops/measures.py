"""Measures of time: what each step of a history weighs in an integral over it."""

import torch
from torch import Tensor


def interval_measure(T: int, tau: float) -> float:
    """Weight of a step in an interval of length tau that T steps span: tau / (T - 1).

    It is the measure of Spectral Memory (Marquez 2025). Against the default of `klforecast.ops.kl.kernel_kl` the modes
    are the same and every eigenvalue is tau T / (T - 1) times as large.

    Parameters
    ----------
    T : int
        Number of steps; fewer than two count as two.
    tau : float
        Time scale of the kernel, in steps.

    Examples
    --------
    >>> from klforecast.ops.measures import interval_measure
    >>> interval_measure(65, tau=64.0)
    1.0
    """
    return tau / max(T - 1, 1)


def step_weights(T: int, measure: float | Tensor | None) -> Tensor:  # -> (T,)
    """Weights of all steps.

    Parameters
    ----------
    T : int
        Number of steps.
    measure : float, Tensor of shape (T,) or None
        Weight of every step, or of each; None is 1 / T, the midpoint rule on the unit interval.

    Returns
    -------
    Tensor of shape (T,)
        Float64, on the CPU.

    Raises
    ------
    ValueError
        If `measure` has another shape, or a weight that is negative or not finite.

    Examples
    --------
    >>> from klforecast.ops.measures import step_weights
    >>> step_weights(4, None)
    tensor([0.2500, 0.2500, 0.2500, 0.2500], dtype=torch.float64)
    """
    weights = torch.as_tensor(
        1.0 / T if measure is None else measure, dtype=torch.float64, device="cpu"
    )
    if weights.shape not in ((), (T,)):
        raise ValueError(
            f"got a measure of shape {tuple(weights.shape)}; pass one weight, or one for each of "
            f"the {T} steps"
        )
    if not (weights.isfinite().all() and (weights >= 0).all()):
        raise ValueError("got a measure with negative or non-finite weights; pass weights >= 0")
    return weights.expand(T)

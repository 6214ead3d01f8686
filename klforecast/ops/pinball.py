"""The pinball loss, whose mean over levels is half of the CRPS."""

import torch
from torch import Tensor


def pinball(truth: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """Pinball loss, zero for a perfect forecast.

    Parameters
    ----------
    truth : Tensor of shape (...)
    quantiles : Tensor of shape (..., Q)
    levels : Tensor of shape (Q,)

    Returns
    -------
    Tensor of shape (..., Q)
        Its mean over evenly spread levels is half of the CRPS (Gneiting & Raftery 2007).

    Examples
    --------
    >>> import torch
    >>> pinball(torch.tensor([2.0]), torch.tensor([[1.0]]), torch.tensor([0.9]))
    tensor([[0.9000]])
    """
    return pinball_of_gaps(truth[..., None] - quantiles, levels)


def pinball_of_gaps(gaps: Tensor, levels: Tensor) -> Tensor:  # (..., Q), (Q,) -> (..., Q)
    """The same from truth less quantiles."""
    return torch.maximum(levels * gaps, (levels - 1) * gaps)

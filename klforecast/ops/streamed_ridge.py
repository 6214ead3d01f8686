"""The ridge of `loo_ridge` for more rows than fit in memory: blocks of rows come again and again.

    G = sum_i w_i (z_i - m)(z_i - m)'        c = sum_i w_i (z_i - m)(y_i - n)'        m, n weighted means
    coefficients = (G + s k I)^-1 c          residual left out as in `loo_ridge`

Rows may come as longer ones and a basis, z = block B. Of the rows only G, with the square of their
features, is held, and what is answered for each row.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.loo_ridge import STRENGTHS

Blocks = Callable[[], Iterable[Tensor]]
"""Gives the same rows, (m, features) at a time, whenever it is called; in float64, or as the basis is."""


class StreamedRidge(NamedTuple):
    """The ridge model whose leave-one-out error is least.

    Attributes
    ----------
    coef : Tensor (features, outputs)
    intercept : Tensor (outputs,)
        A prediction is ``row @ coef + intercept``.
    strength : float
        In units of the mean eigenvalue.
    left_out : Tensor (n, outputs)
        Prediction for each row by the model of all other rows.
    """

    coef: Tensor
    intercept: Tensor
    strength: float
    left_out: Tensor


class _Modes(NamedTuple):
    mean: Tensor  # (features,), of the rows
    rotation: Tensor  # (features of a block, r), from a block to its modes
    middle: Tensor  # (r,), of the rotated blocks
    output_mean: Tensor  # (outputs,)
    directions: Tensor  # (features, r)
    eigenvalues: Tensor  # (r,)
    rotated: Tensor  # (r, outputs), products of the directions with the targets


def streamed_ridge(
    blocks: Blocks,
    targets: Tensor,  # (n, outputs)
    weights: Tensor,  # (n,), they sum to one
    strengths: Sequence[float] = STRENGTHS,
    judging: Tensor | None = None,  # (n,), bool
    basis: Tensor | None = None,  # (features of a block, features)
) -> StreamedRidge:
    """Fit a ridge regression of the strength that leaves least error on rows left out.

    Parameters
    ----------
    blocks : callable
        Rows in their order; see `Blocks`. It is called three times.
    targets, weights, strengths, judging
        As for `loo_ridge`.
    basis : Tensor (features of a block, features) or None, default=None
        A row is a row of a block times this; None: the row of the block itself.

    Returns
    -------
    StreamedRidge

    Notes
    -----
    O(n features^2 + features^3) time, O(features^2 + n outputs) memory beside a block. With a basis the
    three products with it, each of n times its size, are computed as precisely as it is.

    Examples
    --------
    >>> import torch
    >>> x = torch.linspace(-1, 1, 9).double()[:, None]
    >>> weights = torch.full((9,), 1 / 9).double()
    >>> fit = streamed_ridge(lambda: x.split(4), 3 * x + 1, weights, strengths=(1e-9,))
    >>> fit.coef.round(decimals=4), fit.intercept.round(decimals=4)
    (tensor([[3.]], dtype=torch.float64), tensor([1.], dtype=torch.float64))
    """
    modes = _modes(blocks, basis, targets, weights)
    # Rows without variance leave nothing to shrink, and any scale will do.
    scale = modes.eigenvalues.sum() / len(targets)
    scale = scale if scale > 0 else torch.ones_like(scale)
    judges = torch.ones(len(targets), dtype=torch.bool) if judging is None else judging
    candidates = torch.tensor(strengths, dtype=targets.dtype)
    errors = torch.zeros_like(candidates)
    for place, block in _placed(blocks):
        missed = _left_out_errors(block, modes, targets[place], weights[place], candidates * scale)
        # Every row counts by its weight, and `missed` is of rows times its root.
        errors += missed[:, judges[place]].square().sum(dim=(1, 2))
    best = candidates[errors.argmin()]
    left_out = torch.cat(
        [
            targets[place]
            - _left_out_errors(block, modes, targets[place], weights[place], best[None] * scale)[0]
            / weights[place, None].sqrt()
            for place, block in _placed(blocks)
        ]
    )
    shrunk = modes.rotated / (modes.eigenvalues + best * scale)[:, None]
    coef = modes.directions @ shrunk
    return StreamedRidge(coef, modes.output_mean - modes.mean @ coef, float(best), left_out)


def _modes(blocks: Blocks, basis: Tensor | None, targets: Tensor, weights: Tensor) -> _Modes:
    first = second = cross = targets.new_zeros(())
    output_mean = weights @ targets
    for place, block in _placed(blocks):
        rows = block if basis is None else (block @ basis).double()
        weighted = weights[place, None] * rows
        first = first + weighted.sum(dim=0)
        second = second + weighted.mT @ rows
        cross = cross + weighted.mT @ (targets[place] - output_mean)
    eigenvalues, directions = torch.linalg.eigh(second - first[:, None] * first)
    floor = torch.finfo(eigenvalues.dtype).eps * len(eigenvalues) * eigenvalues.max()
    kept = eigenvalues > floor
    directions = directions[:, kept]
    return _Modes(
        first,
        directions if basis is None else (basis.double() @ directions).to(basis.dtype),
        first @ directions,
        output_mean,
        directions,
        eigenvalues[kept],
        directions.mT @ cross,
    )


def _left_out_errors(
    block: Tensor,  # (m, features of a block)
    modes: _Modes,
    targets: Tensor,  # (m, outputs)
    weights: Tensor,  # (m,)
    ridges: Tensor,  # (strengths,), what is added to the eigenvalues
) -> Tensor:  # (strengths, m, outputs), times the root of the weights
    projected = (block @ modes.rotation).double() - modes.middle
    shrunk = 1 / (modes.eigenvalues + ridges[:, None])  # (strengths, r)
    residual = targets - modes.output_mean - projected @ (shrunk[..., None] * modes.rotated)
    leverage = weights * (projected.square() @ shrunk.mT).mT  # (strengths, m)
    free = (1 - weights - leverage).clamp(min=1e-10)
    return weights.sqrt()[:, None] * residual / free[..., None]


def _placed(blocks: Blocks) -> Iterable[tuple[slice, Tensor]]:
    start = 0
    for block in blocks():
        yield slice(start, start + len(block)), block
        start += len(block)

"""Karhunen-Loeve coordinates of a window: its recent steps as they are, its older steps as a few modes.

    x = [ past[-recent:] ; Psi' past[:-recent] ]        z = U' future

The history before the recent steps is cut into blocks. In each block the covariance of all windows is decomposed and
its leading modes are kept, beside the constant mode, so that the level of a block is exact. What is older is coarser:
a block that is twice as long gets no more modes. In these coordinates every linear forecast is a small matrix, and
its Gram matrix is a small one too:

    sum over windows of [x; z] [x; z]' = B' G B,        B = diag(V, U),  G the Gram matrix of the windows

Letters   D depth, H horizon, R recent steps, d = R + number of history modes, r output modes, C channels
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.core.gram import center_gram
from klforecast.core.ridge import ridge_from_gram
from klforecast.ops.linalg import fix_signs, signed_eigh

_PILOT_STRENGTH = 0.01  # of the ridge whose forecasts span the outputs; their directions, not their sizes, are used


class Coordinates(NamedTuple):
    """The basis that turns a window into its coordinates.

    Attributes
    ----------
    edges : tuple of int
        Ages in steps at which the blocks end: (R, ..., D).
    sizes : tuple of int
        Number of coordinates that reach back to each edge: (R, ..., d).
    history_modes : Tensor of shape (D - R, d - R)
        Orthonormal modes of the history; rows run forward in time, columns from the youngest block to the oldest.
    output_modes : Tensor of shape (H, r)
        Orthonormal modes of what can be forecast.
    """

    edges: tuple[int, ...]
    sizes: tuple[int, ...]
    history_modes: Tensor
    output_modes: Tensor

    @property
    def recent(self) -> int:
        """Number of steps that are kept as they are."""
        return self.edges[0]

    @property
    def depth(self) -> int:
        """Number of steps that a window looks back."""
        return self.edges[-1]

    def blocks(self) -> list[tuple[slice, slice]]:
        """Rows and columns of `history_modes` that belong together; the rest of it is zero."""
        rows = [slice(self.depth - old, self.depth - young) for young, old in pairwise(self.edges)]
        columns = [
            slice(few - self.recent, many - self.recent) for few, many in pairwise(self.sizes)
        ]
        return list(zip(rows, columns, strict=True))

    def encode(self, past: Tensor) -> Tensor:  # (..., D) -> (..., d)
        """Coordinates of windows, newest step last among the recent ones."""
        modes = self.history_modes.to(past.dtype)
        components = [past[..., rows] @ modes[rows, columns] for rows, columns in self.blocks()]
        return torch.cat([past[..., self.depth - self.recent :], *components], dim=-1)

    def encode_whole(self, window: Tensor) -> Tensor:  # (..., D + H) -> (..., d + r)
        """Coordinates of windows and of the future that follows them."""
        future = window[..., self.depth :] @ self.output_modes.to(window.dtype)
        return torch.cat([self.encode(window[..., : self.depth]), future], dim=-1)

    def project(self, gram: Tensor) -> Tensor:  # (D + H, D + H) -> (d + r, d + r)
        """Gram matrix of the coordinates, B' G B, from the Gram matrix of the windows."""
        return self.encode_whole(self.encode_whole(gram).T).T

    def ones(self) -> Tensor:  # (d,)
        """Coordinates of the window that is one everywhere."""
        return torch.cat(
            [torch.ones(self.recent, dtype=torch.float64), self.history_modes.sum(dim=0)]
        )

    def mean_of_last(self, steps: int) -> Tensor:  # (d,)
        """The functional that gives the mean of the last `steps` steps; exact up to R steps and at the edges."""
        average = torch.zeros(self.depth, dtype=torch.float64)
        average[self.depth - steps :] = 1 / steps
        return self.encode(average)


def window_coordinates(
    gram: Tensor, edges: Sequence[int], horizon: int, n_components: int, n_outputs: int
) -> Coordinates:
    """Find the coordinates from the Gram matrix of all windows.

    Parameters
    ----------
    gram : Tensor of shape (D + H, D + H)
        Gram matrix of all windows, pooled over channels and series.
    edges : sequence of int
        Ages (R, ..., D) at which the blocks end, ascending.
    horizon : int
        H, steps of the future.
    n_components : int
        Modes kept in each block of the history, beside its constant mode.
    n_outputs : int
        Modes kept of the future: the leading ones of the fitted values of a pilot ridge regression.

    Returns
    -------
    Coordinates

    Notes
    -----
    Cost O(b^3) for the longest block of b steps and O(H^3): eigendecompositions.
    """
    depth = edges[-1]
    columns, sizes = [], [edges[0]]
    for young, old in pairwise(edges):
        block = slice(depth - old, depth - young)
        modes = torch.zeros(
            depth - edges[0], min(n_components + 1, old - young), dtype=torch.float64
        )
        modes[block] = _block_modes(gram[block, block], modes.shape[1])
        columns.append(modes)
        sizes.append(sizes[-1] + modes.shape[1])
    history_modes = torch.cat(columns, dim=1) if columns else torch.zeros(0, 0, dtype=torch.float64)
    inputs = Coordinates(
        tuple(edges), tuple(sizes), history_modes, torch.eye(horizon, dtype=torch.float64)
    )
    return inputs._replace(output_modes=_output_modes(gram, inputs, min(n_outputs, horizon)))


def _block_modes(gram: Tensor, count: int) -> Tensor:  # (b, b) -> (b, count)
    """The constant mode, then the leading modes of what is orthogonal to it."""
    size = len(gram)
    rest = center_gram(gram, torch.full((size,), 1 / size, dtype=torch.float64))
    # With an eigenvalue above all others the constant is the first mode, and is not drawn again among the zeros.
    trace = rest.trace()
    above_all = 2 * trace if trace > 0 else torch.ones_like(trace)
    return _leading_modes(rest + above_all / size, count)


def _output_modes(gram: Tensor, coordinates: Coordinates, count: int) -> Tensor:
    """Leading modes of the fitted values of one ridge regression that is centred by the last value."""
    depth = coordinates.depth
    last = torch.zeros(len(gram), dtype=torch.float64)
    last[depth - 1] = 1.0
    centred = coordinates.project(center_gram(gram, last))
    inputs = coordinates.sizes[-1]
    cross = centred[:inputs, inputs:]
    coefficients = ridge_from_gram(centred[:inputs, :inputs], cross, _PILOT_STRENGTH)
    fitted = coefficients.T @ centred[:inputs, :inputs] @ coefficients
    return _leading_modes((fitted + fitted.T) / 2, count)


def _leading_modes(gram: Tensor, count: int) -> Tensor:  # (b, b) -> (b, count)
    """Modes of the largest eigenvalues.

    Eigenvalues that should be zero are what rounding of a much larger Gram matrix left of them; they are not judged.
    """
    return fix_signs(signed_eigh(gram)[1].flip(-1)[:, :count])

"""How the errors of the nodes of a hierarchy vary together, and paths of all nodes drawn so.

    z_ihc = sum_t u_ti e_thc          u_ti = held-out error of row t at node i, over the norm of all of node i

with e_t draws of `ops.copula`, whose steps and channels vary together. So each z is standard normal, those of one
node vary over steps like its errors, and those of two nodes together like theirs: sums of drawn errors have the
variance that sums of held-out errors had. Correlations that are shrunk, as reconciliation needs them to be inverted,
would make totals look too sure. A path is the quantile of its node and step at the level Phi(z).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.hierarchies.held_out import HeldOut
from klforecast.estimators.paths import read_quantiles
from klforecast.ops.arrays import to_tensor
from klforecast.ops.copula import JointErrors, draw_normal_scores, fit_joint_errors

_VALUES_PER_BATCH = 2**22  # 32 MB in float64


class Dependence(NamedTuple):
    """What the errors of the nodes have in common.

    Attributes
    ----------
    between : Tensor of shape (channels, m, N)
        Held-out errors of the nodes, over the norm of each node.
    joint : JointErrors
        Of the steps and channels of one node, the same for all.
    """

    between: Tensor
    joint: JointErrors


def fit_dependence(held_out: HeldOut) -> Dependence:
    """Learn it from errors of all nodes; missing ones count as none."""
    errors = np.nan_to_num(held_out.errors)  # (windows, horizon, N, channels)
    rows = to_tensor(errors.reshape(-1, *errors.shape[2:])).permute(2, 0, 1)
    norm = rows.square().sum(dim=1, keepdim=True).sqrt()
    # A node without errors takes part in what is common to all rows.
    even = torch.full_like(rows, len(rows[0]) ** -0.5)
    between = torch.where(norm > 0, rows / norm.clamp(min=torch.finfo(rows.dtype).tiny), even)
    scores = between.permute(1, 2, 0).reshape(errors.shape).transpose(1, 2)
    independent = len(errors) * _alone(between[0])
    return Dependence(between, fit_joint_errors(scores.flatten(0, 1), independent))


def draw_paths(
    dependence: Dependence,
    table: np.ndarray,  # (N, steps, C, Q), quantiles at PATH_LEVELS
    steps: np.ndarray,  # (steps,) int, from 1
    n_paths: int,
    seed: int,
) -> Iterator[np.ndarray]:  # (N, steps, C, some paths)
    """Draw paths of all nodes, some at a time."""
    generator = torch.Generator().manual_seed(seed)
    size = max(1, _VALUES_PER_BATCH // (len(table) * int(steps[-1]) * table.shape[2]))
    for start in range(0, n_paths, size):
        some = min(size, n_paths - start)
        z = _scores(dependence, some, int(steps[-1]), generator)[:, :, steps - 1]
        yield np.moveaxis(read_quantiles(table, z.numpy()), 0, -1)


def draw_margins(
    dependence: Dependence,
    table: np.ndarray,  # (N, steps, C, Q)
    n_paths: int,
    seed: int,
) -> Iterator[np.ndarray]:  # (N, C, n_paths)
    """Draw what the nodes may be at each step by itself: the same scores for all steps."""
    generator = torch.Generator().manual_seed(seed)
    channels, rows, _ = dependence.between.shape
    white = torch.randn(n_paths, rows, channels, generator=generator, dtype=torch.float64)
    z = torch.einsum("cmn,pmc->pnc", dependence.between, white).numpy()
    for step in range(table.shape[1]):
        yield np.moveaxis(read_quantiles(table[:, step], z), 0, -1)


def _scores(
    dependence: Dependence, n_paths: int, steps: int, generator: torch.Generator
) -> Tensor:  # (P, N, steps, C)
    rows = dependence.between.shape[1]
    drawn = draw_normal_scores(dependence.joint, n_paths * rows, steps, generator)
    shared = drawn.reshape(n_paths, rows, steps, -1)
    return torch.einsum("cmn,pmsc->pnsc", dependence.between.float(), shared)


def _alone(between: Tensor) -> Tensor:  # (m, N) -> ()
    """Number of independent nodes that tell as much: N^2 over the sum of squared correlations."""
    return between.shape[1] ** 2 / (between @ between.T).square().sum()

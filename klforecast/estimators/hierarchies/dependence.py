"""How the errors of the nodes of a hierarchy vary together, and paths of all nodes drawn so.

    z_ihc = sum_t u_ti e_thc + d_i^1/2 n_ihc          R = u' u + diag(d), the shrunk correlation of held-out errors

with e_t and n_i draws of `ops.copula`, whose steps and channels vary together. So each z is standard normal, those of
one node vary over steps like its errors, and those of two nodes with their correlation. A path is the quantile of its
node and step at the level Phi(z).
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
from klforecast.ops.shrunk_covariance import ShrunkCovariance

_VALUES_PER_BATCH = 2**22  # 32 MB in float64
_NOTHING = 1e-300  # a deviation: nodes without errors have scores of zero


class Dependence(NamedTuple):
    """What the errors of the nodes have in common.

    Attributes
    ----------
    between : list of ShrunkCovariance
        Correlation of the N nodes, of each channel.
    joint : JointErrors
        Of the steps and channels of one node, the same for all.
    """

    between: list[ShrunkCovariance]
    joint: JointErrors


def fit_dependence(held_out: HeldOut, covariances: list[ShrunkCovariance]) -> Dependence:
    """Learn it from held-out errors and their covariance, of each channel."""
    windows = held_out.errors.transpose(0, 2, 1, 3)  # (windows, N, horizon, channels)
    deviation = np.stack([found.variance.sqrt().numpy() for found in covariances], axis=1)
    scores = windows / np.maximum(deviation, _NOTHING)[:, None]
    flat = scores.reshape(-1, *scores.shape[2:])
    whole = to_tensor(flat[np.isfinite(flat).all(axis=(1, 2))])
    between = [_correlation(found) for found in covariances]
    independent = torch.tensor(float(len(held_out.errors))) * _alone(between[0])
    if len(whole) < 2:
        whole = torch.zeros(2, *flat.shape[1:], dtype=torch.float64)
    return Dependence(between, fit_joint_errors(whole, independent))


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
    drawn = [_white(between, n_paths, generator) for between in dependence.between]
    z = torch.stack(drawn, dim=-1).numpy()  # (P, N, C)
    for step in range(table.shape[1]):
        yield np.moveaxis(read_quantiles(table[:, step], z), 0, -1)


def _scores(
    dependence: Dependence, n_paths: int, steps: int, generator: torch.Generator
) -> Tensor:  # (P, N, steps, C)
    rows, nodes = dependence.between[0].common.shape

    def draw(count: int) -> Tensor:  # (P, count, steps, C)
        drawn = draw_normal_scores(dependence.joint, n_paths * count, steps, generator)
        return drawn.reshape(n_paths, count, steps, -1)

    own, shared = draw(nodes), draw(rows)
    for channel, between in enumerate(dependence.between):
        alone = between.own.sqrt().float()[:, None] * own[..., channel]
        common = torch.einsum("mn,pms->pns", between.common.float(), shared[..., channel])
        own[..., channel] = alone + common
    return own


def _white(between: ShrunkCovariance, n_paths: int, generator: torch.Generator) -> Tensor:
    rows, nodes = between.common.shape
    own = torch.randn(n_paths, nodes, generator=generator, dtype=torch.float64)
    shared = torch.randn(n_paths, rows, generator=generator, dtype=torch.float64)
    return own * between.own.sqrt() + shared @ between.common


def _correlation(covariance: ShrunkCovariance) -> ShrunkCovariance:
    variance = covariance.variance
    return ShrunkCovariance(covariance.own / variance, covariance.common / variance.sqrt())


def _alone(correlation: ShrunkCovariance) -> Tensor:
    """Number of independent series that tell as much as these: N^2 over the sum of squared correlations."""
    own, common = correlation
    squares = (common @ common.T).square().sum() + (own * (2 * common.square().sum(0) + own)).sum()
    return len(own) ** 2 / squares

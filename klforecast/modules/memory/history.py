"""Components of given past states: a pure function of each window's own history.

    write     C = 1 / (n T) sum over n histories of Hc Hc',    C Psi = Psi L
    read      sqrt(L_k) Psi_k' Hc                               for every history of a batch

with Hc = H where the histories are not to be centred. As long as nothing was written, each history that
is read is decomposed by itself: it is all that there is to remember. Everything is computed and held in float64
(`klforecast.modules.states`), and read in the dtype of the history.

What is read depends on one history alone: on no other window of the batch, no order, no other read.

Letters   n histories   T rows of a history   d features of a row   k components
See       `klforecast.ops.kl` for a single history; with n = 1 this is the same decomposition.
          Marquez 2025, Spectral Memory: what is decomposed there is what is read.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from klforecast.modules.memory.kernel_prior import kernel_prior
from klforecast.modules.states import StatefulModule
from klforecast.ops.kl import (
    KLDecomposition,
    components,
    covariance_kl,
    empirical_kl,
    feature_covariance_kl,
)
from klforecast.ops.linalg import require_finite
from klforecast.ops.online import KLState, absorb, feature_modes
from klforecast.ops.precision import exact

# Columns of one singular value decomposition: it holds as many rows again, mirrored.
_COLUMNS_PER_SVD = 512


class HistoryComponents(StatefulModule):
    """Components of a batch of histories on the modes of all histories written so far.

    Parameters
    ----------
    memory_depth : int
        Rows of a history, T.
    n_components : int
        Modes kept, k. Those that the histories do not have are zero.
    strategy : {"empirical", "kernel", "feature"}, default="empirical"
        Covariance of the centred rows; a smoothness prior, which needs no data; or the similarity
        of the rows' directions.
    kernel : {"exponential", "gaussian", "matern", "matern32"}, default="exponential"
        Of the smoothness prior.
    tau : float, default=64.0
        Time scale of that kernel, in rows.
    measure : {"interval", "unit"}, default="interval"
        Weight of a row under that kernel; see `klforecast.modules.memory.kernel_prior`.
    scale_by_eigenvalue : bool, default=True
        Multiply each component by the square root of its eigenvalue.
    center : bool, default=True
        Subtract the mean over the rows from each history. Without, a kernel keeps the level, which
        is nearly its first mode. The feature strategy never does: directions have no natural zero.
    solver : {"exact", "online"}, default="exact"
        Keep the T x T covariance, or `n_components` rows of a root of it.

    Notes
    -----
    A write of m feature columns costs O(m T**2 + T**3) time if exact and O(m T k) if online, a
    read O(T k) per feature column. Memory: O(T**2) or O(T k). Nothing written is kept.
    """

    weight: Tensor
    covariance: Tensor
    eigenvalues: Tensor
    modes: Tensor

    def __init__(
        self,
        memory_depth: int,
        n_components: int,
        strategy: str = "empirical",
        kernel: str = "exponential",
        tau: float = 64.0,
        measure: str = "interval",
        scale_by_eigenvalue: bool = True,
        center: bool = True,
        solver: str = "exact",
    ):
        super().__init__()
        self.memory_depth = memory_depth
        self.n_components = n_components
        self.strategy = strategy
        self.kernel = kernel
        self.tau = tau
        self.measure = measure
        self.scale_by_eigenvalue = scale_by_eigenvalue
        self.center = center and strategy != "feature"
        self.solver = solver
        kept = memory_depth if solver == "exact" else n_components
        if strategy == "kernel":
            kept = 0
        self.register_state("weight", torch.zeros(()))
        # Exact: the covariance itself. Online: a root R of weight * covariance = R' R.
        self.register_state("covariance", torch.zeros(kept, memory_depth))
        self.register_state("eigenvalues", torch.zeros(n_components))
        self.register_state("modes", torch.zeros(memory_depth, n_components))
        self.reset()

    @property
    def empty(self) -> bool:
        """Whether what was written has no mode: histories that are constant."""
        return not self.unwritten and not self.eigenvalues.any()

    @property
    def unwritten(self) -> bool:
        """Whether the modes have yet to come from histories."""
        return self.strategy != "kernel" and not self.weight

    @torch.no_grad()
    def reset(self) -> None:
        """Forget every history. The modes of a kernel are there without any."""
        for buffer in self.buffers():
            buffer.zero_()
        # On the device "meta" only shapes are asked for.
        if self.strategy == "kernel" and not self.modes.is_meta:
            prior = (self.kernel, self.tau, self.measure)
            modes = kernel_prior(self.memory_depth, self.n_components, *prior)
            self.write(**modes._asdict())

    @torch.no_grad()
    def append(self, histories: Tensor) -> None:
        """Write histories: absorb them into the covariance and decompose it again.

        Parameters
        ----------
        histories : Tensor of shape (n, T, d)
            n = 0 writes nothing.

        Raises
        ------
        ValueError
            If the histories have another number of rows or are not finite, or their squares
            overflow. What was written before stays as it is.
        """
        if histories.dim() != 3 or histories.shape[1] != self.memory_depth:
            raise ValueError(
                f"got histories of shape {tuple(histories.shape)}; pass (n, {self.memory_depth}, "
                "features), or set memory_depth"
            )
        require_finite(histories, "the histories")
        if self.strategy == "kernel" or histories.numel() == 0:
            return
        columns = self._columns(exact(histories))
        grow = self._grow if self.solver == "exact" else self._grow_root
        covariance, decomposition = grow(columns)
        weight = self.weight + len(columns)
        self.write(weight=weight, covariance=covariance, **decomposition._asdict())

    def forward(self, histories: Tensor) -> Tensor:  # (batch, T, d) -> (batch, k, d)
        """Read the components of each history; differentiable in the histories.

        Of a history of another length than T, the modes have to be its own: nothing may have been
        written, and its newest T rows count.
        """
        modes = KLDecomposition(self.eigenvalues, self.modes)
        if self.unwritten:
            histories = histories[:, -self.memory_depth :]
            modes = self._own_modes(histories)
        return components(histories, modes, self.scale_by_eigenvalue, self.center)

    def _own_modes(self, histories: Tensor) -> KLDecomposition:
        if self.strategy == "feature":
            return feature_covariance_kl(histories, self.n_components)
        return empirical_kl(histories, self.n_components, self.center)

    def _columns(self, histories: Tensor) -> Tensor:  # (n, T, d) -> (n d, T)
        rows = normalize(histories, dim=2) if self.strategy == "feature" else histories
        if self.center:
            rows = rows - rows.mean(dim=1, keepdim=True)
        # The mean of the outer products of these columns is C, whatever n.
        return rows.mT.flatten(0, 1) * math.sqrt(rows.shape[2] / self.memory_depth)

    def _grow(self, columns: Tensor) -> tuple[Tensor, KLDecomposition]:
        more = columns.mT @ columns - len(columns) * self.covariance
        covariance = self.covariance + more / (self.weight + len(columns))
        return covariance, covariance_kl(covariance, self.n_components)

    def _grow_root(self, columns: Tensor) -> tuple[Tensor, KLDecomposition]:
        mean = columns.new_zeros(self.memory_depth)
        state = KLState(mean, self.covariance, 2 * float(self.weight))
        for block in columns.split(_COLUMNS_PER_SVD):
            # Each column comes with its mirror image: their mean is zero, so that the state holds
            # second moments as C does, and not moments about the mean column.
            mirrored = torch.cat([block, -block])
            state = absorb(state, mirrored, self.n_components, block_length=len(mirrored))
        return state.root, KLDecomposition(*feature_modes(state))

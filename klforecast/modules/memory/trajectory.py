"""Components of a training trajectory: one row per training step, the last T rows kept.

    write     row = summary of the batch's encoded states (see `klforecast.modules.memory.kl_memory`)
    read      sqrt(L_k) Psi_k' Hc of the rows H, the same for every window

The rows are decomposed when they are written, never when they are read, and not at every write:

    exact     whenever a quarter of the rows held are new. While T rows fill up there are about
              4.5 log(T) decompositions (35 for T = 3000), then one for every T / 4 steps.
              empirical and feature: O(T d**2 + d**3); kernel: O(T**3), once for each T in a process
    online    at every write, O(d k**2), whatever T. A row that is a rows old counts (1 - 1/T)**a
              instead of 1 or 0, so the rows have the same total weight T as a full buffer.

Letters   T rows at most   d features of a row   k components
See       Marquez 2025, The Spectrum Remembers: Spectral Memory, eqs. 3-8, where the T x T
          decomposition is repeated at every training step.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from klforecast.exceptions import KLForecastError
from klforecast.ops.kl import (
    KLDecomposition,
    components,
    empirical_kl,
    feature_covariance_kl,
    kernel_kl,
)
from klforecast.ops.linalg import fix_signs
from klforecast.ops.online import KLState, absorb, state_components

_NEW_ROWS_PER_ROW_HELD = 0.25


class TrajectoryComponents(nn.Module):
    """Components of the last rows written.

    Parameters
    ----------
    d_model : int
        Features of a row.
    memory_depth : int
        Rows kept, T.
    n_components : int
        Components, k. Those that the rows do not have are zero.
    strategy : {"empirical", "kernel", "feature"}, default="empirical"
        Covariance of the centred rows, a smoothness prior, or similarity of the rows' directions.
    kernel : {"exponential", "gaussian", "matern32"}, default="exponential"
        Of the smoothness prior.
    tau : float, default=64.0
        Time scale of that kernel, in training steps.
    scale_by_eigenvalue : bool, default=True
        Multiply each component by the square root of its eigenvalue.
    solver : {"exact", "online"}, default="exact"
        See the top of this file. Online needs the empirical strategy.
    """

    rows: Tensor
    new_rows: Tensor
    mean: Tensor
    root: Tensor
    weight: Tensor
    components: Tensor
    frozen: Tensor

    def __init__(
        self,
        d_model: int,
        memory_depth: int,
        n_components: int,
        strategy: str = "empirical",
        kernel: str = "exponential",
        tau: float = 64.0,
        scale_by_eigenvalue: bool = True,
        solver: str = "exact",
    ):
        super().__init__()
        if solver == "online" and strategy != "empirical":
            raise ValueError(
                f"the online solver decomposes the empirical covariance, got strategy={strategy!r};"
                " pass solver='exact' or strategy='empirical'"
            )
        self.memory_depth = memory_depth
        self.n_components = n_components
        self.strategy = strategy
        self.kernel = kernel
        self.tau = tau
        self.scale_by_eigenvalue = scale_by_eigenvalue
        self.solver = solver
        self.register_buffer("components", torch.zeros(n_components, d_model))
        self.register_buffer("frozen", torch.tensor(False))
        if solver == "exact":
            self.register_buffer("rows", torch.zeros(0, d_model))
            self.register_buffer("new_rows", torch.tensor(0))
        else:
            self.register_buffer("mean", torch.zeros(d_model, dtype=torch.float64))
            self.register_buffer("root", torch.zeros(n_components, d_model, dtype=torch.float64))
            self.register_buffer("weight", torch.tensor(0.0, dtype=torch.float64))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read: no rows, or rows that do not differ."""
        return not self.components.any()

    @torch.no_grad()
    def reset(self) -> None:
        """Forget every row; a frozen memory can be written again."""
        if self.solver == "exact":
            self.rows = self.rows[:0]
        for buffer in self.buffers():
            buffer.zero_()

    @torch.no_grad()
    def append(self, rows: Tensor) -> None:  # (m, d_model)
        """Write rows, oldest first."""
        if self.frozen:
            raise KLForecastError(
                "the memory was frozen at the end of fit and its rows are gone; call reset() first"
            )
        if self.solver == "online":
            self._append_online(rows)
            return
        self.rows = torch.cat([self.rows, rows.to(self.rows)])[-self.memory_depth :]
        self.new_rows += len(rows)
        if self.new_rows >= _NEW_ROWS_PER_ROW_HELD * len(self.rows):
            self._decompose()

    @torch.no_grad()
    def freeze(self) -> None:
        """Bring the components up to date and drop the rows."""
        if self.frozen:
            return
        if self.solver == "exact":
            if self.new_rows:
                self._decompose()
            self.rows = self.rows[:0].clone()
        self.frozen.fill_(True)

    def forward(self, states: Tensor) -> Tensor:  # (batch, ...) -> (1, k, d_model)
        """Read the components, the same for all windows: they are mixed once and not once each."""
        return self.components[None]

    def _append_online(self, rows: Tensor) -> None:
        state = absorb(
            KLState(self.mean, self.root, float(self.weight)),
            rows,
            self.n_components,
            forgetting=1 - 1 / self.memory_depth,
        )
        self.mean.copy_(state.mean)
        self.root.copy_(state.root)
        self.weight.fill_(state.weight)
        self.components.copy_(state_components(state, self.scale_by_eigenvalue))

    def _decompose(self) -> None:
        # A kernel's first mode is a level and directions have no natural zero: neither is centred.
        new = components(
            self.rows, self._modes(), self.scale_by_eigenvalue, centre=self.strategy == "empirical"
        )
        if self.strategy == "empirical":
            # Modes over time shift as rows come and go, and with them the entry that fixes their
            # sign. Features stay where they are.
            new = fix_signs(new.mT).mT
        self.components.copy_(new)
        self.new_rows.zero_()

    def _modes(self) -> KLDecomposition:
        if self.strategy == "empirical":
            return empirical_kl(self.rows, self.n_components)
        if self.strategy == "feature":
            return feature_covariance_kl(self.rows, self.n_components)
        return _kernel_modes(len(self.rows), self.n_components, self.kernel, self.tau)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        saved = state_dict.get(f"{prefix}rows")
        if self.solver == "exact" and saved is not None:
            # torch loads into tensors of equal shape only; the number of rows is state, not shape.
            self.rows = self.rows.new_empty(saved.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


@lru_cache(maxsize=64)
def _kernel_modes(T: int, n_components: int, kernel: str, tau: float) -> KLDecomposition:
    return kernel_kl(T, n_components, kernel, tau)

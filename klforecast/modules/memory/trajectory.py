"""Components of a training trajectory: one row per training step, the last T rows kept.

    write     row = summary of the batch's encoded states (see `klforecast.modules.memory.kl_memory`)
    read      sqrt(L_k) Psi_k' Hc of the rows H, the same for every window

The rows are decomposed when they are written, never when they are read, and not at every write:

    exact     whenever a quarter of the rows held are new. While T rows fill up there are about
              4.5 log(T) decompositions (35 for T = 3000), then one for every T / 4 steps.
              empirical and feature: O(T d**2 + d**3); kernel: O(T**3), once for each T in a process
    online    at every write, O(d k**2), whatever T. A row that is a rows old counts (1 - 1/T)**a
              instead of 1 or 0, so the rows have the same total weight T as a full buffer.

Everything is computed and held in float64 (`klforecast.modules.states`).

Letters   T rows at most   d features of a row   k components
See       Marquez 2025, The Spectrum Remembers: Spectral Memory, eqs. 3-8, where the T x T
          decomposition is repeated at every training step.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor

from klforecast.exceptions import KLForecastError
from klforecast.modules.memory.kernel_prior import kernel_prior
from klforecast.modules.states import StatefulModule, moved
from klforecast.ops.kl import (
    KLDecomposition,
    components,
    empirical_kl,
    feature_covariance_kl,
)
from klforecast.ops.linalg import orientation, require_finite
from klforecast.ops.online import KLState, absorb, state_components
from klforecast.ops.precision import like

# A read lags behind by at most this share of the rows held, and the cost of filling is logarithmic.
_NEW_ROWS_PER_ROW_HELD = 0.25


class TrajectoryComponents(StatefulModule):
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
    kernel : {"exponential", "gaussian", "matern", "matern32"}, default="exponential"
        Of the smoothness prior.
    tau : float, default=64.0
        Time scale of that kernel, in training steps.
    measure : {"interval", "unit"}, default="interval"
        Weight of a row under that kernel; see `klforecast.modules.memory.kernel_prior`.
    scale_by_eigenvalue : bool, default=True
        Multiply each component by the square root of its eigenvalue.
    center : bool, default=True
        Subtract the mean over the rows under a kernel; without, it keeps the level, which is nearly
        its first mode. The empirical strategy always does, and directions have no natural zero.
    solver : {"exact", "online"}, default="exact"
        See the top of this file. Online needs the empirical strategy.

    Attributes
    ----------
    slopes : Tensor of shape (T, k), float64
        Derivative of each component by each row at the last decomposition, modes held fixed; of no
        rows with the online solver.
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
        measure: str = "interval",
        scale_by_eigenvalue: bool = True,
        center: bool = True,
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
        self.measure = measure
        self.centered = strategy == "empirical" or (center and strategy == "kernel")
        self.slopes = torch.zeros(0, n_components, dtype=torch.float64)
        self.scale_by_eigenvalue = scale_by_eigenvalue
        self.solver = solver
        self.register_state("components", torch.zeros(n_components, d_model))
        self.register_state("frozen", torch.zeros(()))
        if solver == "exact":
            # No buffer: copies and averages of a model take for granted that those keep their shape.
            self.rows = torch.zeros(0, d_model, dtype=torch.float64)
            self.register_state("new_rows", torch.zeros(()))
        else:
            self.register_state("mean", torch.zeros(d_model))
            self.register_state("root", torch.zeros(n_components, d_model))
            self.register_state("weight", torch.zeros(()))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read: no rows, or rows that do not differ."""
        return not self.components.any()

    @torch.no_grad()
    def reset(self) -> None:
        """Forget every row; a frozen memory can be written again."""
        self.slopes = self.slopes[:0].clone()
        if self.solver == "exact":
            self.rows = self.rows[:0].clone()
        for buffer in self.buffers():
            buffer.zero_()

    @torch.no_grad()
    def append(self, rows: Tensor) -> None:
        """Write rows.

        Parameters
        ----------
        rows : Tensor of shape (m, d_model)
            Oldest first; m = 0 writes nothing.

        Raises
        ------
        ValueError
            If the rows have another width or are not finite, or their squares overflow. What was
            written before stays as it is.
        KLForecastError
            If the memory is frozen.
        """
        if self.frozen:
            raise KLForecastError(
                "the memory was frozen at the end of fit and its rows are gone; call reset() first"
            )
        if rows.dim() != 2 or rows.shape[1] != self.components.shape[1]:
            raise ValueError(
                f"got rows of shape {tuple(rows.shape)}; pass (m, {self.components.shape[1]})"
            )
        require_finite(rows, "the rows")
        if len(rows) == 0:
            return
        if self.solver == "online":
            self._append_online(rows)
            return
        kept = torch.cat([self.rows, like(rows.detach(), self.rows)])[-self.memory_depth :]
        if not kept.square().sum().isfinite():
            raise ValueError(
                f"got rows as large as {rows.abs().max():.1e}, whose squares overflow; "
                "pass rows of another unit"
            )
        new_rows = self.new_rows + len(rows)
        if new_rows >= _NEW_ROWS_PER_ROW_HELD * len(kept):
            self._decompose(kept)
        else:
            self.write(new_rows=new_rows)
        self.rows = kept

    @torch.no_grad()
    def freeze(self) -> None:
        """Bring the components up to date and drop the rows."""
        if self.frozen:
            return
        if self.solver == "exact":
            if self.new_rows:
                self._decompose(self.rows)
            self.rows = self.rows[:0].clone()
            self.slopes = self.slopes[:0].clone()
        self.frozen.fill_(1.0)

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
        self.write(
            mean=state.mean,
            root=state.root,
            weight=torch.tensor(state.weight, dtype=torch.float64),
            components=state_components(state, self.scale_by_eigenvalue),
        )

    def _decompose(self, rows: Tensor) -> None:
        eigenvalues, modes = self._modes(rows)
        read = (self.scale_by_eigenvalue, self.centered)
        new = components(rows, KLDecomposition(eigenvalues, modes), *read)
        if self.strategy == "empirical":
            # Modes over time shift as rows come and go, and with them the entry that fixes their
            # sign. Features stay where they are.
            sign = orientation(new.mT)
            new, modes = (new.mT * sign).mT, modes * sign
        self.write(components=new, new_rows=torch.zeros(()))
        modes = modes * eigenvalues.sqrt() if self.scale_by_eigenvalue else modes
        self.slopes = modes - modes.mean(dim=0) if self.centered else modes

    def _modes(self, rows: Tensor) -> KLDecomposition:
        if self.strategy == "empirical":
            return empirical_kl(rows, self.n_components)
        if self.strategy == "feature":
            return feature_covariance_kl(rows, self.n_components)
        prior = (self.kernel, self.tau, self.measure)
        return KLDecomposition(
            *(part.to(rows.device) for part in kernel_prior(len(rows), self.n_components, *prior))
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        if self.solver == "exact":
            self.rows = moved(self.rows, self.components.device)
        self.slopes = moved(self.slopes, self.components.device)
        return self

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.solver == "exact":
            destination[f"{prefix}rows"] = self.rows

    def _load_from_state_dict(
        self,
        state_dict: dict,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        *args: Any,
    ) -> None:
        if self.solver == "exact":
            rows = state_dict.pop(f"{prefix}rows", None)
            if rows is None:
                missing_keys.append(f"{prefix}rows")
            else:
                self.rows = like(rows.detach(), self.rows).clone()
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, *args
        )

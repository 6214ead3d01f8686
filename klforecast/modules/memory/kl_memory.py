"""Karhunen-Loeve memory: a history of states becomes a few tokens for a sequence model.

    history of states -> covariance over time -> modes -> components -> token mixer -> memory tokens

Two sources of states, one way to read them:

    "history"      the past of each window. Written: histories, for their covariance over time.
                   Read: the components of the history that is passed in (`history.py`).
    "trajectory"   the training run itself. Written: one summary of each training batch. Read: the
                   components of the last `memory_depth` summaries, whatever is passed in
                   (`trajectory.py`).

`append`, `reset` and `freeze` write, `forward` only reads. The memory never writes itself: the
training loop decides what is remembered. What is remembered is held in float64, whatever the module
is cast to (`klforecast.modules.states`); tokens have the dtype of the weights.

Letters   n batch   T rows of a history   k components   m memory tokens   d model width
See       Marquez 2025, The Spectrum Remembers: Spectral Memory. There tokens of too short a
          trajectory are zero, and here those of an empty one.
"""

import math
from collections.abc import Iterable
from typing import Any, Self

import torch
from torch import Tensor, nn

from klforecast.modules.memory.history import HistoryComponents
from klforecast.modules.memory.kernel_prior import MEASURES
from klforecast.modules.memory.learned_writes import NewestWrites
from klforecast.modules.memory.presets import PRESETS
from klforecast.modules.memory.token_mixers import build_token_mixer
from klforecast.modules.memory.trajectory import TrajectoryComponents
from klforecast.ops.checks import require_positive, require_steps
from klforecast.ops.kernels import KERNELS
from klforecast.ops.precision import exact, like

SOURCES = ("history", "trajectory")
STRATEGIES = ("empirical", "kernel", "feature")
WRITERS = ("attention", "mean")
SOLVERS = ("exact", "online")

# The deepest that was published, that of v1: a matrix of 0.13 GB, decomposed in half a minute.
_MOST_KERNEL_ROWS = 4096


class KLMemory(nn.Module):
    """Memory tokens from the Karhunen-Loeve components of a history of states.

    Parameters
    ----------
    d_model : int
        Width of a token.
    source : {"history", "trajectory"}, default="history"
        Whose states: each window's own past, or the training run.
    memory_depth : int, default=336
        Rows of a history, or summaries of training batches that are kept.
    n_components : int, default=16
        Karhunen-Loeve components, largest eigenvalue first.
    memory_tokens : int, default=4
        Tokens made of them.
    state_size : int, default=None
        Features of a state. None is `d_model`; any other size is projected to `d_model` after the
        decomposition, by a learned linear map.
    strategy : {"empirical", "kernel", "feature"}, default="empirical"
        Covariance of the centred states, a smoothness prior, or similarity of their directions.
    kernel : {"exponential", "gaussian", "matern", "matern32"}, default="exponential"
        Of the smoothness prior; `klforecast.ops.kernels` says which Matern is whose.
    tau : float, default=64.0
        Time scale of that kernel, in rows of the history or in training steps.
    measure : {"interval", "unit"}, default="interval"
        Weight of a row under that kernel: tau / (T - 1), as the paper has it, or 1 / T, with which
        the eigenvalues sum to one.
    scale_by_eigenvalue : bool, default=True
        Multiply each component by the square root of its eigenvalue.
    center : bool, default=True
        Subtract the mean over the rows, as the paper does under the empirical strategy and under
        kernels. False keeps it, which for normalised cycles is the mean cycle and for a kernel the
        level; an empirical trajectory is centred all the same, and directions never are.
    token_mixer : {"bottleneck", "dense", "factorized"}, default="factorized"
        See `klforecast.modules.memory.token_mixers`.
    writer : {"attention", "mean"}, default="attention"
        How the trajectory source summarises a batch: the states of each sequence weighted by a
        softmax over its length, or equally; then their mean over the batch.
    detach : bool, default=True
        Stop gradients at the components, as the paper does. False lets them flow on: into the states
        of the history source, or into the scores of the attention writer, which with True stay as
        they were initialised (`klforecast.modules.memory.learned_writes`). Never into modes.
    solver : {"exact", "online"}, default="exact"
        Decompose all that is kept, or update a factor of `n_components` rows.
    dropout : float, default=0.1
        In the token mixer.
    reset_before_predict : bool, default=False
        Ablation: read the memory as if it were empty whenever the module is not in training mode,
        as the published code does when it measures accuracy.

    Raises
    ------
    ValueError
        If an option is unknown, a size is below 1, or the options exclude each other.

    Notes
    -----
    A read costs O(n T k) per feature for the history source and O(1) for the trajectory source,
    plus one token mixer. For the cost of a write see `history.py` and `trajectory.py`.

    Examples
    --------
    >>> import torch
    >>> memory = KLMemory(8, memory_depth=20, n_components=3, memory_tokens=2, state_size=5).eval()
    >>> histories = torch.randn(100, 20, 5)
    >>> memory.append(histories)
    >>> memory(histories[:7]).shape
    torch.Size([7, 2, 8])
    >>> KLMemory.from_preset("v4", d_model=8, memory_depth=50).source
    'trajectory'

    Where nothing was appended, the states that are given are all there is to remember:

    >>> memory = KLMemory(d_model=16, memory_depth=3000, n_components=8, memory_tokens=4).eval()
    >>> h = torch.randn(2, 96, 16)
    >>> memory(h).shape
    torch.Size([2, 4, 16])
    """

    def __init__(
        self,
        d_model: int,
        *,
        source: str = "history",
        memory_depth: int = 336,
        n_components: int = 16,
        memory_tokens: int = 4,
        state_size: int | None = None,
        strategy: str = "empirical",
        kernel: str = "exponential",
        tau: float = 64.0,
        measure: str = "interval",
        scale_by_eigenvalue: bool = True,
        center: bool = True,
        token_mixer: str = "factorized",
        writer: str = "attention",
        detach: bool = True,
        solver: str = "exact",
        dropout: float = 0.1,
        reset_before_predict: bool = False,
    ):
        super().__init__()
        _check_choice("source", source, SOURCES)
        _check_choice("strategy", strategy, STRATEGIES)
        _check_choice("kernel", kernel, KERNELS)
        _check_choice("measure", measure, MEASURES)
        _check_choice("writer", writer, WRITERS)
        _check_choice("solver", solver, SOLVERS)
        self.d_model = d_model
        self.source = source
        self.memory_depth = memory_depth
        self.n_components = n_components
        self.memory_tokens = memory_tokens
        self.state_size = state_size or d_model
        self.writer = writer
        self.detach = detach
        self.reset_before_predict = reset_before_predict
        require_positive(
            d_model=d_model,
            memory_depth=memory_depth,
            n_components=n_components,
            memory_tokens=memory_tokens,
            state_size=self.state_size,
        )
        if source == "trajectory" and solver == "online" and not detach:
            raise ValueError(
                "detach=False lets the writer of a trajectory learn from its rows, which "
                "solver='online' does not keep; pass solver='exact' or detach=True"
            )
        if not 0 < tau < math.inf:
            raise ValueError(f"got tau={tau!r}; pass a positive number of rows")
        if strategy == "kernel" and memory_depth > _MOST_KERNEL_ROWS:
            raise ValueError(
                f"a kernel over {memory_depth} rows is a matrix of their square, decomposed in the time "
                f"of their cube; pass at most {_MOST_KERNEL_ROWS} rows, or strategy='empirical'"
            )
        decomposition: dict[str, Any] = {
            "memory_depth": memory_depth,
            "n_components": n_components,
            "strategy": strategy,
            "kernel": kernel,
            "tau": tau,
            "measure": measure,
            "scale_by_eigenvalue": scale_by_eigenvalue,
            "center": center,
            "solver": solver,
        }
        self.store: HistoryComponents | TrajectoryComponents
        if source == "history":
            self.store = HistoryComponents(**decomposition)
        else:
            self.store = TrajectoryComponents(self.state_size, **decomposition)
            if writer == "attention":
                self.score = nn.Linear(self.state_size, 1)
        self._newest = self._new_writes()
        self.project = (
            nn.Identity() if self.state_size == d_model else nn.Linear(self.state_size, d_model)
        )
        self.token_mixer = build_token_mixer(
            token_mixer, n_components, memory_tokens, d_model, dropout
        )
        self.norm = nn.LayerNorm(d_model)

    @classmethod
    def from_preset(cls, name: str, d_model: int, **changes: Any) -> Self:
        """Build a published variant, with any of its options changed.

        Parameters
        ----------
        name : {"v1", "v2", "v3", "v4", "factorized", "spectral-memory"}
            A key of `klforecast.modules.memory.presets.PRESETS`, which says what they are.
        d_model : int
            Width of a token.
        **changes
            Options of `KLMemory` that replace those of the preset.

        Raises
        ------
        ValueError
            If there is no preset of that name.
        """
        _check_choice("preset", name, PRESETS)
        return cls(d_model, **{**PRESETS[name], **changes})

    def forward(self, states: Tensor) -> Tensor:
        """Read the memory tokens of a batch; nothing is written.

        Parameters
        ----------
        states : Tensor of shape (n, rows, state_size)
            History source: the history of each window, `memory_depth` rows; of any length as long as
            nothing was appended. Trajectory source: any states of the batch, of which only n counts.

        Returns
        -------
        Tensor of shape (n, memory_tokens, d_model)
            Normalised tokens; zeros if the memory of a trajectory is empty, or if all histories that
            were appended are constant.

        Raises
        ------
        ValueError
            If the states have another shape.
        """
        self._check(states)
        weights = self.norm.weight
        if self.store.empty or (self.reset_before_predict and not self.training):
            return weights.new_zeros(len(states), self.memory_tokens, self.d_model)
        components = self.store(states)
        if self.detach:
            components = components.detach()
        elif isinstance(self.store, TrajectoryComponents) and self._newest and self.training:
            components = self._newest.with_gradient(components, self.store.slopes, self._summary)
        components = like(components, weights)
        tokens = self.norm(self.token_mixer(self.project(components)))
        return tokens.expand(len(states), -1, -1)

    @torch.no_grad()
    def append(self, states: Tensor) -> None:
        """Write states: histories, or one training batch.

        Parameters
        ----------
        states : Tensor of shape (n, rows, state_size)
            History source: n histories of `memory_depth` rows. Trajectory source: the encoded
            states of one training batch, n sequences of any length, which become one summary.
            n = 0 writes nothing.

        Raises
        ------
        ValueError
            If the states have another shape or are not finite, or their squares overflow. What was
            written before stays as it is.
        KLForecastError
            If the memory of a trajectory is frozen.
        """
        self._check(states)
        if isinstance(self.store, TrajectoryComponents):
            require_steps(states.shape[1])
            self.store.append(self._summary(states) if len(states) else states[:, 0])
            if self._newest and len(states):
                self._newest.note(states, decomposed=not self.store.new_rows)
        else:
            self.store.append(states)

    def reset(self) -> None:
        """Forget everything that was written. Learned weights stay."""
        self.store.reset()
        self._newest = self._new_writes()

    def freeze(self) -> None:
        """End the writing of a trajectory: bring its components up to date and drop its rows.

        A history source has nothing to drop and can be written at any time.
        """
        if isinstance(self.store, TrajectoryComponents):
            self.store.freeze()
            self._newest = self._new_writes()

    def _new_writes(self) -> NewestWrites | None:
        """Room for the batches through which a writer learns; None where there is none to learn."""
        return NewestWrites() if hasattr(self, "score") and not self.detach else None

    def _summary(self, states: Tensor) -> Tensor:  # (n, length, state_size) -> (1, state_size)
        if self.writer == "mean":
            return exact(states).mean(dim=(0, 1))[None]
        weights = exact(self.score(states.to(self.score.weight.dtype))).softmax(dim=1)
        return (weights * exact(states)).sum(dim=1).mean(dim=0)[None]

    def _check(self, states: Tensor) -> None:
        if states.dim() != 3 or states.shape[2] != self.state_size:
            raise ValueError(
                f"got states of shape {tuple(states.shape)}; "
                f"pass (batch, rows, {self.state_size}), or set state_size"
            )


def _check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ValueError(f"got {name}={value!r}; pass one of {', '.join(map(repr, choices))}")

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
          trajectory are zero, and here those of an empty memory.
"""

from collections.abc import Iterable
from typing import Any, Self

import torch
from torch import Tensor, nn

from klforecast.modules.memory.history import HistoryComponents
from klforecast.modules.memory.token_mixers import build_token_mixer
from klforecast.modules.memory.trajectory import TrajectoryComponents
from klforecast.ops.checks import require_positive, require_steps
from klforecast.ops.precision import exact, like

SOURCES = ("history", "trajectory")
STRATEGIES = ("empirical", "kernel", "feature")
WRITERS = ("attention", "mean")
SOLVERS = ("exact", "online")

# What v1, v2 and v3 share, and v4 and factorized: the published settings (Marquez 2025).
_TIME_KERNEL = {
    "source": "trajectory",
    "strategy": "kernel",
    "kernel": "exponential",
    "tau": 96.0,
    "writer": "mean",
    "token_mixer": "bottleneck",
}
# Its depth is that of the paper, 3,000 training steps.
_EMPIRICAL = {
    "source": "trajectory",
    "strategy": "empirical",
    "writer": "attention",
    "scale_by_eigenvalue": True,
    "memory_depth": 3000,
    "n_components": 16,
    "memory_tokens": 4,
}

PRESETS: dict[str, dict[str, Any]] = {
    "v1": {
        **_TIME_KERNEL,
        "scale_by_eigenvalue": True,
        "memory_depth": 4096,
        "n_components": 16,
        "memory_tokens": 8,
    },
    "v2": {
        **_TIME_KERNEL,
        "scale_by_eigenvalue": False,
        "memory_depth": 2048,
        "n_components": 16,
        "memory_tokens": 4,
    },
    "v3": {
        **_TIME_KERNEL,
        "scale_by_eigenvalue": False,
        "memory_depth": 3000,
        "n_components": 32,
        "memory_tokens": 4,
    },
    "v4": {**_EMPIRICAL, "token_mixer": "dense"},
    "factorized": {**_EMPIRICAL, "token_mixer": "factorized"},
}
"""The published variants of spectral memory as options of `KLMemory`."""


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
    kernel : {"exponential", "gaussian", "matern32"}, default="exponential"
        Of the smoothness prior.
    tau : float, default=64.0
        Time scale of that kernel, in rows of the history or in training steps.
    scale_by_eigenvalue : bool, default=True
        Multiply each component by the square root of its eigenvalue.
    center : bool, default=True
        History source, empirical strategy: subtract the mean over its rows from each history.
        False keeps the mean, which for normalised cycles is the mean cycle.
    token_mixer : {"bottleneck", "dense", "factorized"}, default="factorized"
        See `klforecast.modules.memory.token_mixers`.
    writer : {"attention", "mean"}, default="attention"
        How the trajectory source summarises a batch: the states of each sequence weighted by a
        softmax over its length, or equally; then their mean over the batch. A summary is stored
        without its graph, so the scores of the softmax stay as they were initialised.
    detach : bool, default=True
        Stop gradients at the components. False lets them flow on into the states of the history
        source, never into its modes. The trajectory source has no graph to flow into.
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
        decomposition: dict[str, Any] = {
            "memory_depth": memory_depth,
            "n_components": n_components,
            "strategy": strategy,
            "kernel": kernel,
            "tau": tau,
            "scale_by_eigenvalue": scale_by_eigenvalue,
            "solver": solver,
        }
        self.store: HistoryComponents | TrajectoryComponents
        if source == "history":
            self.store = HistoryComponents(center=center, **decomposition)
        else:
            self.store = TrajectoryComponents(self.state_size, **decomposition)
            if writer == "attention":
                self.score = nn.Linear(self.state_size, 1)
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
        name : {"v1", "v2", "v3", "v4", "factorized"}
            A key of `PRESETS`. v2 and v3 follow the published description; their published code
            decomposes the similarity of directions instead, which is ``strategy="feature"``.
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
            History source: the history of each window, `memory_depth` rows. Trajectory source: any
            states of the batch, of which only n counts.

        Returns
        -------
        Tensor of shape (n, memory_tokens, d_model)
            Normalised tokens; zeros if the memory is empty.

        Raises
        ------
        ValueError
            If the states have another shape.
        """
        self._check(states)
        weights = self.norm.weight
        if self.store.empty or (self.reset_before_predict and not self.training):
            return weights.new_zeros(len(states), self.memory_tokens, self.d_model)
        components = like(self.store(states), weights)
        if self.detach:
            components = components.detach()
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
            states = self._summary(states) if len(states) else states[:, 0]
        self.store.append(states)

    def reset(self) -> None:
        """Forget everything that was written. Learned weights stay."""
        self.store.reset()

    def freeze(self) -> None:
        """End the writing of a trajectory: bring its components up to date and drop its rows.

        A history source has nothing to drop and can be written at any time.
        """
        if isinstance(self.store, TrajectoryComponents):
            self.store.freeze()

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

"""Forecast module: a linear core, and an encoder with memory that corrects it.

    forecast = core(past) + gate * scale * encoder(window, memory tokens)

The encoder is one of `klforecast.modules.encoders`: a backbone over memory tokens and patches with
a linear head, or a network that forecasts by itself and takes the tokens as features.

The gate, one number for each channel, starts at zero: an untrained module *is* its core. Without a
core the level of the window stands in for it and the gate starts at one: the plain encoder.

    past      |<------------------------- depth -------------------------->| cutoff
    core          the last core.depth steps
    history       |<-- rows of row_length steps -->|
    window                                         |<--- input_length --->|

Level and scale are the mean and the standard deviation of the window, per channel. Window and
history are normalised by both, so the history keeps its difference in level from the window.

Letters   n batch   c channels   L input length   T rows of the history   d model width
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from klforecast.core.linear_core import LinearCore
from klforecast.modules.encoders import Sizes, build_encoder, encoder_entry
from klforecast.modules.encoders.patch_encoder import instance_statistics
from klforecast.modules.memory.kl_memory import KLMemory

MEMORIES = ("history", "trajectory", "none")


class ForecastParts(NamedTuple):
    """A forecast, what it corrects, and the states it was read from."""

    forecast: Tensor  # (n, horizon, c)
    base: Tensor  # (n, horizon, c), or (n, 1, c) for the level of a plain encoder
    encoded: Tensor  # (n c, rows, state size), the states that a trajectory remembers


class ForecastModule(nn.Module):
    """Forecast all channels from their past.

    Parameters
    ----------
    horizon : int
        Steps to forecast.
    n_channels : int
        Channels of the series; only the gate and the core tell them apart.
    core : LinearCore, default=None
        Map from (n, core.depth, c) to (n, horizon, c). None is the plain encoder.
    encoder : str, default="transformer"
        A key of `klforecast.modules.encoders.ENCODERS`.
    input_length : int, default=96
        Steps of the window that is cut into patches.
    memory : {"history", "trajectory", "none"}, default="history"
        Whose states become memory tokens: those of each window's past, those of the training run,
        or nobody's.
    memory_depth : int, default=432
        History: how far back the memory looks, in steps before the cutoff. Trajectory: number of
        training batches it remembers.
    row_length : int, default=24
        Steps of the series in one row of the history: 1 takes raw steps, a period its cycles, 0
        patches of `patch_length` steps that do not overlap, embedded as the window's are where the
        encoder embeds patches.
    n_components : int, default=5
        Karhunen-Loeve components of the rows.
    memory_tokens : int, default=4
        Tokens made of them.
    token_mixer : {"bottleneck", "dense", "factorized"}, default="factorized"
        See `klforecast.modules.memory.token_mixers`.
    memory_options : Mapping, default=None
        Further options of `KLMemory`, for example of a preset.
    d_model, n_layers, n_heads, d_ff, patch_length, dropout
        Of the encoder; see `klforecast.modules.encoders.Sizes`.

    Raises
    ------
    ValueError
        If an option is unknown or the depth leaves no row of history before the window.

    Examples
    --------
    >>> module = ForecastModule(horizon=12, n_channels=3, input_length=48, memory_depth=168)
    >>> module.depth
    168
    >>> module(torch.randn(2, module.depth, 3)).shape
    torch.Size([2, 12, 3])
    """

    def __init__(
        self,
        horizon: int,
        n_channels: int,
        core: LinearCore | None = None,
        *,
        encoder: str = "transformer",
        input_length: int = 96,
        memory: str = "history",
        memory_depth: int = 432,
        row_length: int = 24,
        n_components: int = 5,
        memory_tokens: int = 4,
        token_mixer: str = "factorized",
        memory_options: Mapping[str, Any] | None = None,
        d_model: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
        d_ff: int | None = None,
        patch_length: int = 16,
        dropout: float = 0.1,
    ):
        super().__init__()
        if memory not in MEMORIES:
            raise ValueError(f"got memory={memory!r}; pass one of {', '.join(map(repr, MEMORIES))}")
        state_size = encoder_entry(encoder).state_size(d_model, min(patch_length, input_length))
        self.horizon = horizon
        self.core = core
        self.input_length = input_length
        self.row_length = row_length
        self.row_steps = row_length or min(patch_length, input_length)
        self.history_length = 0
        self.memory: KLMemory | None = None
        if memory != "none":
            options: dict[str, Any] = {
                "source": memory,
                "memory_depth": memory_depth,
                "n_components": n_components,
                "memory_tokens": memory_tokens,
                "token_mixer": token_mixer,
                "dropout": dropout,
                "state_size": state_size,
            }
            if memory == "history":
                n_rows = _count_rows(memory_depth, input_length, self.row_steps)
                self.history_length = n_rows * self.row_steps
                options |= {"memory_depth": n_rows, "state_size": row_length or state_size}
                options["center"] = False  # the mean over cycles of one period is the mean cycle
            self.memory = KLMemory(d_model, **{**options, **(memory_options or {})})
        sizes = Sizes(
            horizon=horizon,
            n_channels=n_channels,
            input_length=input_length,
            memory_tokens=self.memory.memory_tokens if self.memory else 0,
            d_model=d_model,
            n_layers=n_layers,
            n_heads=n_heads,
            d_ff=d_ff,
            patch_length=patch_length,
            dropout=dropout,
            period=max(1, row_length),
        )
        self.encoder = build_encoder(encoder, sizes)
        self.gate = nn.Parameter(torch.full((n_channels,), 1.0 if core is None else 0.0))

    @property
    def depth(self) -> int:
        """Steps of the past that a forecast reads."""
        of_core = 0 if self.core is None else self.core.depth
        return max(of_core, self.history_length + self.input_length)

    def forward(self, past: Tensor) -> Tensor:
        """Forecast from the past; nothing is written.

        Parameters
        ----------
        past : Tensor of shape (n, time, c)
            At least `depth` steps before the cutoff; only the last `depth` count.

        Returns
        -------
        Tensor of shape (n, horizon, c)
        """
        return self.parts(past).forecast

    def parts(self, past: Tensor) -> ForecastParts:
        """Forecast, and say what the forecast is made of; see `forward`."""
        if past.shape[1] < self.depth:
            raise ValueError(
                f"got a past of {past.shape[1]} steps; pass the {self.depth} before the cutoff"
            )
        history, window, level, scale = self._normalise(past)
        tokens = None
        if self.memory is not None:
            # Of what a trajectory is given, only the number of sequences counts.
            nothing = window.new_zeros(len(window), 1, self.memory.state_size)
            tokens = self.memory(self._rows(history) if self.history_length else nothing)
        n_channels = past.shape[2]
        forecast, encoded = self.encoder(window.unflatten(0, (-1, n_channels)), tokens)
        correction = _channels_last(forecast.flatten(0, 1) * scale, n_channels)
        base = (
            _channels_last(level, past.shape[2])
            if self.core is None
            else self.core(past[:, -self.core.depth :])
        )
        return ForecastParts(base + self.gate * correction, base, encoded)

    @torch.no_grad()
    def absorb(self, past: Tensor, future: Tensor) -> None:
        """Hand training windows to the encoder, for statistics of it that are not trained.

        Parameters
        ----------
        past : Tensor of shape (n, time, c)
            As for `forward`.
        future : Tensor of shape (n, horizon, c)
        """
        _, window, level, scale = self._normalise(past)
        ahead = (future.mT.flatten(0, 1) - level) / scale
        shape = (-1, past.shape[2])
        self.encoder.absorb(window.unflatten(0, shape), ahead.unflatten(0, shape))

    def histories(self, past: Tensor) -> Tensor:
        """Rows of the history of each channel, as the history source of a memory is written.

        Parameters
        ----------
        past : Tensor of shape (n, time, c)
            As for `forward`.

        Returns
        -------
        Tensor of shape (n c, T, row_length or state size)
        """
        return self._rows(self._normalise(past)[0])

    def _normalise(self, past: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        sequences = past.mT.flatten(0, 1)[:, -self.history_length - self.input_length :]
        level, scale = instance_statistics(sequences[:, -self.input_length :])
        normalised = (sequences - level) / scale
        history, window = normalised.split([self.history_length, self.input_length], dim=1)
        return history, window, level, scale

    def _rows(self, history: Tensor) -> Tensor:  # (n c, T row_steps) -> (n c, T, state size)
        rows = history.unflatten(1, (-1, self.row_steps))
        if self.row_length:
            return rows
        # Each patch by itself: an encoder whose patches overlap would cut more than T out of a run.
        return self.encoder.embed(rows.flatten(0, 1)).unflatten(0, rows.shape[:2]).squeeze(2)


def _count_rows(memory_depth: int, input_length: int, row_steps: int) -> int:
    n_rows = (memory_depth - input_length) // row_steps
    if n_rows < 1:
        raise ValueError(
            f"got memory_depth={memory_depth}, which leaves no row of {row_steps} steps before a "
            f"window of {input_length}; pass at least {input_length + row_steps}"
        )
    return n_rows


def _channels_last(values: Tensor, n_channels: int) -> Tensor:  # (n c, steps) -> (n, steps, c)
    return values.unflatten(0, (-1, n_channels)).mT

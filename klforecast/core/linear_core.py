"""The linear core as a torch module: recent steps and Karhunen-Loeve components of the history, and one readout.

    forecast = W [ past[-recent:] ; Psi' past[:-recent] ] + b

A mixture of linear experts is itself linear, so whatever the experts were, this is all that remains of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from klforecast.ops.checks import require_depth


class Mixture(NamedTuple):
    """Where a solved core comes from.

    Attributes
    ----------
    experts : tuple of str
        What each expert is.
    segments : tuple of int
        Steps ahead at which the segments of the horizon end.
    weights : Tensor of shape (channels, segments, experts)
        Share of each expert; they sum to one over the experts.
    """

    experts: tuple[str, ...]
    segments: tuple[int, ...]
    weights: Tensor


class LinearCore(nn.Module):
    """Linear map from the last `depth` steps to the next `horizon` steps.

    Parameters
    ----------
    modes : Tensor of shape (depth - recent, n_modes)
        Karhunen-Loeve modes of the history before the recent steps; a buffer, never trained.
    weight : Tensor of shape (maps, horizon, recent + n_modes)
        The readout: one map for all channels, or one for each.
    bias : Tensor of shape (maps, horizon)
    blocks : sequence of pairs of slices, optional
        Rows and columns of `modes` that are not zero, in the order of the columns; None is all of it.
        A mode of one block of the history costs the steps of that block and not the whole depth.
    mixture : Mixture, optional
        The experts behind the weight, for reports; the forecast does not need them.

    Examples
    --------
    >>> import torch
    >>> persistence = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    >>> core = LinearCore(torch.zeros(0, 0), persistence, torch.zeros(1, 2))
    >>> core(torch.tensor([[[5.0], [7.0]]])).squeeze().tolist()
    [7.0, 7.0]
    """

    modes: Tensor

    def __init__(
        self,
        modes: Tensor,
        weight: Tensor,
        bias: Tensor,
        blocks: Sequence[tuple[slice, slice]] | None = None,
        mixture: Mixture | None = None,
    ):
        super().__init__()
        self.register_buffer("modes", modes)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)
        self.blocks = [(slice(None), slice(None))] if not blocks else list(blocks)
        self.mixture = mixture

    @property
    def recent(self) -> int:
        """Number of last steps that enter as they are."""
        return self.weight.shape[2] - self.modes.shape[1]

    @property
    def depth(self) -> int:
        """Number of steps that the forecast looks back."""
        return self.recent + self.modes.shape[0]

    @property
    def reads_components(self) -> bool:
        """Whether a forecast depends on components of the history; the first mode of a block is its level."""
        of_history = self.weight[..., self.recent :]
        return any(bool(of_history[..., columns][..., 1:].any()) for _, columns in self.blocks)

    @property
    def horizon(self) -> int:
        """Number of steps that are forecast."""
        return self.weight.shape[1]

    def components(self, past: Tensor) -> Tensor:
        """Components of the history: what the memory hands to the readout.

        Parameters
        ----------
        past : Tensor of shape (batch, depth, channels)

        Returns
        -------
        Tensor of shape (batch, channels, n_modes)
        """
        history = past[:, : self.modes.shape[0]].transpose(1, 2)
        return torch.cat(
            [history[..., rows] @ self.modes[rows, columns] for rows, columns in self.blocks],
            dim=-1,
        )

    def forward(
        self, past: Tensor
    ) -> Tensor:  # (batch, depth, channels) -> (batch, horizon, channels)
        """Forecast of every window and channel.

        Raises
        ------
        ValueError
            If the past has another number of steps than `depth`.
        """
        require_depth(past, self.depth)
        recent = past[:, self.modes.shape[0] :].transpose(1, 2)
        inputs = torch.cat([recent, self.components(past)], dim=-1).transpose(0, 1)
        forecast = inputs @ self.weight.mT + self.bias[:, None]  # (channels, batch, horizon)
        return forecast.permute(1, 2, 0)

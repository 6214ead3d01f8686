"""One training shared out among the processes that `accelerate launch` or `torchrun` has started.

    loss      = sum_p n_p / n loss_p            process p has n_p of the n windows of a batch
    gradient  = sum_p n_p / n gradient_p        added up over processes, so that all take the same step

Every process reads all series and draws the same order of windows; it computes its share of each batch, and of the
windows that validate. Without dropout two processes so equal one, up to the order of sums; dropout is drawn by
each process for its share. Needs Accelerate (`pip install klforecast[lra]`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")

ACCELERATE = "accelerate"
"""Name of the device that stands for those of the launched processes."""


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this one is.

    Attributes
    ----------
    place, count : int
    device : str
        What this one computes on.
    """

    place: int = 0
    count: int = 1
    device: str = "cpu"

    @classmethod
    def launched(cls) -> Self:
        """Those that a launcher has started; one where none has.

        Raises
        ------
        ImportError
            If Accelerate is not installed.
        """
        try:
            from accelerate import PartialState
        except ImportError as error:
            raise ImportError(
                "device='accelerate' needs Accelerate: pip install klforecast[lra]"
            ) from error
        # Left to itself, it joins processes on accelerators alone.
        state = PartialState(
            cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available())
        )
        # "cpu:0" is a device that pickles cannot be read for.
        device = "cpu" if state.device.type == "cpu" else str(state.device)
        return cls(state.process_index, state.num_processes, device)

    def own_part(self, batch: Sequence[Tensor]) -> tuple[list[Tensor], float]:
        """Windows of a batch that this process computes, and what they weigh in it.

        Of fewer windows than processes everybody computes all.

        Examples
        --------
        >>> batch = [torch.arange(5)]
        >>> [Processes(place, 2).own_part(batch) for place in (0, 1)]
        [([tensor([0, 1, 2])], 0.6), ([tensor([3, 4])], 0.4)]
        """
        windows = len(batch[0])
        if windows < self.count:
            return list(batch), 1 / self.count
        parts = [part.tensor_split(self.count)[self.place] for part in batch]
        return parts, len(parts[0]) / windows

    def own_items(self, items: Iterable[Item]) -> Iterator[Item]:
        """Every so-manieth of some items.

        Examples
        --------
        >>> [list(Processes(place, 2).own_items("abcde")) for place in (0, 1)]
        [['a', 'c', 'e'], ['b', 'd']]
        """
        return islice(items, self.place, None, self.count)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one type by their sums over all processes."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).to(self.device)
        torch.distributed.all_reduce(flat)
        sizes = [tensor.numel() for tensor in tensors]
        for tensor, total in zip(tensors, flat.split(sizes), strict=True):
            tensor.copy_(total.reshape(tensor.shape))

"""Gradients for the writer of a trajectory: its newest summaries, computed once more.

    C = stored C + S' Z - stop_gradient(S' Z)        value of the stored components, gradient of Z

What a trajectory stores has no graph: a summary is written after the gradients of its step are taken.
The states of the newest batches are kept until they are read, so that their summaries Z can be
computed again with the weights of the writer, and the slopes S of the components in those rows hand
the gradient on. Older rows get none.

Letters   m newest batches   k components   d features   C (k, d)   S (m, k)   Z (m, d)
"""

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from klforecast.ops.precision import like

# Batches whose summaries are computed again at every read: a few, since each costs a pass of the writer.
_NEWEST = 8


class NewestWrites:
    """States of the newest batches, and of those that the present components come from.

    Examples
    --------
    >>> writes = NewestWrites()
    >>> writes.note(torch.ones(2, 3, 4), decomposed=True)
    >>> weight = torch.ones(4, requires_grad=True)
    >>> def summary(states):
    ...     return (states * weight).mean(dim=(0, 1))[None]
    >>> stored = torch.zeros(1, 5, 4)
    >>> read = writes.with_gradient(stored, torch.ones(1, 5), summary)
    >>> bool(read.any()), torch.autograd.grad(read.sum(), weight)[0].tolist()
    (False, [5.0, 5.0, 5.0, 5.0])
    """

    def __init__(self) -> None:
        self._newest: deque[Tensor] = deque(maxlen=_NEWEST)
        self._decomposed: list[Tensor] = []

    def note(self, states: Tensor, decomposed: bool) -> None:
        """Keep the states of a batch; `decomposed` says that components of all rows were just made."""
        self._newest.append(states.detach())
        if decomposed:
            self._decomposed = list(self._newest)

    def with_gradient(
        self,
        stored: Tensor,  # (1, k, d)
        slopes: Tensor,  # (T, k)
        summary: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Return the stored components, with the gradient of their newest summaries.

        Parameters
        ----------
        stored : Tensor of shape (1, k, d)
        slopes : Tensor of shape (T, k)
            Derivative of each component by each row, the newest last.
        summary : callable
            From the states of a batch to its summary, (1, d).
        """
        if not self._decomposed:
            return stored
        summaries = torch.cat([summary(states) for states in self._decomposed])
        part = like(slopes[-len(summaries) :], summaries).mT @ summaries
        return stored + (part - part.detach())

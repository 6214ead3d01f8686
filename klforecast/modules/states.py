"""States that a module gathers from data and does not learn: held in one precision, whatever is cast.

`.half()`, `.bfloat16()`, `.float()`, `.double()` and `.to(dtype)` cast weights, and with them torch
casts every buffer. A count, a running covariance or its modes would be rounded with them, once and
for all: a count in bfloat16 ends at 256. So a state is float64 always, and cast where it is read. It
moves with its module, and stays on the CPU for a device that has no float64. It is a floating point
number whatever it stands for: averages over models (EMA) are taken of every buffer.
"""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from klforecast.ops.linalg import require_finite
from klforecast.ops.precision import exact, exact_device, like


class StatefulModule(nn.Module):
    """Module with states: buffers that move with it, keep their precision and are written as one.

    A subclass registers each with `register_state`, computes from them in
    `klforecast.ops.precision.exact` and hands all that is new to `write`.

    Examples
    --------
    >>> module = StatefulModule()
    >>> module.register_state("total", torch.zeros(()))
    >>> module.bfloat16().total.dtype
    torch.float64
    """

    def __init__(self) -> None:
        super().__init__()
        self._states: list[str] = []

    def register_state(self, name: str, value: Tensor) -> None:
        """Register a buffer of floating point numbers that casts leave alone."""
        self._states.append(name)
        self.register_buffer(name, exact(value))

    @torch.no_grad()
    def write(self, **values: Tensor) -> None:
        """Overwrite states, all of them or none.

        Raises
        ------
        ValueError
            If a value is not finite, as after an overflow.
        """
        for name, value in values.items():
            require_finite(value, f"the new {name}")
        for name, value in values.items():
            state = getattr(self, name)
            state.copy_(like(value, state))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        kept: dict[str, Tensor] = {name: getattr(self, name) for name in self._states}
        # In float32 a copy can go to any device; only where it goes is looked at.
        self._buffers.update({name: state.float() for name, state in kept.items()})
        try:
            super()._apply(fn, recurse)
            devices = {name: getattr(self, name).device for name in kept}
        finally:
            self._buffers.update(kept)
        self._buffers.update({name: moved(kept[name], devices[name]) for name in kept})
        return self


def in_double(module: nn.Module) -> nn.Module:
    """Turn a module into float64, and move it to the CPU if its device has none of it.

    Examples
    --------
    >>> in_double(nn.Linear(2, 3)).weight.dtype
    torch.float64
    """
    device = next(module.parameters()).device
    return module.to(exact_device(device)).double()


def moved(state: Tensor, device: torch.device) -> Tensor:
    """Return a state of a module that is on `device`; of one that had no numbers, its shape."""
    home = exact_device(device)
    return torch.empty_like(state, device=home) if state.is_meta else state.to(home)

"""In which precision things are computed and held, whatever a module was cast to.

exact      statistics and decompositions, and the states that modules gather: float64, on the CPU
           for a device that has none of it
working    recurrences and transforms of activations: float32 at least, outside of autocast

Weights and activations follow casts of their module; nothing here concerns them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

# Apple's graphics processors know no double precision.
_WITHOUT_FLOAT64 = frozenset({"mps"})
_HALF = (torch.float16, torch.bfloat16)


def exact_device(device: torch.device) -> torch.device:
    """Where float64 is at hand for what lies on `device`: there, or else on the CPU."""
    return torch.device("cpu") if device.type in _WITHOUT_FLOAT64 else device


def exact(values: Tensor) -> Tensor:
    """The same numbers in float64, or complex128.

    Parameters
    ----------
    values : Tensor
        Real or complex, of any shape, on any device.

    Returns
    -------
    Tensor
        On the device of `values`, or on the CPU where that device has no float64. Differentiable.

    Examples
    --------
    >>> exact(torch.ones(2, dtype=torch.bfloat16))
    tensor([1., 1.], dtype=torch.float64)
    """
    values = values.to(exact_device(values.device))
    return values.to(torch.complex128 if values.is_complex() else torch.float64)


def like(values: Tensor, other: Tensor) -> Tensor:
    """Return `values` in the dtype and on the device of `other`."""
    if values.device.type in _WITHOUT_FLOAT64:
        values = values.to(other.device)
    # Rounded before they go to a device that may not have the precision they come in.
    return values.to(other.dtype).to(other.device)


def working(values: Tensor) -> Tensor:
    """The same numbers in float32 if they are of half precision, and else as they are."""
    return values.float() if values.dtype in _HALF else values


def in_working_precision(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Let a kernel compute in float32 at least, under autocast and on half precision too.

    Half precision has neither triangular solves nor Fourier transforms of any length, and sums of
    logarithms over a sequence lose what they stand for.

    Parameters
    ----------
    kernel : callable
        Its first argument is a tensor. Tensors among the arguments, and in tuples of them, are
        raised to float32 where they are below. Its results stay in that precision.

    Examples
    --------
    >>> total = in_working_precision(torch.cumsum)
    >>> total(torch.full((4,), 0.1, dtype=torch.bfloat16), dim=0).dtype
    torch.float32
    """

    @wraps(kernel)
    def run(first: Tensor, *terms: Any, **options: Any) -> Any:
        with torch.autocast(first.device.type, enabled=False):
            return kernel(
                working(first),
                *map(_raised, terms),
                **{name: _raised(value) for name, value in options.items()},
            )

    return run


def _raised(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_raised, value))
    return working(value) if isinstance(value, Tensor) else value

"""A device without double precision, for tests on a machine that has none: Apple's, as torch sees it.

    with device_without_float64(): y = move(module)(to_device(x))

The numbers lie on the CPU, in `held`. Any tensor of float64 on the device is an error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("mps")
_CPU = torch.device("cpu")
# What a tensor says of itself; all else is computed with its numbers.
_ABOUT = {
    "device",
    "dtype",
    "shape",
    "requires_grad",
    "requires_grad_",
    "is_leaf",
    "grad_fn",
    "grad",
    "detach",
    "data",
    "layout",
    "is_meta",
    "ndim",
    "__class__",
}
_TOO_WIDE = (torch.float64, torch.complex128)


class OnDevice(torch.Tensor):
    """A tensor that says it is on the device."""

    @staticmethod
    def __new__(cls, held: torch.Tensor):
        if held.dtype in _TOO_WIDE:
            raise TypeError(f"{held.dtype} on a device that has none")
        wrapper = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=DEVICE
        )
        wrapper.held = held
        return wrapper

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.detach.default:
            return OnDevice(args[0].held)
        raise RuntimeError(f"{function} outside of the device's context")


class device_without_float64(TorchFunctionMode):
    """Within it torch computes on the device where its tensors are, or where it is told to be."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = tree_leaves((args, kwargs))
        here = [leaf for leaf in given if isinstance(leaf, OnDevice)]
        told = [leaf for leaf in given if isinstance(leaf, torch.device)]
        name = getattr(function, "__name__", "")
        if name == "__get__":
            name = function.__self__.__name__
        if not (here or told) or name in _ABOUT:
            return function(*args, **kwargs)
        args, kwargs = tree_map(_on_cpu, (args, kwargs))
        outcome = function(*args, **kwargs)
        if name == "cpu" or _CPU in told:
            return outcome
        wrappers = {id(wrapper.held): wrapper for wrapper in here}
        return tree_map(lambda value: wrappers.get(id(value), to_device(value)), outcome)


def move(module: torch.nn.Module) -> torch.nn.Module:
    """Put a module on the device, as ``module.to(DEVICE)`` would."""
    with parameters_replaced():
        return module._apply(to_device)


@contextmanager
def parameters_replaced() -> Iterator[None]:
    """Within it a module that goes to another device gets new parameters, as a wrapper needs."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)


def to_device(value: Any) -> Any:
    """Put a tensor on the device, and leave anything else as it is."""
    plain = isinstance(value, torch.Tensor) and not isinstance(value, OnDevice)
    return OnDevice(value.detach()) if plain else value


def unwrapped(value: Any) -> Any:
    """Return the numbers of a tensor on the device, and anything else as it is."""
    return value.held if isinstance(value, OnDevice) else value


def _on_cpu(value: Any) -> Any:
    return _CPU if isinstance(value, torch.device) and value == DEVICE else unwrapped(value)

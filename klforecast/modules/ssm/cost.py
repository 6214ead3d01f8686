"""What a network over sequences costs: parameters and floating point operations."""

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def n_parameters(module: nn.Module) -> int:
    """Number of trainable numbers; shared ones count once."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def flops(module: nn.Module, x: Tensor) -> int:
    """Floating point operations of a forward pass over `x`.

    Counted by `torch.utils.flop_counter`: matrix products and attention, not element-wise work and
    not the FFTs of time-invariant layers.
    """
    training = module.training
    module.eval()
    try:
        # The counter knows no fused attention on the CPU; the plain one has the same products.
        plain = sdpa_kernel(SDPBackend.MATH)
        with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
            module(x)
    finally:
        module.train(training)
    return counter.get_total_flops()


def n_steps(x: Tensor) -> int:
    """Steps of all sequences of a batch: token ids, or real numbers with channels at the end."""
    return x.numel() // x.shape[-1] if x.is_floating_point() else x.numel()


def flops_per_token(module: nn.Module, x: Tensor) -> float:
    """Floating point operations of a forward pass over `x` per step of its sequences; see `flops`.

    Examples
    --------
    >>> flops_per_token(nn.Linear(3, 2), torch.zeros(1, 10, 3))
    12.0
    """
    return flops(module, x) / n_steps(x)

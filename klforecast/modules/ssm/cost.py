"""What a network over sequences costs: parameters and floating point operations."""

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def n_parameters(module: nn.Module) -> int:
    """Number of trainable numbers; shared ones count once."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def flops_per_token(
    module: nn.Module,  # takes (1, length, n_channels), or token ids (1, length)
    length: int,
    n_channels: int | None = None,
) -> float:
    """Floating point operations of a forward pass over one sequence, per step of it.

    Counted by `torch.utils.flop_counter`: matrix products and attention, not element-wise work and
    not the FFTs of time-invariant layers.

    Parameters
    ----------
    module : nn.Module
        `SpectralSSM` or one of its heads.
    length : int
        Steps of the sequence.
    n_channels : int, default=None
        Channels of real sequences; None for token ids.
    """
    x = (
        torch.zeros(1, length, dtype=torch.long)
        if n_channels is None
        else torch.zeros(1, length, n_channels)
    )
    return flops(module, x) / length


def flops(module: nn.Module, x: Tensor) -> int:
    """Floating point operations of a forward pass over `x`, counted as by `flops_per_token`."""
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

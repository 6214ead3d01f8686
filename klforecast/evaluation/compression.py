"""What a trained spectral network loses when it keeps only some of its modes, and what it saves."""

import copy
from collections.abc import Callable, Sequence

import pandas as pd
import torch
from torch import Tensor

from klforecast.evaluation.network_cost import tokens_per_second
from klforecast.modules.ssm_cost import flops_per_token, n_parameters
from klforecast.modules.ssm_heads import SequencePredictor
from klforecast.modules.ssm_layer import SpectralLayer
from klforecast.modules.ssm_mask import ModeMask


def rank_modes(
    layer: SpectralLayer,
    mask: str,
    x: Tensor,  # (batch, length, d_model), what the layer receives
    generator: torch.Generator,
) -> Tensor:  # (n_modes,)
    """Indices of a layer's modes, the ones to keep first.

    Parameters
    ----------
    layer : SpectralLayer
        Layer with all of its modes.
    mask : {"low_pass", "random", "energy", "learned"}
        Slowest first; in random order; by what each adds to the output for `x`; or by the logits of
        an adaptive mask.
    x : Tensor (batch, length, d_model)
        Input of the layer, for "energy".
    generator : torch.Generator
        For "random".
    """
    if mask == "low_pass":
        return layer.core.turning().argsort()
    if mask == "random":
        return torch.randperm(layer.core.n_modes, generator=generator)
    if mask == "energy":
        return layer.mode_energy(x).argsort(descending=True)
    if mask == "learned":
        if layer.mask.logits is None:
            raise ValueError("the layer has learned no mask; train it with adaptive_mask=True")
        return layer.mask.logits.argsort(descending=True)
    raise ValueError(f"mask is {mask!r}; pass 'low_pass', 'random', 'energy' or 'learned'")


def compressed_copy(
    model: SequencePredictor,
    ratio: float,
    mask: str,
    x: Tensor,  # (batch, length, n_channels)
    generator: torch.Generator,
) -> SequencePredictor:
    """Copy of a model in which every layer keeps a share of its modes; `x` is for "energy"."""
    received = _layer_inputs(model, x)
    model = copy.deepcopy(model)
    for layer, inputs in zip(model.backbone.spectral_layers, received, strict=True):
        n_kept = ModeMask(layer.core.n_modes, ratio).n_kept
        layer.mask.choose(rank_modes(layer, mask, inputs, generator)[:n_kept])
    model.backbone.compress()
    return model


def compression_curve(
    model: SequencePredictor,
    x: Tensor,  # (batch, length, n_channels)
    score: Callable[[SequencePredictor], float],
    ratios: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 1.0),
    masks: Sequence[str] = ("low_pass", "random", "energy"),
    seed: int = 0,
) -> pd.DataFrame:
    """Score and cost of a trained model for every kind of mask and every share of modes.

    Parameters
    ----------
    model : SequencePredictor
        Trained model; it is left as it is.
    x : Tensor (batch, length, n_channels)
        Training sequences: the energy mask looks at them, and the speed is measured on them.
    score : callable
        From a model to a number, the accuracy on a test part, say.
    ratios : sequence of float
        Shares of modes to keep.
    masks : sequence of str
        Kinds of `rank_modes`.
    seed : int, default=0
        For the random mask.

    Returns
    -------
    DataFrame
        One row per mask and ratio: score, n_parameters, flops_per_token, tokens_per_second.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for mask in masks:
        for ratio in ratios:
            small = compressed_copy(model, ratio, mask, x, generator).eval()
            rows.append(
                {
                    "mask": mask,
                    "ratio": ratio,
                    "score": score(small),
                    "n_parameters": n_parameters(small),
                    "flops_per_token": flops_per_token(small, x.shape[1], x.shape[2]),
                    "tokens_per_second": tokens_per_second(small, x),
                }
            )
    return pd.DataFrame(rows)


@torch.no_grad()
def _layer_inputs(model: SequencePredictor, x: Tensor) -> list[Tensor]:
    received: list[Tensor] = []
    handles = [
        layer.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
        for layer in model.backbone.spectral_layers
    ]
    training = model.training
    try:
        model.eval()(x)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return received

"""What a trained spectral network loses when it keeps only some of its modes, and what it saves."""

import copy
from collections.abc import Callable, Sequence

import pandas as pd
import torch
from torch import Tensor

from klforecast.evaluation.lra.speed import tokens_per_second
from klforecast.modules.ssm.cost import flops_per_token, n_parameters
from klforecast.modules.ssm.heads import SequencePredictor
from klforecast.modules.ssm.layer import SpectralLayer
from klforecast.modules.ssm.mask import ModeMask
from klforecast.modules.ssm.pair import PairPredictor

Predictor = SequencePredictor | PairPredictor


def rank_modes(
    layer: SpectralLayer,
    mask: str,
    x: Tensor,  # (batch, length, d_model), what the layer receives
    generator: torch.Generator,
    observed: Tensor | None = None,  # (batch, length), False where padded
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
    observed : Tensor (batch, length), default=None
        What of `x` is no padding, for "energy".
    """
    if mask == "low_pass":
        return layer.core.turning().argsort()
    if mask == "random":
        return torch.randperm(layer.core.n_modes, generator=generator)
    if mask == "energy":
        return layer.mode_energy(x, observed).argsort(descending=True)
    if mask == "learned":
        if layer.mask.logits is None:
            raise ValueError("the layer has learned no mask; train it with adaptive_mask=True")
        return layer.mask.logits.argsort(descending=True)
    raise ValueError(f"mask is {mask!r}; pass 'low_pass', 'random', 'energy' or 'learned'")


def compressed_copy(
    model: Predictor,
    ratio: float,
    mask: str,
    x: Tensor,
    generator: torch.Generator,
    observed: Tensor | None = None,
) -> Predictor:
    """Copy of a model in which every layer keeps a share of its modes; `x` is for "energy"."""
    received = _layer_inputs(model, x, observed)
    model = copy.deepcopy(model)
    for layer, inputs in zip(model.backbone.spectral_layers, received, strict=True):
        n_kept = ModeMask(layer.core.n_modes, ratio).n_kept
        order = rank_modes(layer, mask, inputs[0], generator, inputs[1])
        layer.mask.choose(order[:n_kept])
    model.backbone.compress()
    return model


def compression_curve(
    model: Predictor,
    x: Tensor,
    score: Callable[[Predictor], float],
    ratios: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 1.0),
    masks: Sequence[str] = ("low_pass", "random", "energy"),
    seed: int = 0,
    observed: Tensor | None = None,
) -> pd.DataFrame:
    """Score and cost of a trained model for every kind of mask and every share of modes.

    Parameters
    ----------
    model : SequencePredictor or PairPredictor
        Trained model; it is left as it is.
    x : Tensor (batch, length, n_channels), or token ids (batch, length); or pairs of these
        Training sequences: the energy mask looks at them, and the speed is measured on them.
    score : callable
        From a model to a number, the accuracy on a test part, say.
    ratios : sequence of float
        Shares of modes to keep.
    masks : sequence of str
        Kinds of `rank_modes`.
    seed : int, default=0
        For the random mask.
    observed : Tensor (batch, length), default=None
        What of `x` is no padding; None for all.

    Returns
    -------
    DataFrame
        One row per mask and ratio: score, n_parameters, flops_per_token, tokens_per_second.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for mask in masks:
        for ratio in ratios:
            small = compressed_copy(model, ratio, mask, x, generator, observed).eval()
            rows.append(
                {
                    "mask": mask,
                    "ratio": ratio,
                    "score": score(small),
                    "n_parameters": n_parameters(small),
                    "flops_per_token": flops_per_token(small, x[:1]),
                    "tokens_per_second": tokens_per_second(small, x),
                }
            )
    return pd.DataFrame(rows)


@torch.no_grad()
def _layer_inputs(
    model: Predictor, x: Tensor, observed: Tensor | None
) -> list[tuple[Tensor, Tensor | None]]:
    received: list[tuple[Tensor, Tensor | None]] = []
    handles = [
        layer.register_forward_pre_hook(lambda _, inputs: received.append(inputs))
        for layer in model.backbone.spectral_layers
    ]
    training = model.training
    try:
        model.eval()(x, observed)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return received

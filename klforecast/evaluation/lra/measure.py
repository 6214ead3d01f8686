"""What a trained network costs: speed, memory, each layer's share, and accuracy after compression.

All of it is measured on the CPU with one thread, on sequences of the training part; accuracies are
those of the test part.
"""

import copy
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from klforecast.evaluation import machine
from klforecast.evaluation.lra.compression import Predictor, compression_curve
from klforecast.evaluation.lra.parts import Sequences
from klforecast.evaluation.lra.speed import tokens_per_second
from klforecast.modules.ssm.cost import n_parameters, n_steps
from klforecast.modules.ssm.spectral_ssm import SpectralBlock

MASKS = ("low_pass", "random", "energy", "learned")
_LOOKED_AT = 64  # training sequences; the speed per step of more is the same to a few per cent


class Measures(NamedTuple):
    """What to measure besides the accuracy."""

    throughput: bool = False
    memory: bool = False
    layers: bool = False
    compression_ratios: tuple[float, ...] = ()

    def without(self, row: Mapping[str, Any]) -> "Measures":
        """What of this the row of a run does not hold yet."""
        ratios = {point["ratio"] for point in row["compression"] or ()}
        return Measures(
            self.throughput and row["throughput"] is None,
            self.memory and row["memory"] is None,
            self.layers and row["layers"] is None,
            tuple(ratio for ratio in self.compression_ratios if ratio not in ratios),
        )


NOTHING = Measures()


def measure(
    model: Predictor,
    rebuild: Callable[[], nn.Module],
    train: Sequences,
    test: Sequences,
    batch_size: int,
    measures: Measures,
    seed: int,
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield what is asked for, by the name of its field in the row, as functions that measure it.

    Parameters
    ----------
    model : SequencePredictor or PairPredictor
        Trained network; it is left as it is.
    rebuild : callable
        Makes an untrained network of this shape in another process, for the memory.
    train, test : Sequences
        Parts of the task.
    batch_size : int
        Sequences per batch, for the memory and the accuracy.
    measures : Measures
        What to measure.
    seed : int
        For the random mask.
    """
    model = copy.deepcopy(model).cpu().eval()
    inputs, _ = train.__getitems__(range(min(_LOOKED_AT, len(train))))
    x = inputs["x"]
    if measures.throughput:
        yield "throughput", partial(_throughput, model, x)
    if measures.memory:
        yield "memory", partial(_memory, rebuild, x[:batch_size])
    if measures.layers:
        yield "layers", partial(profile_layers, model, x)
    if measures.compression_ratios:
        learned = all(layer.mask.logits is not None for layer in model.backbone.spectral_layers)

        def compression() -> list[dict[str, Any]]:
            curve = compression_curve(
                model,
                x,
                lambda small: accuracy(small, test, batch_size),
                measures.compression_ratios,
                MASKS if learned else tuple(mask for mask in MASKS if mask != "learned"),
                seed,
                observed=inputs.get("mask"),
            )
            return curve.rename(columns={"score": "accuracy"}).to_dict("records")

        yield "compression", compression


def _throughput(model: Predictor, x: Tensor) -> dict[str, Any]:
    return {
        "tokens_per_second": tokens_per_second(model, x),
        "sequences": len(x),
        "steps": n_steps(x),
    }


@torch.no_grad()
def accuracy(model: nn.Module, part: Sequences, batch_size: int) -> float:
    """Share of the sequences that the model answers right."""
    n_right = 0
    for start in range(0, len(part), batch_size):
        inputs, labels = part.__getitems__(range(start, min(start + batch_size, len(part))))
        n_right += int((model(**inputs).argmax(dim=1) == labels).sum())
    return n_right / len(part)


def profile_layers(model: Predictor, x: Tensor, repeats: int = 3) -> list[dict[str, Any]]:
    """Milliseconds of CPU time, operations and parameters of each layer in a forward pass.

    Parameters
    ----------
    model : SequencePredictor or PairPredictor
        Network.
    x : Tensor
        A batch of inputs.
    repeats : int, default=3
        Passes; the fastest counts, layer by layer.

    Returns
    -------
    list of dict
        layer, milliseconds, share (of all layers' time), flops (see `modules.ssm.cost.flops`), n_parameters.
    """
    names = {module: name for name, module in model.named_modules()}
    backbone = model.backbone
    layers: list[nn.Module] = [backbone.embedding]
    for block in backbone.blocks:
        assert isinstance(block, SpectralBlock)
        layers += [block.mixer, block.mlp]
    began: dict[nn.Module, float] = {}
    seconds: dict[nn.Module, list[float]] = {layer: [] for layer in layers}

    def begin(layer: nn.Module, _: Any) -> None:
        began[layer] = time.process_time()

    def end(layer: nn.Module, _: Any, __: Any) -> None:
        seconds[layer].append(time.process_time() - began[layer])

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    handles = [layer.register_forward_pre_hook(begin) for layer in layers]
    handles += [layer.register_forward_hook(end) for layer in layers]
    try:
        with torch.no_grad():
            for _ in range(repeats + 1):  # the first pass pays for allocations
                model(x)
    finally:
        torch.set_num_threads(threads)
        for handle in handles:
            handle.remove()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    counts = {
        name.partition(".")[2]: sum(of.values()) for name, of in counter.get_flop_counts().items()
    }
    fastest = {layer: min(seconds[layer][1:]) for layer in layers}
    total = sum(fastest.values())
    return [
        {
            "layer": names[layer],
            "milliseconds": 1000 * fastest[layer],
            "share": fastest[layer] / total,
            "flops": counts.get(names[layer], 0),
            "n_parameters": n_parameters(layer),
        }
        for layer in layers
    ]


def _memory(rebuild: Callable[[], nn.Module], x: Tensor) -> dict[str, Any]:
    """Growth of a fresh process's peak memory in a pass without and with gradients, in MiB."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        # numpy goes by value, where a tensor would need shared memory.
        inference, training = pool.submit(_peaks, rebuild, x.numpy()).result()
    return {"inference_mib": inference, "training_mib": training, "batch": len(x)}


def _peaks(rebuild: Callable[[], nn.Module], x: Any) -> tuple[float | None, float | None]:
    torch.set_num_threads(1)
    model, batch = rebuild().eval(), torch.from_numpy(x)

    def infer() -> None:
        with torch.no_grad():
            model(batch)

    def train() -> None:
        logits = model(batch)
        F.cross_entropy(logits, torch.zeros(len(batch), dtype=torch.long)).backward()

    model(batch[:1]).sum().backward()  # loads what is loaded once
    return _growth(infer), _growth(train)


def _growth(run: Callable[[], None]) -> float | None:
    machine.reset_peak_memory()
    before = machine.peak_memory_mb()
    run()
    after = machine.peak_memory_mb()
    return None if before is None or after is None else after - before

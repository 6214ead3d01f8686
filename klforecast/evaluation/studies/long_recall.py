"""A task that no window can solve: name a shape that was shown long before it.

    python -m klforecast.evaluation.studies.long_recall --out docs/results/long_recall.jsonl

A sequence begins with one of four shapes over 24 steps; noise follows, and the last 48 of all 264
steps are the window of the encoder. What comes before the window is the history of the memory.
Encoders are those of `klforecast.modules.encoders`, with four logits in place of a forecast. Chance
is 25 %. A memory of the training trajectory cannot help here by its construction: it holds nothing
of the sequence that is classified.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.command import append_rows, make_parser
from klforecast.evaluation.studies.timing import timed
from klforecast.modules.encoders import ENCODERS, Sizes, build_encoder, encoder_entry
from klforecast.modules.forecast import MEMORIES
from klforecast.modules.memory.kl_memory import KLMemory

_ROW, _N_ROWS, _WINDOW, _N_CLASSES = 24, 9, 48, 4  # see above
_N_TEST = 1000  # sequences; an accuracy of 50 % has a standard error of 1.6 points
# Small, the same for all; the page says what it leaves short.
BUDGET: dict[str, Any] = {"n_steps": 60, "batch_size": 64, "lr": 5e-3, "d_model": 16, "n_layers": 1}


def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draw sequences of the task.

    Returns
    -------
    history : Tensor (n, 9, 24)
        In rows of 24 steps; the first one holds the shape.
    window : Tensor (n, 1, 48)
    label : Tensor (n,)
        Which shape.
    """
    phase = torch.arange(_ROW) / _ROW
    shapes = torch.stack([(2 * torch.pi * (c + 1) * phase).sin() for c in range(_N_CLASSES)])
    values = torch.randn(n, _N_ROWS * _ROW + _WINDOW, generator=generator)
    label = torch.randint(_N_CLASSES, (n,), generator=generator)
    values[:, :_ROW] += 3 * shapes[label]
    history, window = values.split([_N_ROWS * _ROW, _WINDOW], dim=1)
    return history.unflatten(1, (_N_ROWS, _ROW)), window[:, None], label


class Recaller(nn.Module):
    """An encoder with a memory, or without one, that names the shape.

    Parameters
    ----------
    encoder : str
        A key of `ENCODERS`.
    memory : {"history", "trajectory", "none"}
    d_model, n_layers : int
    """

    def __init__(self, encoder: str, memory: str, d_model: int, n_layers: int):
        super().__init__()
        self.memory: KLMemory | None = None
        if memory != "none":
            state_size = encoder_entry(encoder).state_size(d_model, _ROW // 2)
            self.memory = KLMemory(
                d_model,
                source=memory,
                memory_depth=_N_ROWS if memory == "history" else 100,
                n_components=4,
                memory_tokens=4,
                state_size=_ROW if memory == "history" else state_size,
                center=False,
            )
        sizes = Sizes(
            horizon=_N_CLASSES,
            n_channels=1,
            input_length=_WINDOW,
            memory_tokens=4 if self.memory else 0,
            d_model=d_model,
            n_layers=n_layers,
            n_heads=2,
            patch_length=_ROW // 2,
            period=_ROW,
        )
        self.encoder = build_encoder(encoder, sizes)

    def forward(self, history: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, 4), and the states that a trajectory remembers."""
        tokens = None
        if self.memory is not None:
            nothing = window.new_zeros(len(window), 1, self.memory.state_size)
            tokens = self.memory(history if self.memory.source == "history" else nothing)
        logits, states = self.encoder(window, tokens)
        return logits[:, 0], states


def recall(encoder: str, memory: str, seed: int) -> dict[str, Any]:
    """Train on the budget, and score on sequences that were not trained on; one row."""
    accuracy, seconds = timed(lambda: _train_and_score(encoder, memory, seed))
    return {
        "task": "long recall",
        "encoder": encoder,
        "memory": memory,
        "seed": seed,
        "accuracy": accuracy,
        "n_test": _N_TEST,
        "cpu_seconds": seconds,
        **BUDGET,
    }


def _train_and_score(encoder: str, memory: str, seed: int) -> float:
    data = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Recaller(encoder, memory, BUDGET["d_model"], BUDGET["n_layers"])
        if memory == "history" and model.memory is not None:
            model.memory.append(draw(_N_TEST, data)[0])
        optimiser = torch.optim.AdamW(model.parameters(), lr=BUDGET["lr"])
        for _ in range(BUDGET["n_steps"]):
            history, window, label = draw(BUDGET["batch_size"], data)
            logits, states = model(history, window)
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, label).backward()
            optimiser.step()
            if memory == "trajectory" and model.memory is not None:
                model.memory.append(states.detach())
    history, window, label = draw(_N_TEST, torch.Generator().manual_seed(10_000 + seed))
    with torch.no_grad():
        found = model.eval()(history, window)[0].argmax(dim=1)
    return (found == label).double().mean().item()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every encoder with every memory, and append the rows to a file."""
    parser = make_parser(__doc__)
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS), choices=list(ENCODERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines to append to")
    options = parser.parse_args(arguments)
    with one_thread():
        for seed, encoder, memory in product(options.seeds, options.encoders, MEMORIES):
            append_rows(options.out, [recall(encoder, memory, seed)])


if __name__ == "__main__":
    main()

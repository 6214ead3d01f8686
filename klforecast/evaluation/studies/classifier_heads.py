"""What each head of the closed-form classifier adds: accuracy and log loss of the ridge with and without forests.

    python -m klforecast.evaluation.studies.classifier_heads

Of each set only the training part is used: half of each class to learn from, half to judge, all of
it in noise of half a deviation, since without it most of these sets are answered nearly without
error. Windows of series are told by their channel: to learn from before, to judge after three
fifths of the rows. The three heads are fitted once a task; temperature and weights are chosen anew
for each choice of heads, as the classifier does.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from klforecast.classify.closed_form import choose_mixture, judges, log_votes
from klforecast.classify.ridge_and_forests import RidgeAndForests
from klforecast.data.classification import load_labelled
from klforecast.data.datasets import load
from klforecast.evaluation.classification.run import DATASETS
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show

FORESTS = ("responses", "intervals")
HEADS: dict[str, tuple[str, ...]] = {
    "ridge": (),
    "ridge, intervals": ("intervals",),
    "ridge, responses": ("responses",),
    "ridge, both": FORESTS,
}
# Steps of a window, and windows of each channel to learn from and to judge.
WINDOWS = {"ETTh1": (96, 10, 30), "Weather": (144, 6, 10), "Exchange": (200, 10, 25)}
_NOISE = 0.5  # of the deviation of a series
_BEFORE = 0.6  # of the rows are to learn from


class Task(NamedTuple):
    """Series, (channels, length) each, and their classes from 0."""

    name: str
    series: list[Tensor]
    labels: Tensor
    new_series: list[Tensor]
    new_labels: Tensor


class _Heads(RidgeAndForests):
    """The heads of the classifier, each for itself."""

    def fit(self, task: Task) -> Tensor:  # (heads, n, classes), left out
        one_hot = F.one_hot(task.labels).double()
        n, classes = one_hot.shape
        unseen = self._grow(
            task.series,
            2 * one_hot - 1,
            torch.full((n,), 1 / n, dtype=torch.float64),
            lambda rows: judges(task.labels[rows]),
            task.labels,
            n_classes=classes,
            row_weights=None,
        )
        return self._mixed(self.ridge_.left_out_, unseen)

    def answers(self, series: Sequence[Tensor]) -> Tensor:  # (heads, n, classes)
        return self._some(series)

    def _mixed(self, ridge: Tensor, forests: Mapping[str, Tensor]) -> Tensor:
        even = torch.ones(ridge.shape[1], dtype=torch.float64)
        return torch.stack([ridge, *(log_votes(forests[name], even) for name in FORESTS)])


def halved(name: str, seed: int) -> Task:
    """Half of the training part of a set to learn from, half to judge, in noise."""
    rng = np.random.default_rng(seed)
    part = load_labelled(name).train
    labels = np.unique(part.labels, return_inverse=True)[1]
    series = [
        torch.from_numpy(values + _NOISE * values.std() * rng.normal(size=values.shape))
        for values in map(np.asarray, part.series)
    ]
    order = rng.permutation(len(labels))
    members = [order[labels[order] == label] for label in range(labels.max() + 1)]
    first = np.concatenate([some[: -(-len(some) // 2)] for some in members])
    second = np.concatenate([some[-(-len(some) // 2) :] for some in members])
    return _task(name, series, torch.from_numpy(labels), first, second)


def windows(name: str, seed: int) -> Task:
    """Windows of a data set, standardised, whose channel is to be told."""
    rng = np.random.default_rng(seed)
    rows = load(name).frame.to_numpy(dtype=float)
    length, n_known, n_new = WINDOWS[name]
    border = int(_BEFORE * len(rows))
    series, labels = [], []
    for count, start, stop in ((n_known, 0, border), (n_new, border, len(rows))):
        for channel, values in enumerate(rows.T):
            for begin in rng.integers(start, stop - length, count):
                window = values[begin : begin + length]
                deviation = window.std()
                scaled = (window - window.mean()) / (deviation if deviation > 0 else 1)
                series.append(torch.from_numpy(scaled[None]))
                labels.append(channel)
    places = np.arange(len(labels))
    known = n_known * rows.shape[1]
    return _task(name, series, torch.tensor(labels), places[:known], places[known:])


def compare(task: Task, seed: int) -> list[dict[str, Any]]:
    """Fit the heads and score every choice of them; one row for each."""
    model = _Heads(seed=seed)
    left_out = model.fit(task)
    new = model.answers(task.new_series)
    weights = torch.full((len(task.labels),), 1 / len(task.labels), dtype=torch.float64)
    rows = []
    for name, forests in HEADS.items():
        places = [1 + FORESTS.index(forest) for forest in forests]
        temperature, chosen = choose_mixture(left_out[0], left_out[places], task.labels, weights)
        logits = new[0] / temperature + torch.tensordot(chosen, new[places], 1)
        rows.append(
            {
                "task": task.name,
                "seed": seed,
                "heads": name,
                "accuracy": float((logits.argmax(1) == task.new_labels).double().mean()),
                "log_loss": float(F.cross_entropy(logits, task.new_labels)),
                "n_train": len(task.labels),
                "n_test": len(task.new_labels),
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Means over tasks and seeds, one line for each choice of heads."""
    lines = []
    for name in HEADS:
        scored = [row for row in rows if row["heads"] == name]
        means = [fmean(row[what] for row in scored) for what in ("accuracy", "log_loss")]
        lines.append((name, *(f"{mean:.4f}" for mean in means)))
    title = f"means of {len({row['task'] for row in rows})} tasks"
    return make_table(title, ("heads", "accuracy", "log loss"), lines)


def _task(
    name: str, series: Sequence[Tensor], labels: Tensor, first: np.ndarray, second: np.ndarray
) -> Task:
    def chosen(places: np.ndarray) -> list[Tensor]:
        return [series[place] for place in places]

    return Task(name, chosen(first), labels[first], chosen(second), labels[second])


def _tasks(seed: int) -> Iterator[Task]:
    yield from (halved(name, seed) for name in DATASETS)
    yield from (windows(name, seed) for name in WINDOWS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args(arguments)
    rows = []
    for seed in options.seeds:
        for task in _tasks(seed):
            done = compare(task, seed)
            append_rows(options.out, done)
            rows += done
    show(table(rows))


if __name__ == "__main__":
    main()

"""Accuracy and cost of classifiers on official splits: one JSON row per set, model and seed.

Models are handed a list of series, (channels, length) each. Everything a model chooses, it chooses
on the training part; the test part is scored once.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import product
from math import isnan, nan
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from klforecast.data.classification import ClassificationSet, LabelledSeries, load_labelled
from klforecast.estimators.spectral_ssm import SpectralSSMClassifier
from klforecast.estimators.spectral_ssm_panel import SpectralSSMPanelClassifier
from klforecast.evaluation import machine
from klforecast.evaluation.cells import CellKind, Prepared
from klforecast.evaluation.classification.minirocket import MiniRocketRidge
from klforecast.evaluation.json_lines import plain, read_lines

# What the table in the documentation is about: every set that is at hand without a choice.
DATASETS = (
    "ACSF1",
    "ArrowHead",
    "BasicMotions",
    "CBF",
    "Coffee",
    "ECG200",
    "ERing",
    "FaceFour",
    "GunPoint",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "NATOPS",
    "OSULeaf",
    "PLAID",
    "RacketSports",
    "SwedishLeaf",
    "SyntheticControl",
    "Trace",
    "TwoLeadECG",
)
_FIELDS = {"accuracy": 3, "log_loss": 3, "fit_cpu_seconds": 1}  # of the table, with their digits
_IDENTITY = ("dataset", "dataset_sha256", "model", "params", "seed", "versions")


class ClassificationCell(NamedTuple):
    """One model on one set with one seed, and settings that are not the defaults."""

    dataset: str
    model: str
    seed: int = 0
    params: Mapping[str, Any] = {}


class _Spectral:
    """`SpectralSSMClassifier`, or its panel twin where lengths are unequal, on lists of series."""

    def __init__(self, seed: int, **params: Any):
        self.settings = {"random_state": seed, **params}

    def fit(self, part: LabelledSeries) -> None:
        self.equal = len({values.shape[1] for values in part.series}) == 1
        kind = SpectralSSMClassifier if self.equal else SpectralSSMPanelClassifier
        self.classifier = kind(**self.settings).fit(self._container(part.series), part.labels)

    def predict_proba(self, series: Sequence[np.ndarray]) -> np.ndarray:
        return self.classifier.predict_proba(self._container(series))

    @property
    def classes(self) -> np.ndarray:
        return self.classifier.classes_

    def _container(self, series: Sequence[np.ndarray]) -> np.ndarray | list[pd.DataFrame]:
        return np.stack(series) if self.equal else [pd.DataFrame(values.T) for values in series]


MODELS: dict[str, Callable[..., Any]] = {
    "spectral-ssm": _Spectral,
    "spectral-ssm-gradient": lambda seed, **params: _Spectral(seed, solver="gradient", **params),
    "minirocket": MiniRocketRidge,
}


def classification_cells() -> CellKind[ClassificationCell]:
    """Return the kind of the cells of classifiers.

    Its cells raise `DataNotFoundError` where a set is neither in the data folder nor bundled with
    sktime.
    """
    load = lru_cache(maxsize=1)(load_labelled)  # cells of a set follow one another
    return CellKind(
        lambda cell: _describe(cell, load(cell.dataset)),
        lambda cell: Prepared({}, partial(_score, cell, load(cell.dataset))),
        plain,
        _identity,
        read_lines,
    )


def render_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write a Markdown table: one line per set, columns of accuracy, log loss and seconds per model.

    All are averaged over seeds. Means are over the sets that every model has finished.

    Parameters
    ----------
    rows : iterable of dict
        Of a run of `classification_cells`.
    """
    cells: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["error"] is None:
            cells.setdefault((row["dataset"], row["model"]), []).append(row)
    models = [model for model in MODELS if any(model == key[1] for key in cells)]
    names = sorted({name for name, _ in cells}, key=str.lower)
    whole = [name for name in names if all((name, model) in cells for model in models)]
    header = ["data", "train", "length", "channels", "classes"]
    header += [f"{model} {what}" for model in models for what in ("accuracy", "log loss", "fit s")]
    lines = [header, ["---"] * len(header)]
    fields = list(product(models, _FIELDS))
    for name in names:
        facts = next(cells[name, model][0] for model in models if (name, model) in cells)
        shortest, longest = facts["lengths"]
        length = str(longest) if shortest == longest else f"{shortest}-{longest}"
        line = [name, facts["n_train"], length, facts["n_channels"], facts["n_classes"]]
        means = {(model, what): _mean(cells.get((name, model), []), what) for model, what in fields}
        accuracies = [means[model, "accuracy"] for model in models]
        best = max(value for value in accuracies if not isnan(value))
        for model, what in fields:
            text = _rounded(means[model, what], _FIELDS[what])
            is_best = what == "accuracy" and means[model, what] == best
            line.append(f"**{text}**" if is_best else text)
        lines.append([str(value) for value in line])
    last = [f"mean of {len(whole)}", "", "", "", ""]
    for model, what in fields:
        values = [_mean(cells[name, model], what) for name in whole]
        mean = fmean(values) if values else nan
        last.append(_rounded(mean, 4 if what == "accuracy" else _FIELDS[what]))
    lines.append(last)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _mean(rows: Sequence[Mapping[str, Any]], field: str) -> float:
    return fmean(nan if row[field] is None else row[field] for row in rows) if rows else nan


def _rounded(value: float, digits: int) -> str:
    return "-" if isnan(value) else f"{value:.{digits}f}"


def _identity(row: Mapping[str, Any]) -> str:
    return repr([row[field] for field in _IDENTITY])


def _describe(cell: ClassificationCell, data: ClassificationSet) -> dict[str, Any]:
    series = [*data.train.series, *data.test.series]
    lengths = [values.shape[1] for values in series]
    return {
        "dataset": data.name,
        "dataset_sha256": data.sha256,
        "n_train": len(data.train.labels),
        "n_test": len(data.test.labels),
        "n_channels": len(series[0]),
        "lengths": [min(lengths), max(lengths)],
        "n_classes": len(set(data.train.labels)),
        "model": cell.model,
        "params": dict(cell.params),
        "seed": cell.seed,
        "accuracy": None,
        "log_loss": None,
        "fit_seconds": None,
        "fit_cpu_seconds": None,
        "predict_cpu_seconds": None,
        "commit": machine.commit(),
        "versions": machine.versions(["numba"] if cell.model == "minirocket" else []),
        "machine": machine.machine(),
        "error": None,
    }


def _score(cell: ClassificationCell, data: ClassificationSet) -> dict[str, Any]:
    model = MODELS[cell.model](cell.seed, **cell.params)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    model.fit(data.train)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    begun_cpu = time.process_time()
    probabilities = model.predict_proba(data.test.series)
    predict_cpu = time.process_time() - begun_cpu
    answers = model.classes[probabilities.argmax(axis=1)]
    return {
        "accuracy": float((answers == data.test.labels).mean()),
        "log_loss": float(log_loss(data.test.labels, probabilities, labels=model.classes)),
        "fit_seconds": seconds,
        "fit_cpu_seconds": cpu,
        "predict_cpu_seconds": predict_cpu,
    }

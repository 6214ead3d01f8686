r"""What the closed-form classifier costs and knows on sizes and faults of real data.

    python -m klforecast.evaluation.studies.classifier_sizes --out docs/results/classifier_sizes.jsonl \
        --table docs/results/classifier_sizes.md

Every series is white noise in which a wave sounds for a quarter of the time, from a random step on; its
frequency is the class. With a wave p_k of class k that starts at step s the best rule of all is known,

    argmax_k  log mean_s exp(x' p_ks - |p_ks|^2 / 2)          sums over the steps that are observed

Beside it stand two ridges of scikit-learn, on the raw values and on the logarithms of the spectrum.
CPU seconds of one thread; each case has a process of its own, whose peak memory is taken.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from klforecast.estimators.jobs import one_thread
from klforecast.estimators.spectral_ssm import SpectralSSMClassifier
from klforecast.evaluation import machine
from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.studies.command import (
    append_rows,
    make_parser,
    markdown_table,
    write_page,
)
from klforecast.evaluation.studies.timing import timed

_PERIODS = (5.0, 7.0, 11.0)  # steps of a wave, of each class
_SHARE = 0.25  # of the time in which the wave sounds
_ACCURACIES = ("accuracy", "raw_accuracy", "spectrum_accuracy", "best_accuracy")


@dataclass(frozen=True)
class Case:
    """A size, or a fault of the data.

    Attributes
    ----------
    train : tuple of int
        Series of each class to learn from.
    test : int
        Series to judge, of all classes alike.
    lengths, test_lengths : tuple of int
        Shortest and longest.
    channels, sounding : int
        Channels, and in how many of them the wave sounds, each with a gain of its own.
    energy : float
        Squared norm of a wave over all channels; the noise has a variance of one.
    missing : float
        Share of the values that are missing.
    settings : mapping
        Of the classifier.
    """

    train: tuple[int, int, int] = (100, 100, 100)
    test: int = 300
    lengths: tuple[int, int] = (100, 100)
    test_lengths: tuple[int, int] | None = None
    channels: int = 1
    sounding: int = 1
    energy: float = 25.0
    missing: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)


CASES: dict[str, Case] = {
    "300 series of 100 steps": Case(),
    "the same, n_jobs=2": Case(settings={"n_jobs": 2}),
    "a fifth of the values missing": Case(missing=0.2),
    "of 50 to 100 steps, new ones of 100 to 200": Case(lengths=(50, 100), test_lengths=(100, 200)),
    "one series of a class": Case(train=(150, 149, 1)),
    "240, 40 and 20 of the classes": Case(train=(240, 40, 20)),
    "the same, class_weight='balanced'": Case(
        train=(240, 40, 20), settings={"class_weight": "balanced"}
    ),
    "500 channels, all sound": Case((34, 33, 33), 90, channels=500, sounding=500, energy=100),
    "500 channels, all sound loudly": Case(
        (34, 33, 33), 90, channels=500, sounding=500, energy=2500
    ),
    "60 series of 50,000 steps": Case(
        train=(20, 20, 20), test=30, lengths=(50_000, 50_000), energy=250
    ),
    "100,000 series": Case(train=(33_334, 33_333, 33_333), test=1200),
}
"""By what is said of them in the table."""


class Waves:
    """Series of a case, and the best rule for them.

    Parameters
    ----------
    case : Case
    seed : int
    """

    def __init__(self, case: Case, seed: int):
        self._case = case
        self._rng = np.random.default_rng(seed)
        gains = np.zeros(case.channels)
        gains[: case.sounding] = self._rng.normal(size=case.sounding)
        self._gains = gains / np.linalg.norm(gains)

    def draw(
        self, labels: np.ndarray, lengths: tuple[int, int]
    ) -> (
        np.ndarray
    ):  # (n, channels, longest), NaN after the end of a series and where it is missing
        """One series for each label."""
        case, (shortest, longest) = self._case, lengths
        X = self._rng.standard_normal((len(labels), case.channels, longest))
        ends = self._rng.integers(shortest, longest + 1, len(labels))
        for values, label, end in zip(X, labels, ends, strict=True):
            wave = self._wave(label, end)
            start = self._rng.integers(0, end - len(wave) + 1)
            values[:, start : start + len(wave)] += self._gains[:, None] * wave
            values[:, end:] = np.nan
        if case.missing:
            X[self._rng.uniform(size=X.shape) < case.missing] = np.nan
        return X

    def best(
        self,
        X: np.ndarray,  # (n, channels, length)
    ) -> np.ndarray:  # (n,), the most likely classes
        """Classes by the likelihood, which knows the waves, the gains and the noise."""
        return np.array([int(np.argmax(self._log_likelihoods(values))) for values in X])

    def _log_likelihoods(self, values: np.ndarray) -> list[float]:
        seen = ~np.isnan(values)
        end = int(np.flatnonzero(seen.any(axis=0)).max()) + 1
        heard = self._gains @ np.where(seen, values, 0.0)[:, :end]
        counted = self._gains**2 @ seen[:, :end]
        logs = []
        for label in range(len(_PERIODS)):
            wave = self._wave(label, end)
            matched = _slid(heard, wave) - _slid(counted, wave**2) / 2
            logs.append(float(np.logaddexp.reduce(matched)))
        return logs

    def _wave(self, label: int, length: int) -> np.ndarray:
        steps = np.arange(int(_SHARE * length))
        wave = np.cos(2 * np.pi * steps / _PERIODS[label])
        return self._case.energy**0.5 * wave / np.linalg.norm(wave)


def _slid(values: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Inner products of a wave with every stretch of its length."""
    size = len(values) + len(wave) - 1
    product = np.fft.rfft(values, size) * np.fft.rfft(wave[::-1], size)
    return np.fft.irfft(product, size)[len(wave) - 1 : len(values)]


def measure(name: str, seed: int) -> dict[str, Any]:
    """Fit the classifier and the ridges to a case and score them; one row."""
    case = CASES[name]
    waves = Waves(case, seed)
    labels = np.repeat(np.arange(len(case.train)), case.train)
    new_labels = np.arange(case.test) % len(_PERIODS)
    new_lengths = case.test_lengths or case.lengths
    X, X_new = waves.draw(labels, case.lengths), waves.draw(new_labels, new_lengths)

    longest = max(X.shape[2], X_new.shape[2])

    def right(answers: np.ndarray) -> float:
        return float((answers == new_labels).mean())

    machine.reset_peak_memory()
    with one_thread():
        classifier = SpectralSSMClassifier(random_state=seed, **case.settings)
        _, fit = timed(lambda: classifier.fit(X, labels))
        answers, predict = timed(lambda: classifier.predict(X_new))
    return {
        "case": name,
        "seed": seed,
        **asdict(case),
        "fit_cpu_seconds": fit,
        "predict_cpu_seconds": predict,
        "peak_memory_mb": machine.peak_memory_mb(),
        "accuracy": right(answers),
        **{
            f"{kind}_accuracy": right(
                _ridge(features(X, longest), labels).predict(features(X_new, longest))
            )
            for kind, features in _PLAIN.items()
        },
        "best_accuracy": right(waves.best(X_new)),
        "commit": machine.commit(),
        "versions": machine.versions(),
        "machine": machine.machine(),
    }


def _raw(X: np.ndarray, length: int) -> np.ndarray:  # (n, channels * length)
    """Values as they are; zero where there is none."""
    padded = np.zeros((*X.shape[:2], length), dtype=np.float32)
    padded[..., : X.shape[2]] = np.nan_to_num(X)
    return padded.reshape(len(X), -1)


def _spectrum(X: np.ndarray, length: int) -> np.ndarray:  # (n, channels * frequencies)
    padded = _raw(X, length).reshape(*X.shape[:2], length)
    return np.log1p(np.abs(np.fft.rfft(padded))).astype(np.float32).reshape(len(X), -1)


_PLAIN: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"raw": _raw, "spectrum": _spectrum}


def _ridge(features: np.ndarray, labels: np.ndarray) -> Pipeline:
    ridge = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-1, 5, 7)))
    return ridge.fit(features, labels)


def measure_alone(names: Sequence[str], seed: int) -> Iterator[dict[str, Any]]:
    """Rows of some cases, each in a process that begins with it."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["klforecast.estimators.spectral_ssm"])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as processes:
        yield from processes.map(measure, names, [seed] * len(names))


def render_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write a Markdown table, one line for each case that has a row; of several the last counts."""
    last = {row["case"]: row for row in rows}
    columns = ("case", "fit s", "predict s", "peak MB", "accuracy")
    lines = [
        (
            name,
            f"{row['fit_cpu_seconds']:.1f}",
            f"{row['predict_cpu_seconds']:.1f}",
            f"{row['peak_memory_mb']:,.0f}",
            *(f"{row[what]:.3f}" for what in _ACCURACIES),
        )
        for name, row in ((name, last[name]) for name in CASES if name in last)
    ]
    return markdown_table((*columns, "ridge, raw", "ridge, spectrum", "best rule"), lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table or write it, and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--table", type=Path, help="page to write, of all rows in the file; default: the terminal"
    )
    options = parser.parse_args(arguments)
    rows = read_lines(options.out) if options.out and options.out.exists() else []
    for row in measure_alone(options.cases, options.seed):
        append_rows(options.out, [row])
        rows.append(row)
    write_page(render_table(rows), options.table)


if __name__ == "__main__":
    main()

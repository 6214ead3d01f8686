"""Where models stand on a suite: scores over those of seasonal naive, and their geometric means.

    relative = score / score of seasonal naive        standing = exp(mean log relative)

as on the GIFT-Eval leaderboard. Seasonal naive is the published one where there is one, so that
measured and published models are divided by the same number; elsewhere it is the measured one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from klforecast.evaluation.suites.models import SUITE_MODELS
from klforecast.evaluation.suites.published import published_on, reference_on

_NAIVE = "seasonal-naive"


@dataclass(frozen=True)
class Entry:
    """A model on a suite, measured or published.

    Attributes
    ----------
    label : str
        Name, with the settings that were changed.
    is_ours, is_published : bool
        Whether it is this package's; whether its scores were read rather than measured.
    mase, mase_median, crps : dict of str to float
        Over those of seasonal naive, by configuration.
    cpu_seconds : dict of str to float
        By configuration; empty if published.
    coverage_80 : dict of str to float
        By configuration; empty if published.
    kind, source, trust : str
        Of a published model: what it has seen, where its scores were read, and who ran it.
    """

    label: str
    is_ours: bool
    is_published: bool
    mase: dict[str, float]
    mase_median: dict[str, float]
    crps: dict[str, float]
    cpu_seconds: dict[str, float]
    coverage_80: dict[str, float]
    kind: str = ""
    source: str = ""
    trust: str = ""

    def relative(self, metric: str) -> dict[str, float]:
        """Scores of a metric by configuration, over those of seasonal naive."""
        return {"mase": self.mase, "mase_median": self.mase_median, "crps": self.crps}[metric]

    def mean(self, metric: str, configs: Sequence[str]) -> float | None:
        """Geometric mean over the configurations; None where one is missing."""
        scores = self.relative(metric)
        if not configs or any(config not in scores for config in configs):
            return None
        return geometric_mean([scores[config] for config in configs])


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean; zero if a value is.

    Examples
    --------
    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    if min(values) <= 0:
        return 0.0
    return math.exp(fmean(math.log(value) for value in values))


def entries_of(suite: str, rows: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Return the measured models, ours first, and then the published ones.

    Parameters
    ----------
    suite : str
        Name of the suite.
    rows : sequence of dict
        Its rows, one for each configuration and model; failed ones do not count.
    """
    done = [row for row in rows if row["error"] is None]
    reference = _reference(suite, done)
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in done:
        groups.setdefault(label_of(row), []).append(row)
    measured = [_measured(label, group, reference) for label, group in groups.items()]
    configs = {row["config"] for row in done}
    published = [
        Entry(
            entry.model,
            is_ours=False,
            is_published=True,
            mase=_divided(entry.mase, reference["mase"], configs),
            mase_median=_divided(entry.mase, reference["mase"], configs),
            crps=_divided(entry.crps, reference["crps"], configs),
            cpu_seconds={},
            coverage_80={},
            kind=entry.kind,
            source=f"{entry.source} @ {entry.commit} ({entry.date})",
            trust=entry.trust,
        )
        for entry in published_on(suite)
    ]
    return [*sorted(measured, key=lambda entry: not entry.is_ours), *published]


def shared_configs(suite: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the configurations to average over: measured, and published where anything is."""
    reference = reference_on(suite)
    done = dict.fromkeys(row["config"] for row in rows if row["error"] is None)
    return [config for config in done if reference is None or config in reference.mase]


def label_of(row: Mapping[str, Any]) -> str:
    """Return the name of a row's model with the settings that were changed."""
    changed = [f"{name}={value}" for name, value in row["changed_params"].items()]
    return f"{row['model']} ({', '.join(changed)})" if changed else str(row["model"])


def _reference(suite: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    # The published seasonal naive of the competitions has its points at every level, so that its
    # CRPS is the normalised deviation.
    naive = [row for row in rows if row["model"] == _NAIVE]
    found = {
        "mase": {row["config"]: row["mase"] for row in naive},
        "crps": {row["config"]: row["nd"] for row in naive},
    }
    printed = reference_on(suite)
    if printed is not None:
        found["mase"] |= printed.mase
        found["crps"] |= printed.crps
    return found


def _measured(
    label: str, rows: Sequence[Mapping[str, Any]], reference: Mapping[str, Mapping[str, float]]
) -> Entry:
    def scores(name: str) -> dict[str, float]:
        return {row["config"]: row[name] for row in rows if row[name] is not None}

    configs = {row["config"] for row in rows}
    return Entry(
        label,
        is_ours=SUITE_MODELS[rows[0]["model"]].ours,
        is_published=False,
        mase=_divided(scores("mase"), reference["mase"], configs),
        mase_median=_divided(scores("mase_median"), reference["mase"], configs),
        crps=_divided(scores("crps"), reference["crps"], configs),
        cpu_seconds=scores("cpu_seconds"),
        coverage_80=scores("coverage_80"),
    )


def _divided(
    scores: Mapping[str, float], reference: Mapping[str, float], configs: set[str]
) -> dict[str, float]:
    return {
        config: score / reference[config]
        for config, score in scores.items()
        if config in configs and reference.get(config)
    }

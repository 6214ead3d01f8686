"""Published results on the configurations of the suites; read from `published.json`.

Numbers only, each with the repository and commit that it was read from and what is known of who ran
it. The CRPS is the mean weighted quantile loss, as in `klforecast.evaluation.suites.scores`; that of
the seasonal naive on the competitions is of its points, which stand at every level there.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

REFERENCE = "Seasonal Naive"
"""The model that others are divided by."""


@dataclass(frozen=True)
class PublishedSuite:
    """What a model reached on a suite.

    Attributes
    ----------
    suite, model : str
        Name of the suite; name of the model in print.
    kind : str
        What it has seen before: pretrained, trained per set, or fitted per series.
    source, commit, date : str
        Repository and files, and the state of it that was read.
    trust : str
        Who ran it, and whether it was replicated.
    mase, crps : dict of str to float
        By configuration.
    """

    suite: str
    model: str
    kind: str
    source: str
    commit: str
    date: str
    trust: str
    mase: dict[str, float]
    crps: dict[str, float]

    def score(self, metric: str, config: str) -> float | None:
        """The MASE or the CRPS on a configuration; None where it was not published.

        Examples
        --------
        >>> published_on("gift-eval")[0].score("mase", "us_births/M/short")
        0.632837
        """
        scores = self.mase if metric == "mase" else self.crps
        return scores.get(config)


@cache
def published_suites() -> tuple[PublishedSuite, ...]:
    """Return all published results, in the order of the file."""
    text = (files(__package__) / "published.json").read_text(encoding="utf-8")
    return tuple(PublishedSuite(**entry) for entry in json.loads(text))


def published_on(suite: str) -> list[PublishedSuite]:
    """Return the published results on a suite, in the order of the file.

    Examples
    --------
    >>> [entry.model for entry in published_on("competitions")][-1]
    'Seasonal Naive'
    """
    return [entry for entry in published_suites() if entry.suite == suite]


def reference_on(suite: str) -> PublishedSuite | None:
    """Return the published seasonal naive of a suite; None where there is none."""
    found = [entry for entry in published_on(suite) if entry.model == REFERENCE]
    return found[0] if found else None

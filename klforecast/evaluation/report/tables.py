"""From rows to tables: one table per data set and regime, one line per model, seeds averaged.

Rows of different regimes never meet in a table. Within one, a model that was fitted on other rows
or with other settings than its defaults has a line of its own, and the line says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from klforecast.evaluation.benchmark.protocol import Cell
from klforecast.evaluation.benchmark.published import Published, published_for

WINDOW_METRICS = ("mse", "mae")
HOLDOUT_METRICS = ("smape", "mase")


@dataclass(frozen=True)
class Line:
    """What one model reached on one data set in one regime.

    Attributes
    ----------
    model, label : str
        Name in the registry; the name with what differs from its defaults.
    fit_on : str
        Rows it was fitted on.
    rows : dict of int to list of dict
        Rows of the seeds, by horizon.
    """

    model: str
    label: str
    fit_on: str
    rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def mean(self, metric: str, horizon: int) -> float | None:
        """Mean of a field over the seeds at one horizon; None where it was not measured."""
        values = [row[metric] for row in self.rows.get(horizon, [])]
        return None if not values or None in values else fmean(values)

    def average(self, metric: str, horizons: Sequence[int]) -> float | None:
        """Mean over all horizons; None where one is missing."""
        means = [self.mean(metric, horizon) for horizon in horizons]
        return None if None in means else fmean(m for m in means if m is not None)

    def by_seed(self, metric: str, horizons: Sequence[int]) -> list[float]:
        """Averages over the horizons, one for each seed that was run at all of them."""
        values: dict[int, list[float]] = {}
        for horizon in horizons:
            for row in self.rows.get(horizon, []):
                values.setdefault(row["seed"], []).append(row[metric])
        return [fmean(v) for v in values.values() if len(v) == len(horizons)]

    def spread(self, metric: str, horizons: Sequence[int]) -> float | None:
        """Standard deviation over seeds of the average; None for fewer than two seeds."""
        averages = self.by_seed(metric, horizons)
        return stdev(averages) if len(averages) > 1 else None

    def seconds(self, horizons: Sequence[int], *parts: str) -> float | None:
        """Seconds of one seed over all horizons, to fit and to predict or as the fields say.

        None where a horizon or a measurement is missing.
        """
        parts = parts or ("fit_seconds", "predict_seconds")
        values = [self.mean(part, horizon) for horizon in horizons for part in parts]
        return None if None in values else sum(value for value in values if value is not None)

    def quoted(self, name: str) -> list[Any]:
        """Distinct values of a field of the rows, in the order of the horizons."""
        found: list[Any] = []
        for horizon in sorted(self.rows):
            found += [row[name] for row in self.rows[horizon] if row[name] not in [None, *found]]
        return found


@dataclass(frozen=True)
class Table:
    """The lines of one data set and regime, and what was published for it.

    Attributes
    ----------
    dataset, regime : str
    metrics : tuple of str
        Names of the two errors.
    horizons : list of int
    lines : list of Line
        Best average of the first metric first; lines that miss a horizon last.
    published : list of Published
        Results whose loader scored every window, best first.
    failed : list of dict
        Rows of cells that failed and did not succeed since.
    """

    dataset: str
    regime: str
    metrics: tuple[str, str]
    horizons: list[int]
    lines: list[Line]
    published: list[Published]
    failed: list[dict[str, Any]]

    def quoted(self, name: str) -> list[Any]:
        """Distinct values of a field over all lines."""
        found: list[Any] = []
        for line in self.lines:
            found += [value for value in line.quoted(name) if value not in found]
        return found


def build_tables(rows: Iterable[Mapping[str, Any]]) -> list[Table]:
    """Sort rows into tables, in the order in which data sets and regimes first appear."""
    places: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        place = tuple(str(row[name]) for name in _PLACE)
        # A later row of the same cell replaces an earlier one, but a failure replaces no result.
        if row["error"] is None or place not in places or places[place]["error"] is not None:
            places[place] = dict(row)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in places.values():
        groups.setdefault((row["dataset"], row["regime"]), []).append(row)
    return [_table(dataset, regime, group) for (dataset, regime), group in groups.items()]


_PLACE = ("dataset", "regime", "fit_on", "model", "changed_params", "horizon", "seed")


def _table(dataset: str, regime: str, rows: list[dict[str, Any]]) -> Table:
    done = [row for row in rows if row["error"] is None]
    horizons = sorted({row["horizon"] for row in done})
    metrics = HOLDOUT_METRICS if any(row["mse"] is None for row in done) else WINDOW_METRICS
    lines: dict[tuple[str, str], Line] = {}
    for row in done:
        label = _label(row)
        line = lines.setdefault((label, row["fit_on"]), Line(row["model"], label, row["fit_on"]))
        line.rows.setdefault(row["horizon"], []).append(row)

    def rank(line: Line) -> tuple[bool, float]:
        average = line.average(metrics[0], horizons)
        return average is None, average or 0.0

    return Table(
        dataset,
        regime,
        metrics,
        horizons,
        sorted(lines.values(), key=rank),
        [entry for entry in published_for(dataset, regime) if entry.is_trusted],
        [row for row in rows if row["error"] is not None],
    )


def _label(row: Mapping[str, Any]) -> str:
    changed = [f"{name}={value}" for name, value in row["changed_params"].items()]
    if row["fit_on"] != Cell.fit_on:
        changed.append(f"fitted on {row['fit_on']}")
    return f"{row['model']} ({', '.join(changed)})" if changed else row["model"]

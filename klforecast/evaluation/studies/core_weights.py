"""How the experts of the linear core are best weighted, by domain, with one domain left out at a time.

    python -m klforecast.evaluation.studies.core_weights --out weights.jsonl --page weights.md

A task is a series, a horizon and a share of its rows: the core is solved on this share and scored on windows
spread over the rows that follow, in deviations of the rows that it was solved on. All rows lie before the official
test part. Long series come as they are and as means of several rows, since it is the number of independent
horizons that decides what evidence is worth, and M4's series come seven at a time. With

    g_d = mean over the tasks of domain d of log MSE' / MSE

the default is kept without d where the mean of g over the other domains is not negative
(`klforecast.evaluation.studies.choices`).
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from klforecast.core.experts import Expert, RidgeExpert
from klforecast.data.datasets import load
from klforecast.data.scaling import Standardizer
from klforecast.evaluation.benchmark.protocol import score_windows
from klforecast.evaluation.studies.ablation import Variant, VariantModel, without
from klforecast.evaluation.studies.choices import DEFAULT, constants_set, gains, verdict
from klforecast.evaluation.studies.command import (
    append_rows,
    make_parser,
    markdown_table,
    percent,
    show,
    write_page,
)
from klforecast.evaluation.studies.wandering_series import weekly_panels
from klforecast.evaluation.suites.corpus import corpus_task
from klforecast.evaluation.suites.runner import is_chosen

SHARES = (0.5, 0.65, 0.8)
"""Of the rows of a series, on which the core is solved; each leaves another stretch to be scored."""

_N_CUTOFFS = 40  # of a task; neighbours are nearly equal, so more add little
_SCORED = (
    0.15  # of the rows, or two horizons where these are more: the reach of an ordinary test part
)
_M4_PANELS = 4  # of seven series each
_M4_WEEKLY_TEST = 13  # rows of each series


class Rule(NamedTuple):
    """Another way to choose experts and weights.

    Attributes
    ----------
    variant : Variant
        The plan, changed.
    constants : mapping
        Values by ``"module:NAME"``, the module below `klforecast`.
    """

    variant: Variant
    constants: Mapping[str, Any] = {}


def _limits(returns: float, wanders: float, season: str = "_WITH_SEASON") -> Rule:
    place = season.strip("_").replace("_", " ").lower()
    return Rule(
        Variant(f"{place}, weight of reversion falls from {returns} to {wanders}"),
        {f"core.reversion:{season}": (returns, wanders)},
    )


def _shrunk(factor: float) -> Rule:
    return Rule(
        Variant(
            f"{factor:g} times the shrinkage",
            edit=lambda plan: plan._replace(shrinkage=factor * plan.shrinkage),
        )
    )


def _reverts_to_itself(expert: Expert) -> bool:
    return isinstance(expert, RidgeExpert) and expert.level == expert.depth


RULES = (
    Rule(Variant(DEFAULT)),
    _limits(0.7, 0.85),
    _limits(0.4, 0.8),
    _limits(0.3, 0.6),
    _limits(0.1, 0.4),
    _limits(0.2, 0.7, "_WITHOUT_SEASON"),
    Rule(without("no map around the mean of the window", _reverts_to_itself)),
    Rule(without("no map around the mean of the training rows", lambda expert: expert.reverts)),
    Rule(without("no maps per channel", lambda expert: expert.pooling == "channel")),
    _shrunk(0.25),
    _shrunk(0.5),
    _shrunk(2.0),
    _shrunk(5.0),
    Rule(Variant("prior weights alone", edit=lambda plan: plan._replace(shrinkage=1e12))),
)
"""The default, and what it is compared with."""


class Source(NamedTuple):
    """Series of one kind.

    Attributes
    ----------
    name, domain : str
    horizons : tuple of int
        Steps ahead.
    frames : callable
        Returns tables of rows, the end of each before every official test part.
    """

    name: str
    domain: str
    horizons: tuple[int, ...]
    frames: Callable[[], Sequence[pd.DataFrame]]


def _benchmark(name: str, every: int = 1) -> list[pd.DataFrame]:
    """Rows of a long-horizon set before its test part, in means of `every` rows."""
    data = load(name)
    end = len(data.frame) * 4 // 5 if data.borders is None else data.borders.validation_end
    rows = data.frame.drop(columns=list(data.covariates)).iloc[:end]
    return [rows if every == 1 else rows.groupby(np.arange(len(rows)) // every).mean()]


def _suite(config: str) -> list[pd.DataFrame]:
    """The series of a task of the corpus; its own windows are test windows of nothing."""
    return list(corpus_task(config).collection.series.values())


def _m4_weekly() -> list[pd.DataFrame]:
    panels = weekly_panels(load("M4Weekly"), _M4_PANELS)
    return [panel.frame.iloc[:-_M4_WEEKLY_TEST] for panel in panels]


def _m4_hourly() -> list[pd.DataFrame]:
    """Seven series a panel, cut to the shortest of all."""
    series = _suite("m4_hourly/H/short")
    rows = min(map(len, series))
    stacked = np.stack([one.to_numpy()[-rows:, 0] for one in series[: 7 * _M4_PANELS]], axis=1)
    return [pd.DataFrame(part) for part in np.split(stacked, _M4_PANELS, axis=1)]


SOURCES = (
    Source("ETTh1", "electricity", (96, 336), functools.partial(_benchmark, "ETTh1")),
    Source("ETTh1, 4 hours", "electricity", (42, 90), functools.partial(_benchmark, "ETTh1", 4)),
    Source("ETTh1, days", "electricity", (14, 30), functools.partial(_benchmark, "ETTh1", 24)),
    Source("VicElec, hours", "load", (168, 720), functools.partial(_benchmark, "VicElec", 2)),
    Source("VicElec, days", "load", (28, 60), functools.partial(_benchmark, "VicElec", 48)),
    Source("Weather, hours", "weather", (48, 336), functools.partial(_benchmark, "Weather", 6)),
    Source("Exchange", "finance", (96, 336), functools.partial(_benchmark, "Exchange")),
    Source("Exchange, weeks", "finance", (24, 60), functools.partial(_benchmark, "Exchange", 5)),
    Source("Saugeen, days", "hydrology", (30, 120), functools.partial(_suite, "saugeen/D/short")),
    Source("Saugeen, weeks", "hydrology", (13, 52), functools.partial(_suite, "saugeen/W/short")),
    Source("births, days", "demography", (30, 120), functools.partial(_suite, "us_births/D/short")),
    Source("births, weeks", "demography", (13, 52), functools.partial(_suite, "us_births/W/short")),
    Source(
        "services, hours",
        "web and IT",
        (48, 168),
        functools.partial(_suite, "bizitobs_l2c/H/short"),
    ),
    Source(
        "services, 10 s",
        "web and IT",
        (60, 300),
        functools.partial(_suite, "bizitobs_application/10S/short"),
    ),
    Source("M4 weekly", "M4 weekly", (24, 60), _m4_weekly),
    Source("M4 hourly", "M4 hourly", (24, 48), _m4_hourly),
)
"""What is forecast."""


def score(
    frame: pd.DataFrame, share: float, horizon: int, rules: Sequence[Rule]
) -> Iterator[dict[str, Any]]:
    """Solve and score the core by each rule on one task.

    Parameters
    ----------
    frame : DataFrame of shape (time, channels)
    share : float
        Of the rows, on which the core is solved.
    horizon : int
        Steps ahead; at least one window has to follow the share.
    rules : sequence of Rule

    Yields
    ------
    dict
        Name of the rule, mse and mae.
    """
    fitted = int(share * len(frame))
    rows = frame.to_numpy(dtype=np.float64)
    known = rows[:fitted]
    varying = known.std(axis=0) > 0
    scaler = Standardizer.fit(known[:, varying])
    y = pd.DataFrame(scaler.transform(rows[:, varying]), index=frame.index)
    last = min(len(y), fitted + max(2 * horizon, int(_SCORED * len(y)))) - horizon
    cutoffs = np.unique(np.linspace(fitted, last, _N_CUTOFFS).astype(int))
    for rule in rules:
        model = VariantModel(rule.variant, horizon)
        with constants_set(rule.constants):
            model.fit(y.iloc[:fitted])
        scores = score_windows(model, y, cutoffs, horizon)
        yield {"alternative": rule.variant.name, "mse": scores.mse, "mae": scores.mae}


def measure(source: Source, rules: Sequence[Rule]) -> Iterator[dict[str, Any]]:
    """Rows of all tasks of one source."""
    for number, frame in enumerate(source.frames()):
        for share in SHARES:
            for horizon in source.horizons:
                config = f"{source.name}/{number}/{share}/{horizon}"
                for row in score(frame, share, horizon, rules):
                    yield {"config": config, "domain": source.domain, "horizon": horizon, **row}


def page_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table in Markdown: change of the MSE by domain, and what leaving one domain out says."""
    squared, absolute = gains(rows, "mse"), gains(rows, "mae")
    domains = list(dict.fromkeys(row["domain"] for row in rows))
    columns = ["instead", *domains, "all, MSE", "all, MAE", "default kept without"]
    lines = []
    for name, of_domain in squared.items():
        kept = verdict(of_domain)
        cells = [
            name,
            *(percent(of_domain[domain]) for domain in domains),
            percent(fmean(of_domain.values())),
            percent(fmean(absolute[name].values())),
            f"{kept.kept} of {kept.domains}",
        ]
        lines.append(cells)
    return markdown_table(columns, lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the rules and write the table."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--sources", nargs="*", default=[], help="patterns of sources; all")
    parser.add_argument("--rules", nargs="*", default=[], help="patterns of rules; all")
    parser.add_argument("--page", type=Path, help="file to write the table to; printed without")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two are slower on problems of this size
    others = [rule for rule in RULES[1:] if is_chosen(rule.variant.name, options.rules)]
    rows: list[dict[str, Any]] = []
    for source in SOURCES:
        if is_chosen(source.name, options.sources):
            found = list(measure(source, (RULES[0], *others)))
            append_rows(options.out, found)
            rows += found
            show(f"{source.name}: {len(found)} rows")
    write_page(page_of(rows), options.page)


if __name__ == "__main__":
    main()

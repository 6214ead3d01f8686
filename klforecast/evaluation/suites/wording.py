"""How the scores of a row are said on one line."""

from collections.abc import Mapping
from typing import Any

from klforecast.evaluation.report.wording import number
from klforecast.evaluation.suites.published import reference_on


def scores_of(row: Mapping[str, Any]) -> str:
    """Return the scores of a row of a suite, beside those of the published seasonal naive.

    Examples
    --------
    >>> row = {"suite": "gift-eval", "config": "us_births/M/short", "mase": 0.380266, "crps": None}
    >>> scores_of(row)
    'MASE 0.3803 (0.500 of seasonal naive)  CRPS -'
    """
    if row["suite"] == "worlds":
        return _world_scores(row["world"])
    naive = reference_on(row["suite"])
    said = []
    for metric, digits in (("mase", 4), ("crps", 5)):
        text = f"{metric.upper()} {number(row[metric], digits)}"
        printed = None if naive is None else naive.score(metric, row["config"])
        if row[metric] is not None and printed:
            text += f" ({row[metric] / printed:.3f} of seasonal naive)"
        said.append(text)
    return "  ".join(said)


def _world_scores(world: Mapping[str, Any]) -> str:
    reached = world["references"][world["best"]]
    said = f"{world['metric'].upper()} {world['error']:.4g}, {world['best']} {reached:.4g}"
    return f"{said}  broken: {', '.join(world['broken'])}" if world["broken"] else said

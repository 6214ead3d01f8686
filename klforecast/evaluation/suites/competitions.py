"""M1 and M3 by frequency and M4 by week, each series held out once at its official horizon.

The MASE has the competition's season (12, 4, 1 for months, quarters and years, one step for weeks)
and is averaged over all values of all series, which have one horizon within a part.
"""

from klforecast.data.competitions import COMPETITION_HORIZONS, load_competition
from klforecast.evaluation.suites.task import SuiteTask

COMPETITION_CONFIGS = tuple(COMPETITION_HORIZONS)
"""Names of the parts: competition and frequency."""

# Of the MASE as M4 has it (Makridakis et al. 2020): a year of months and quarters, one step else.
_SEASONS = {"yearly": 1, "quarterly": 4, "monthly": 12, "other": 1, "weekly": 1}
_DOMAINS = {"M1": "M1 micro to macro", "M3": "M3 micro to macro", "M4": "M4 weekly"}


def competition_task(config: str) -> SuiteTask:
    """Return a part of a competition with its data; `config` is one of `COMPETITION_CONFIGS`."""
    competition, kind = config.split("/")
    return SuiteTask(
        config,
        _DOMAINS[competition],
        load_competition(config),
        COMPETITION_HORIZONS[config],
        _SEASONS[kind],
        n_windows=1,
    )

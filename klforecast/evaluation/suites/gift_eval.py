"""The configurations of GIFT-Eval that can be rebuilt from small files, with its protocol.

    windows  = min(20, max(1, ceil(0.1 n / h)))      n: rows of the shortest series; one for M4
    horizon h: that of the frequency (of the competition for M4), 10 and 15 times as long for
    "medium" and "long"

Paper     Aksu et al. (2024), arXiv:2410.10393; the constants are those of its code
          (SalesforceAIResearch/gift-eval, src/gift_eval/data.py)
Season    of the MASE: that of the frequency, as GluonTS has it; one step for days and weeks
"""

import math

from klforecast.data.gift_eval import GIFT_EVAL_FREQUENCIES, load_gift_eval
from klforecast.evaluation.suites.task import SuiteTask

# Steps ahead by frequency, on M4, and by term; all from data.py, see above.
_SHORT = {"M": 12, "W": 8, "D": 30, "H": 48, "15T": 48, "10T": 48, "5T": 48, "10S": 60}
_SHORT_M4 = {"W": 13, "H": 48}  # those of the competition
_TERMS = {"short": 1, "medium": 10, "long": 15}  # multiples of the short horizon
# An hour of seconds, a day of minutes and hours, a year of months: gluonts.time_feature.get_seasonality.
_SEASON = {"M": 12, "W": 1, "D": 1, "H": 24, "15T": 96, "10T": 144, "5T": 288, "10S": 360}
_TEST_SHARE = 0.1  # of the shortest series
_MOST_WINDOWS = 20  # data.py, as above
_WITH_LONG_TERMS = (
    "ett1/15T",
    "ett1/H",
    "jena_weather/10T",
    "jena_weather/H",
    "bizitobs_application/10S",
    "bizitobs_l2c/5T",
    "bizitobs_l2c/H",
)
_DOMAINS = {
    "ett1": "electricity",
    "jena_weather": "weather",
    "us_births": "demography",
    "saugeen": "hydrology",
    "hospital": "health",
    "car_parts": "retail",
    "m4_weekly": "M4 weekly",
    "m4_hourly": "M4 hourly",
    "bizitobs_application": "web and IT",
    "bizitobs_l2c": "web and IT",
}

GIFT_EVAL_CONFIGS = tuple(
    f"{name}/{freq}/{term}"
    for name, frequencies in GIFT_EVAL_FREQUENCIES.items()
    for freq in frequencies
    for term in (_TERMS if f"{name}/{freq}" in _WITH_LONG_TERMS else ("short",))
)
"""Names of the 34 configurations: data set, frequency and term."""


def gift_eval_task(config: str) -> SuiteTask:
    """Return a configuration with its data.

    Parameters
    ----------
    config : str
        One of `GIFT_EVAL_CONFIGS`, such as ``"us_births/D/short"``.
    """
    name, freq, term = config.split("/")
    collection = load_gift_eval(name, freq)
    is_m4 = name.startswith("m4_")
    horizon = (_SHORT_M4 if is_m4 else _SHORT)[freq] * _TERMS[term]
    n_windows = 1 if is_m4 else count_windows(collection.shortest, horizon)
    return SuiteTask(config, _DOMAINS[name], collection, horizon, _SEASON[freq], n_windows)


def count_windows(n_rows: int, horizon: int) -> int:
    """Return how many windows cover the last tenth of the shortest series, from 1 to 20.

    Examples
    --------
    >>> count_windows(7305, 30), count_windows(84, 12), count_windows(1045, 8)
    (20, 1, 14)
    """
    return min(_MOST_WINDOWS, max(1, math.ceil(_TEST_SHARE * n_rows / horizon)))

"""The series of the M1 and M3 competitions, by frequency, and those of M4 by week.

M1 has 1,001 series (Makridakis et al. 1982, J. Forecasting 1(2)), M3 has 3,003 (Makridakis & Hibon
2000, Int. J. Forecasting 16(4)). Each has its own start, which is not told; rows are counted.
"""

import io
import json

import numpy as np
import pandas as pd

from klforecast.data.collections import Collection
from klforecast.data.files import OfficialFile, read
from klforecast.data.gift_eval import load_gift_eval

_FILES = {
    "M1": OfficialFile(
        "M1.json", ("e08fc5b681ea2aba89cb4aaa6208cd1dbf0051ccb459e98ec43f119eacb3f312",)
    ),
    "M3": OfficialFile(
        "M3.json", ("ac4d1e2db50e3843cb2c92dc1d41a69f72ace6eebb8accd8601114bb0f5e4f23",)
    ),
}
COMPETITION_HORIZONS: dict[str, int] = {
    "M1/yearly": 6,
    "M1/quarterly": 8,
    "M1/monthly": 18,
    "M3/yearly": 6,
    "M3/quarterly": 8,
    "M3/monthly": 18,
    "M3/other": 8,
    "M4/weekly": 13,
}
"""Official steps ahead of each part of a competition."""


def load_competition(name: str) -> Collection:
    """Load one part of a competition, the held-out rows at the end of each series.

    Parameters
    ----------
    name : str
        A key of `COMPETITION_HORIZONS`, such as ``"M3/monthly"``.

    Raises
    ------
    ValueError
        If the name is unknown.
    DataNotFoundError
        If the file is neither in the data folder nor could be downloaded.
    """
    if name not in COMPETITION_HORIZONS:
        raise ValueError(
            f"unknown part {name!r} of a competition; pass one of {', '.join(COMPETITION_HORIZONS)}"
        )
    competition, kind = name.split("/")
    if competition == "M4":
        weekly = load_gift_eval("m4_weekly", "W")
        return Collection(name, weekly.series, weekly.sha256, weekly.source)
    _, content, sha256 = read((_FILES[competition],))
    series = {
        entry["id"]: pd.DataFrame({"value": np.array(entry["x"] + entry["xx"], dtype=np.float64)})
        for entry in json.load(io.BytesIO(content))
        if entry["type"] == kind
    }
    return Collection(name, series, sha256, f"{competition} competition")

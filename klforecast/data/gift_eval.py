"""Data sets of GIFT-Eval that can be rebuilt from small public files, at each of their frequencies.

Paper     Aksu et al. (2024), "GIFT-Eval: A Benchmark For General Time Series Forecasting Model
          Evaluation", arXiv:2410.10393
Checked   seasonal naive on each of them has the published MASE and CRPS to five digits
          (tests/evaluation/suites/test_gift_eval.py)
Left out  ETTm2 ("ett2"), which is held out here, and the larger sets
"""

import io
from collections.abc import Callable
from functools import partial

import pandas as pd

from klforecast.data.collections import Collection, series_of_columns
from klforecast.data.datasets import WEATHER_FILE, load, read_dated
from klforecast.data.files import OfficialFile, read

_RESAMPLED = {"H": "h", "D": "D", "M": "MS"}
_BIRTHS = OfficialFile(
    "us_births.csv", ("cb3eb974c695aa313d9c97dc63ae6d9297a12420c75ca8204a1a2b56cd4ebe03",)
)
_SAUGEEN = OfficialFile(
    "saugeen.csv", ("3ee17c2370fd19b0b78e9071e97a8d53bac17bbc5aebd2f1d9f379659f0e703e",)
)
_HOSPITAL = OfficialFile(
    "hospital.csv", ("f215a4b4342121b30caa1bb4cd00bd254d62e64a10144b45c449c5aa3e77af01",)
)
_CAR_PARTS = OfficialFile(
    "car_parts.csv", ("6ee652007b0f7bcaa51dfcd2edab48493d4cacde7191ac00c0895bdda449f2d2",)
)
_M4_HOURLY = OfficialFile(
    "m4_hourly.csv", ("be81cdd8710f63017f2a4034404730b29b9131d9104acce7325873ba03ef83b3",)
)
_APPLICATION = OfficialFile(
    "bizitobs_application.csv",
    ("98546c8a6e4e40d7de433016d080a36e3c827cacc4a76f4eb566910edc5437db",),
)
_L2C = OfficialFile(
    "bizitobs_l2c.csv", ("16d0a4489ec84d5d9e46f105ee74fe0a28d05d838d703a1dd6c14b022e828b74",)
)


def load_gift_eval(name: str, freq: str) -> Collection:
    """Load a data set of GIFT-Eval at one of its frequencies.

    Parameters
    ----------
    name, freq : str
        As GIFT-Eval writes them: ``"us_births"``, ``"W"``.

    Raises
    ------
    ValueError
        If the data set, or the frequency, is not one that can be rebuilt.
    DataNotFoundError
        If the file is neither in the data folder nor could be downloaded.
    """
    known = GIFT_EVAL_FREQUENCIES.get(name)
    if known is None or freq not in known:
        names = ", ".join(f"{n}/{f}" for n, fs in GIFT_EVAL_FREQUENCIES.items() for f in fs)
        raise ValueError(f"unknown data set {name}/{freq} of GIFT-Eval; pass one of {names}")
    return _LOADERS[name](name, freq)


def _single(name: str, freq: str, rows: pd.DataFrame, sha256: str, source: str) -> Collection:
    return Collection(f"{name}/{freq}", {name: rows}, sha256, source)


def _means(frame: pd.DataFrame, rule: str) -> pd.DataFrame:
    return frame.resample(rule).mean()


def _ett1(name: str, freq: str) -> Collection:
    data = load("ETTm1")
    frame = data.frame
    if freq == "H":
        frame = _means(frame, "h")
    elif freq in ("D", "W"):
        # The file ends within a day and within a week.
        frame = _means(frame, {"D": "D", "W": "W-THU"}[freq]).iloc[:-1]
    return _single(name, freq, frame, data.sha256, data.source)


def _jena(name: str, freq: str) -> Collection:
    frame, sha256 = read_dated(WEATHER_FILE)
    # One stamp stands twice and nine are missing: on the regular grid the twins are averaged and
    # the missing rows are NaN, and so are the published numbers of seasonal naive met exactly.
    frame = _means(frame, "10min")
    if freq != "10T":
        # The last row, at midnight, is alone in its hour and its day.
        frame = _means(frame, _RESAMPLED[freq]).iloc[:-1]
    source = "Max Planck Institute for Biogeochemistry, Jena, https://www.bgc-jena.mpg.de/wetter"
    return _single(name, freq, frame, sha256, source)


def _births(name: str, freq: str) -> Collection:
    frame, sha256 = _read_regular(_BIRTHS)
    if freq == "W":
        frame = frame.resample("W-TUE").sum().iloc[:-1]  # the file ends within a week
    elif freq == "M":
        frame = frame.resample("MS").sum()
    return _single(name, freq, frame, sha256, "R package mosaicData, Births")


def _saugeen(name: str, freq: str) -> Collection:
    frame, sha256 = _read_regular(_SAUGEEN)
    if freq == "W":
        frame = _means(frame, "W-THU").iloc[:-1]  # the file ends within a week
    elif freq == "M":
        frame = _means(frame, "MS")
    return _single(name, freq, frame, sha256, "Monash archive, Saugeen River flow")


def _bizitobs(name: str, freq: str, file: OfficialFile) -> Collection:
    frame, sha256 = _read_regular(file)
    if freq == "H":
        frame = _means(frame, "h")
    return _single(name, freq, frame, sha256, "BizITObs, as published in GIFT-Eval")


def _read_regular(file: OfficialFile) -> tuple[pd.DataFrame, str]:
    frame, sha256 = read_dated(file)
    frame.index = pd.DatetimeIndex(frame.index, freq=pd.infer_freq(frame.index))
    return frame, sha256


def _columns(
    name: str, freq: str, file: OfficialFile, source: str, start: str | None
) -> Collection:
    _, content, sha256 = read((file,))
    table = pd.read_csv(io.BytesIO(content), index_col=0)
    series = series_of_columns(table, start, None if start is None else _RESAMPLED[freq])
    return Collection(f"{name}/{freq}", series, sha256, source)


def _m4_weekly(name: str, freq: str) -> Collection:
    data = load("M4Weekly")
    series = {
        str(label): rows.droplevel(0).set_index(pd.RangeIndex(len(rows)))
        for label, rows in data.frame.groupby(level=0, sort=False)
    }
    return Collection(f"{name}/{freq}", series, data.sha256, data.source)


_LOADERS: dict[str, Callable[[str, str], Collection]] = {
    "ett1": _ett1,
    "jena_weather": _jena,
    "us_births": _births,
    "saugeen": _saugeen,
    "hospital": partial(
        _columns, file=_HOSPITAL, source="R package expsmooth, hospital", start="2000-01-01"
    ),
    "car_parts": partial(
        _columns, file=_CAR_PARTS, source="R package expsmooth, carparts", start="1998-01-01"
    ),
    "m4_weekly": _m4_weekly,
    "m4_hourly": partial(
        _columns,
        file=_M4_HOURLY,
        source="https://github.com/Mcompetitions/M4-methods",
        start=None,
    ),
    "bizitobs_application": partial(_bizitobs, file=_APPLICATION),
    "bizitobs_l2c": partial(_bizitobs, file=_L2C),
}

GIFT_EVAL_FREQUENCIES: dict[str, tuple[str, ...]] = {
    "ett1": ("15T", "H", "D", "W"),
    "jena_weather": ("10T", "H", "D"),
    "us_births": ("D", "W", "M"),
    "saugeen": ("D", "W", "M"),
    "hospital": ("M",),
    "car_parts": ("M",),
    "m4_weekly": ("W",),
    "m4_hourly": ("H",),
    "bizitobs_application": ("10S",),
    "bizitobs_l2c": ("5T", "H"),
}
"""Frequencies of each data set that is rebuilt, in GIFT-Eval's letters."""

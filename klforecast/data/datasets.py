"""Public series by name, with what a benchmark has to say about them.

Files are found, or downloaded, and checked by `klforecast.data.files`; this module knows what the
files mean. Each series keeps its own unit and every row of its file.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from klforecast.data.files import OfficialFile, read
from klforecast.data.splits import Borders, ett_borders, ratio_borders

_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small"
_TSLIB = "https://huggingface.co/datasets/thuml/Time-Series-Library/resolve/main"
_LSTNET = "https://raw.githubusercontent.com/laiguokun/multivariate-time-series-data/master"
_M4 = "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset"

WEATHER_FILE = OfficialFile(
    "weather.csv",
    ("34ee981d07313e51da2a50bb600072c8ae4a69cb4b0651f4cb93a069d7a2ba63",),
    f"{_TSLIB}/weather/weather.csv",
)
"""Weather of 2020 at Jena, a row every ten minutes."""


@dataclass(frozen=True)
class Dataset:
    """A named series or panel and the facts that a benchmark row quotes.

    Parameters
    ----------
    name : str
        Name to load it by.
    frame : DataFrame of float64
        One row per step, one column per channel. A panel has a MultiIndex (series, step).
    sha256 : str
        Checksum of the uncompressed official file (of all files, one after the other); of the
        values as little-endian float64 for a series that is bundled with sktime.
    periods : tuple of int
        Seasonal periods that are known from the calendar, in steps, shortest first.
    borders : Borders or None
        Ends of the training, validation and test parts of the published protocol.
    target : str
        Column that univariate results are about.
    covariates : tuple of str
        Columns that explain the others and are not forecast themselves.
    horizon : int or None
        Official horizon in steps, where there is one: the last `horizon` steps of each series are
        then its test part.
    source : str
        Where the data come from.
    licence : str
        Terms of the publisher.
    note : str
        What to know before using it; empty if nothing.

    Examples
    --------
    >>> data = load("airline")
    >>> data.name, data.frame.shape, data.periods
    ('airline', (144, 1), (12,))
    """

    name: str
    frame: pd.DataFrame
    sha256: str
    periods: tuple[int, ...]
    borders: Borders | None
    target: str
    source: str
    licence: str
    covariates: tuple[str, ...] = ()
    horizon: int | None = None
    note: str = ""


def load(name: str) -> Dataset:
    """Load a data set by name.

    A file of the official name anywhere under the folder that ``KLFORECAST_DATA`` names comes
    first (plain, ``.gz`` or ``.zip``), then a download into the user's cache, for which pooch logs
    one line. Series that are bundled with sktime need neither.

    Parameters
    ----------
    name : str
        One of `dataset_names`, in any case.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the name is unknown.
    DataNotFoundError
        If the file is neither in the folder nor could be downloaded.
    KLForecastError
        If a file was found that is not the official one.

    Examples
    --------
    >>> airline = load("airline")
    >>> airline.frame.shape, airline.periods, airline.frame.index.freqstr
    ((144, 1), (12,), 'M')
    """
    known = {official.lower(): official for official in _LOADERS}.get(name.lower())
    if known is None:
        raise ValueError(f"unknown data set {name!r}; pass one of {', '.join(_LOADERS)}")
    return _LOADERS[known](known)


def dataset_names() -> tuple[str, ...]:
    """Names that `load` knows.

    Examples
    --------
    >>> "ETTh1" in dataset_names()
    True
    """
    return tuple(_LOADERS)


def _ett(name: str, sha256: str, steps_per_hour: int) -> Dataset:
    file = OfficialFile(f"{name}.csv", (sha256,), f"{_ETT}/{name}.csv")
    day = 24 * steps_per_hour
    return _dated(
        name,
        file,
        periods=(day, 7 * day),
        borders=ett_borders(steps_per_hour),
        source="https://github.com/zhouhaoyi/ETDataset",
        licence="CC BY-ND 4.0",
    )


def _dated(
    name: str,
    file: OfficialFile,
    periods: tuple[int, ...],
    source: str,
    licence: str,
    borders: Borders | None = None,
    note: str = "",
) -> Dataset:
    """Csv file with a column of dates and the target OT in the last column."""
    frame, sha256 = read_dated(file)
    frame.index, irregular = _regular_index(pd.DatetimeIndex(frame.index))
    return Dataset(
        name=name,
        frame=frame,
        sha256=sha256,
        periods=periods,
        borders=borders or ratio_borders(len(frame)),
        target="OT",
        source=source,
        licence=licence,
        note="; ".join(filter(None, (irregular, note))),
    )


def read_dated(file: OfficialFile) -> tuple[pd.DataFrame, str]:
    """Rows of a csv file under its own dates, as they stand in it, and the file's checksum."""
    _, content, sha256 = read((file,))
    frame = pd.read_csv(io.BytesIO(content))
    frame.index = pd.DatetimeIndex(frame.pop("date"), name="date")
    # The published Weather file has one replacement character for each sign beyond ASCII.
    frame.columns = frame.columns.str.replace("\ufffdmol/m\ufffd", "µmol/m²").str.replace(
        "W/m\ufffd", "W/m²"
    )
    return frame.astype(np.float64), sha256


def _regular_index(dates: pd.DatetimeIndex) -> tuple[pd.Index, str]:
    """Index with a frequency; row numbers and the reason for them, where the dates have none."""
    freq = pd.infer_freq(dates)
    if freq is not None:
        return pd.DatetimeIndex(dates, freq=freq, name="date"), ""
    steps = pd.Series(dates).diff()
    usual = steps.mode()[0]
    odd = dates[steps.notna() & (steps != usual)]
    reason = (
        f"the index counts rows, because {len(odd)} of the steps between dates are not the usual "
        f"{usual} (before {', '.join(str(date) for date in odd[:3])})"
    )
    return pd.RangeIndex(len(dates)), reason


def _exchange(name: str) -> Dataset:
    files = (
        OfficialFile(
            "exchange_rate.txt",
            ("0127465b51e3cd3c360f8eb2be30cfd294689a2a55903eb8245aafc396626c7f",),
            f"{_LSTNET}/exchange_rate/exchange_rate.txt.gz",
        ),
        OfficialFile(
            "exchange_rate.csv",
            ("48b4d9d3d508f5104162e85b9a6042e3557fde11aa9f2944eba8c0d0efc89842",),
        ),
    )
    file, content, sha256 = read(files)
    if file.name == "exchange_rate.txt":
        frame = pd.read_csv(io.BytesIO(content), header=None)
    else:
        frame = pd.read_csv(io.BytesIO(content)).drop(columns="date")
    frame.columns = pd.Index(["AUD", "GBP", "CAD", "CHF", "CNY", "JPY", "NZD", "SGD"])
    return Dataset(
        name=name,
        frame=frame.astype(np.float64),
        sha256=sha256,
        periods=(),
        borders=ratio_borders(len(frame)),
        target="SGD",
        source="https://github.com/laiguokun/multivariate-time-series-data",
        licence="none stated",
        note="the index counts trading days of 1990 to 2016, because the source gives no dates",
    )


def _vic_elec(name: str) -> Dataset:
    file = OfficialFile(
        "vic_elec.csv", ("65d687c0792071346b3c9054080503fd559bb40cfadc528cae751f2a3cf9601d",)
    )
    _, content, sha256 = read((file,))
    frame = pd.read_csv(io.BytesIO(content)).drop(columns="Date")
    frame.index, note = _regular_index(pd.DatetimeIndex(frame.pop("Time")))
    return Dataset(
        name=name,
        frame=frame.astype(np.float64),
        sha256=sha256,
        periods=(48, 336),
        borders=ratio_borders(len(frame)),
        target="Demand",
        covariates=("Temperature", "Holiday"),
        source="https://cran.r-project.org/package=tsibbledata",
        licence="GPL-3 (package)",
        note=note or "dates are in UTC, so the day of Melbourne moves by an hour in summer",
    )


def _m4_weekly(name: str) -> Dataset:
    train_file = OfficialFile(
        "Weekly-train.csv",
        ("d478d3f6ed673e6ed3c2cb0fbed5425f72eedd51318ebebeb0b5ecfcefc37714",),
        f"{_M4}/Train/Weekly-train.csv",
    )
    test_file = OfficialFile(
        "Weekly-test.csv",
        ("3b2bc4be8e636e802260dcd843ca3c5da40536a1fbe1ecb3229a97dae4f44688",),
        f"{_M4}/Test/Weekly-test.csv",
    )
    _, train_content, _ = read((train_file,))
    _, test_content, _ = read((test_file,))
    train = pd.read_csv(io.BytesIO(train_content), index_col=0)
    test = pd.read_csv(io.BytesIO(test_content), index_col=0)
    series = [
        np.concatenate([row[~np.isnan(row)], last])
        for row, last in zip(train.to_numpy(), test.to_numpy(), strict=True)
    ]
    index = pd.MultiIndex.from_arrays(
        [
            np.repeat(train.index, [len(values) for values in series]),
            np.concatenate([np.arange(len(values)) for values in series]),
        ],
        names=["series", "week"],
    )
    return Dataset(
        name=name,
        frame=pd.DataFrame({"value": np.concatenate(series)}, index=index),
        sha256=hashlib.sha256(train_content + test_content).hexdigest(),
        periods=(52,),
        borders=None,
        target="value",
        horizon=test.shape[1],
        source="https://github.com/Mcompetitions/M4-methods",
        licence="CC BY 4.0",
        note="series of unequal length and unrelated origin; the index counts weeks of a series",
    )


def _bundled(name: str, loader: str, periods: tuple[int, ...]) -> Dataset:
    # Imported here: no other data set needs sktime, which takes seconds to import.
    from sktime import datasets as sktime_datasets

    loaded = getattr(sktime_datasets, loader)()
    series, covariates = loaded if isinstance(loaded, tuple) else (loaded, None)
    frame = pd.concat([series, covariates], axis=1).astype(np.float64)
    values = np.ascontiguousarray(frame.to_numpy(), dtype="<f8")
    return Dataset(
        name=name,
        frame=frame,
        sha256=hashlib.sha256(values.tobytes()).hexdigest(),
        periods=periods,
        borders=None,
        target=str(frame.columns[0]),
        covariates=() if covariates is None else tuple(covariates.columns),
        source=f"sktime.datasets.{loader}",
        licence="BSD-3-Clause (sktime)",
    )


# Checksums are those of the official files; periods are the cycles of each calendar, in steps.
_LOADERS: dict[str, Callable[[str], Dataset]] = {
    "ETTh1": partial(
        _ett,
        sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
        steps_per_hour=1,
    ),
    "ETTh2": partial(
        _ett,
        sha256="a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
        steps_per_hour=1,
    ),
    "ETTm1": partial(
        _ett,
        sha256="6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
        steps_per_hour=4,
    ),
    "ETTm2": partial(
        _ett,
        sha256="db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd",
        steps_per_hour=4,
    ),
    "Weather": partial(
        _dated,
        file=WEATHER_FILE,
        periods=(144,),
        source="Max Planck Institute for Biogeochemistry, Jena, https://www.bgc-jena.mpg.de/wetter",
        licence="terms of the provider, cite it",
        note="-9999 marks a missing reading and is kept, as the published results keep it",
    ),
    "Exchange": _exchange,
    "ILI": partial(
        _dated,
        file=OfficialFile(
            "national_illness.csv",
            (
                "93601f64d2566dc796ca4305adad8b8560c2db1a1ff04543c3bd813a7263570a",
                "8594cecb98c6f2f9dc014eca11c4d5d1e38ad5ce6ed0592d4abe65b146fce395",
            ),
            f"{_TSLIB}/illness/national_illness.csv",
        ),
        periods=(52,),
        source="US Centers for Disease Control and Prevention, https://gis.cdc.gov/grasp/fluview",
        licence="public domain",
    ),
    "Electricity": partial(
        _dated,
        file=OfficialFile(
            "electricity.csv",
            ("7e45845d54c5219bad0ae6bc1b5316cf8ff9cead5d33fa998a5a51c2e4a497ad",),
            f"{_TSLIB}/electricity/electricity.csv",
        ),
        periods=(24, 168),
        source="https://archive.ics.uci.edu/dataset/321/electricityloaddiagrams20112014",
        licence="CC BY 4.0",
    ),
    "Traffic": partial(
        _dated,
        file=OfficialFile(
            "traffic.csv",
            ("cb06463d56fa17d87f47027cd9389ceae82a69eddee51cdb61480e120dab0b16",),
            f"{_TSLIB}/traffic/traffic.csv",
        ),
        periods=(24, 168),
        source="California Department of Transportation, https://pems.dot.ca.gov",
        licence="terms of the provider, cite it",
    ),
    "VicElec": _vic_elec,
    "M4Weekly": _m4_weekly,
    "airline": partial(_bundled, loader="load_airline", periods=(12,)),
    "lynx": partial(_bundled, loader="load_lynx", periods=()),
    "shampoo": partial(_bundled, loader="load_shampoo_sales", periods=(12,)),
    "longley": partial(_bundled, loader="load_longley", periods=()),
    "uschange": partial(_bundled, loader="load_uschange", periods=()),
    "PBS": partial(_bundled, loader="load_PBS_dataset", periods=(12,)),
    "macroeconomic": partial(_bundled, loader="load_macroeconomic", periods=()),
}

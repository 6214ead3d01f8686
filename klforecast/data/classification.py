"""Labelled series by name: UCR and UEA sets with their official split, and MNIST row by row.

Read from the folder that ``KLFORECAST_DATA`` names, as ``NAME_TRAIN.tsv`` and ``NAME_TEST.tsv`` (UCR
2018) or ``.ts`` (UEA), plain or compressed; else from what is bundled with sktime.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from sktime.datasets import (
    load_acsf1,
    load_arrow_head,
    load_basic_motions,
    load_gunpoint,
    load_italy_power_demand,
    load_japanese_vowels,
    load_osuleaf,
    load_plaid,
    load_unit_test,
)

from klforecast.data.files import FOLDER_VARIABLE, find, uncompressed
from klforecast.exceptions import DataNotFoundError, KLForecastError

_BUNDLED = {
    "ACSF1": load_acsf1,
    "ArrowHead": load_arrow_head,
    "BasicMotions": load_basic_motions,
    "GunPoint": load_gunpoint,
    "ItalyPowerDemand": load_italy_power_demand,
    "JapaneseVowels": load_japanese_vowels,
    "OSULeaf": load_osuleaf,
    "PLAID": load_plaid,
    "UnitTest": load_unit_test,
}
# Images of the official test part: the first rows train and the last ones test.
_MNIST = {"images": "t10k-images-idx3-ubyte", "labels": "t10k-labels-idx1-ubyte"}
_MNIST_TRAIN = 8000  # of 10,000: four fifths


class LabelledSeries(NamedTuple):
    """One part of a set: series, (channels, length) each, and their classes."""

    series: list[np.ndarray]
    labels: np.ndarray


class ClassificationSet(NamedTuple):
    """A set with its official split.

    Attributes
    ----------
    name : str
    train, test : LabelledSeries
    sha256 : str
        Checksum of all values and labels, as they are held here.
    """

    name: str
    train: LabelledSeries
    test: LabelledSeries
    sha256: str


def load_labelled(name: str) -> ClassificationSet:
    """Load a set by its name in the archives; "MNIST" for the images as series of 784 steps.

    Parameters
    ----------
    name : str
        As the archive spells it; case does not matter.

    Raises
    ------
    DataNotFoundError
        If the set is neither in the data folder nor bundled with sktime.
    KLForecastError
        If a file is not of the form that its name says.
    """
    if name.upper() == "MNIST":
        return _with_checksum("MNIST", *_read_mnist())
    official = {bundled.lower(): bundled for bundled in _BUNDLED}.get(name.lower(), name)
    for suffix, parse in ((".tsv", _parse_tsv), (".ts", _parse_ts)):
        paths = [find(f"{official}_{part}{suffix}") for part in ("TRAIN", "TEST")]
        if all(path is not None for path in paths):
            contents = [
                uncompressed(path, f"{official}_{part}{suffix}").decode("utf-8", "replace")
                for path, part in zip(paths, ("TRAIN", "TEST"), strict=True)
                if path is not None
            ]
            return _with_checksum(official, *(parse(content) for content in contents))
    if official in _BUNDLED:
        parts = [_from_sktime(official, part) for part in ("train", "test")]
        return _with_checksum(official, *parts)
    raise DataNotFoundError(
        f"{name}_TRAIN and {name}_TEST (.tsv or .ts, plain or compressed) were not found; put them "
        f"anywhere under a folder and set {FOLDER_VARIABLE} to it, or load one of "
        f"{', '.join(_BUNDLED)}, which are bundled with sktime"
    )


def _with_checksum(name: str, train: LabelledSeries, test: LabelledSeries) -> ClassificationSet:
    digest = hashlib.sha256()
    for part in (train, test):
        for values in part.series:
            digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        digest.update("\n".join(map(str, part.labels)).encode())
    return ClassificationSet(name, train, test, digest.hexdigest())


def _parse_tsv(content: str) -> LabelledSeries:
    """One series in a line, its class first; shorter series end in NaN."""
    rows = [line.split("\t") for line in content.splitlines() if line.strip()]
    try:
        series = [_trimmed(np.array(row[1:], dtype=np.float64)[None]) for row in rows]
    except ValueError as error:
        raise KLForecastError(f"a value of a .tsv file is not a number ({error})") from error
    return LabelledSeries(series, np.array([row[0] for row in rows]))


def _parse_ts(content: str) -> LabelledSeries:
    """One series in a line, its channels and its class divided by colons; ? is missing."""
    series, labels = [], []
    for line in _data_lines(content):
        *channels, label = line.split(":")
        try:
            values = [
                np.array(channel.replace("?", "nan").split(","), float) for channel in channels
            ]
            series.append(_trimmed(np.stack(values)))
        except ValueError as error:
            raise KLForecastError(f"a line of a .ts file cannot be read ({error})") from error
        labels.append(label.strip())
    return LabelledSeries(series, np.array(labels))


def _data_lines(content: str) -> Iterator[str]:
    lines = iter(content.splitlines())
    for line in lines:
        if line.strip().lower() == "@data":
            break
    return (line for line in lines if line.strip())


def _trimmed(values: np.ndarray) -> np.ndarray:
    """Without the missing steps at the end, which stand for a shorter series."""
    seen = np.flatnonzero(~np.isnan(values).all(axis=0))
    return values[:, : seen[-1] + 1 if len(seen) else 0]


def _from_sktime(name: str, part: str) -> LabelledSeries:
    frame, labels = _BUNDLED[name](split=part, return_X_y=True, return_type="nested_univ")
    series = [_trimmed(_stacked(row)) for row in frame.itertuples(index=False)]
    return LabelledSeries(series, np.asarray(labels).astype(str))


def _stacked(channels: tuple[pd.Series, ...]) -> np.ndarray:
    return np.stack([np.asarray(channel, dtype=np.float64) for channel in channels])


def _read_mnist() -> tuple[LabelledSeries, LabelledSeries]:
    contents = {}
    for what, name in _MNIST.items():
        path = find(name)
        if path is None:
            raise DataNotFoundError(
                f"{name} (plain or .gz) was not found; put it anywhere under a folder and set "
                f"{FOLDER_VARIABLE} to it"
            )
        contents[what] = np.frombuffer(uncompressed(path, name), dtype=np.uint8)
    pixels = contents["images"][16:].reshape(-1, 1, 784) / 255
    labels = contents["labels"][8:].astype(str)
    border = _MNIST_TRAIN
    return (
        LabelledSeries(list(pixels[:border]), labels[:border]),
        LabelledSeries(list(pixels[border:]), labels[border:]),
    )

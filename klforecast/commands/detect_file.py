"""Outliers and changes of level in the series of a file."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from klforecast.commands.forecast_file import chosen_series
from klforecast.commands.series_file import SeriesFile
from klforecast.estimators.detection.series import LEAST_ROWS
from klforecast.estimators.detector import KLMemoryDetector


class Found(NamedTuple):
    """What was found in a file.

    Attributes
    ----------
    file : SeriesFile
    rate : float
        The false alarm rate.
    verdicts : DataFrame, indexed by series and time
        As `KLMemoryDetector.verdicts` gives them.
    detections : DataFrame
        Columns series, time, value, expected, p_value, kind.
    notes : list of str
        Of the file and of the fits.
    """

    file: SeriesFile
    rate: float
    verdicts: pd.DataFrame
    detections: pd.DataFrame
    notes: list[str]


def detect_file(
    file: SeriesFile, rate: float, cycle: int | None, on_stage: Callable[[str], None]
) -> Found:
    """Fit a detector to the series of a file, and judge the same rows.

    Raises
    ------
    ValueError
        If no series is long enough, or the detector cannot use the rows.
    """
    lengths = file.lengths
    kept = lengths.index[lengths >= LEAST_ROWS]
    if not len(kept):
        raise ValueError(
            f"{file.name}: the longest series ({lengths.idxmax()}) has {lengths.max()} rows, and "
            f"detection takes {LEAST_ROWS}; pass a longer file"
        )
    notes = file.notes_without_short(LEAST_ROWS)
    y, _ = chosen_series(file, kept)
    on_stage(f"forecasting {len(y):,} rows")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        detector = KLMemoryDetector(rate, cycle=cycle).fit(y)
        verdicts = detector.verdicts(y)
        detections = detector.detections(y)
    notes += dict.fromkeys(str(warning.message) for warning in caught)
    if "series" not in detections:
        detections.insert(0, "series", kept[0])
        verdicts = pd.concat({kept[0]: verdicts}, names=file.panel.index.names)
    written = file.written(detections.drop(columns="channel"), "time")
    return Found(file, rate, verdicts, written, notes)

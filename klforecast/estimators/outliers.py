"""The outliers of known rows, as a tidy frame."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from klforecast.estimators.frames.panel import Key, TimeSeries, series_label
from klforecast.estimators.window_reader import WindowReader

_COLUMNS = ("series", "time", "channel", "value", "usual")


def outlier_frame(
    reader: WindowReader, known: Mapping[Key, TimeSeries], channels: pd.Index
) -> pd.DataFrame:
    """One line for each value that is read as what would have been usual.

    Parameters
    ----------
    reader : WindowReader
    known : mapping of tuple to TimeSeries
    channels : Index
        Their labels.

    Returns
    -------
    DataFrame
        Of "series", "time", "channel", "value" and "usual", both in the units of the data.
    """
    lines = []
    for (key, part), read in zip(known.items(), reader.rows_read(list(known.items())), strict=True):
        residual = reader.residual_rows(key, part)
        changed = np.isfinite(residual) & (read != residual)
        for row, channel in np.argwhere(changed).tolist():
            value = part.values[row, channel]
            usual = value + (read[row, channel] - residual[row, channel])
            stamp = part.index[row]
            lines.append((series_label(key), stamp, channels[channel], value, usual))
    return pd.DataFrame(lines, columns=list(_COLUMNS))

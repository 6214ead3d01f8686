"""Picture of what a detector says: the rows and what was expected, the events, and the p-values."""

from typing import TYPE_CHECKING

import pandas as pd

from klforecast.estimators.plots import style
from klforecast.estimators.plots.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colour and sign of each kind of event.
_MARKS = {
    "outlier": (style.MODELS[1][0], "o"),
    "shift up": (style.MODELS[2][0], "^"),
    "shift down": (style.MODELS[3][0], "v"),
}
_LEAST_P = 1e-6  # drawn; below it one is as surprising as another


def plot_detections(
    verdicts: pd.DataFrame,
    *,
    rate: float | None = None,
    series: object = None,
    name: str | None = None,
    unit: str | None = None,
) -> "Figure":
    """Draw one series with what was expected of it and what was found, and its p-values below.

    Parameters
    ----------
    verdicts : DataFrame
        As `KLMemoryDetector.verdicts` gives it.
    rate : float, optional
        The false alarm rate, drawn as a line.
    series : label, optional
        Of a panel, the series to draw; the first one by default.
    name, unit : str, optional
        What the values are, for the name of their axis; by default their column.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no such series.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast import KLMemoryDetector
    >>> y = load_airline()
    >>> figure = plot_detections(KLMemoryDetector().fit(y).verdicts(y), rate=0.01, unit="thousands")
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['Number of airline passengers (thousands)', 'p-value']
    """
    rows = _one_series(verdicts, series)
    stamps = style.drawable(rows.index)
    figure = new_figure((9, 5))
    above, below = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    above.plot(stamps, rows["value"].to_numpy(), color=style.INK, linewidth=1, label="actual")
    colour, dashes = style.MODELS[0]
    expected = rows["expected"].to_numpy()
    above.plot(stamps, expected, color=colour, linestyle=dashes, linewidth=0.8, label="expected")
    for kind, (own, sign) in _MARKS.items():
        places = (rows["kind"] == kind).to_numpy()
        if places.any():
            values = rows["value"].to_numpy()[places]
            above.plot(stamps[places], values, sign, color=own, markersize=7, label=kind)
            if kind != "outlier":
                for stamp in stamps[places]:
                    above.axvline(stamp, color=own, linewidth=1, zorder=0)
    shown = rows["channel"].iloc[0] if name is None else name
    above.set_ylabel(style.value_label(shown, unit))
    for column, label, grey in (
        ("p_value", "row", style.INK),
        ("shift_p_value", "cycle", style.MUTED),
    ):
        p = rows[column].clip(lower=_LEAST_P).to_numpy()
        below.plot(stamps, p, color=grey, linewidth=0.8, label=label)
    if rate is not None:
        below.axhline(
            rate, color=style.MODELS[1][0], linestyle="--", linewidth=1, label=f"rate {rate:g}"
        )
    below.set_yscale("log")
    below.set_ylabel("p-value")
    below.set_xlabel(style.time_label(rows.index))
    for ax in (above, below):
        style.legend_above(ax)
        style.tidy_axes(ax)
    return figure


def _one_series(verdicts: pd.DataFrame, series: object) -> pd.DataFrame:
    if not isinstance(verdicts.index, pd.MultiIndex):
        return verdicts
    labels = verdicts.index.droplevel(-1)
    wanted = labels[0] if series is None else series
    if wanted not in labels:
        raise ValueError(
            f"there is no series {wanted!r}; there are {list(labels.unique()[:5])}, for example"
        )
    rows = verdicts[labels == wanted]
    return rows.droplevel(list(range(rows.index.nlevels - 1)))

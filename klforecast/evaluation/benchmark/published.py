"""Published accuracy to hold measured rows against; read from `published.json`.

Only numbers that could be read at their source are in the file, with the lookback they were
reached at and with what is known of the loader that scored them: "clean" scores every test window,
"one window per batch" loses none either, "skewed" drops the last incomplete batch, "mixed" and
"unknown" speak for themselves.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import fmean
from typing import Any

# Steps ahead that the papers report for all data sets, from Autoformer (arXiv:2106.13008) on.
STANDARD_HORIZONS = (96, 192, 336, 720)
ILI_HORIZONS = (24, 36, 48, 60)  # the same papers, for the weekly influenza data of 966 rows
_TRUSTED_LOADERS = ("clean", "one window per batch")


@dataclass(frozen=True)
class Published:
    """One published result.

    Attributes
    ----------
    model : str
        Name in print.
    peer : str or None
        Name in this harness, for the number that our own run of the model is to reach.
    dataset, regime : str
        As in a benchmark row; the two regimes are never mixed.
    lookback : int or str
        Steps of the past, or how they were chosen.
    mse : dict of int to float, or None
        Per horizon, where it was printed.
    mse_average, mae_average : float or None
        Over the four horizons.
    loader : str
        What is known of the windows that were scored.
    source : str
        Where the number was read.
    encoder : str or None
        Name in `klforecast.modules.encoders.ENCODERS`, for the number that the encoder is to reach.
    """

    model: str
    peer: str | None
    dataset: str
    regime: str
    lookback: int | str
    mse: dict[int, float] | None
    mse_average: float | None
    mae_average: float | None
    loader: str
    source: str
    encoder: str | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether every test window was scored."""
        return self.loader in _TRUSTED_LOADERS

    def average(self, horizons: Sequence[int]) -> float | None:
        """MSE over these horizons: the printed average if they are the standard ones.

        Examples
        --------
        >>> published_for("ETTh1", "lookback96")[0].average([96, 192])
        0.388
        """
        if tuple(horizons) == standard_horizons(self.dataset):
            return self.mse_average
        values = [(self.mse or {}).get(horizon) for horizon in horizons]
        if None in values:
            return None
        return fmean(value for value in values if value is not None)


def standard_horizons(dataset: str) -> tuple[int, ...]:
    """Return the horizons that results on a data set are averaged over."""
    return ILI_HORIZONS if dataset == "ILI" else STANDARD_HORIZONS


@cache
def published_results() -> tuple[Published, ...]:
    """Return all published results, in the order of the file."""
    entries = json.loads((files(__package__) / "published.json").read_text())
    for entry in entries:
        if entry["mse"] is not None:
            entry["mse"] = {int(horizon): value for horizon, value in entry["mse"].items()}
    return tuple(Published(**entry) for entry in entries)


def published_for(dataset: str, regime: str) -> list[Published]:
    """Return the results on a data set in a regime, best average first.

    Examples
    --------
    >>> published_for("ETTh1", "lookback96")[0].model
    'OLinear'
    """
    found = [p for p in published_results() if p.dataset == dataset and p.regime == regime]
    return sorted(found, key=lambda p: (p.mse_average is None, p.mse_average))


def published_average(model: str, dataset: str, regime: str) -> dict[str, Any] | None:
    """Return the printed average that our run of a peer is to reach, for its row; None if unknown.

    A peer that was published at a lookback of 96 only is held to that number in both regimes.

    Examples
    --------
    >>> published_average("rlinear", "ETTh1", "free")["mse"]
    0.4205
    """
    for entry in [*published_for(dataset, regime), *published_for(dataset, "lookback96")]:
        if entry.peer == model:
            return {"mse": entry.mse_average, "lookback": entry.lookback, "source": entry.source}
    return None


def published_encoder(encoder: str, dataset: str, horizon: int) -> dict[str, Any] | None:
    """Return the printed result that an encoder is to reach, for its row; None if unknown.

    Examples
    --------
    >>> published_encoder("olinear", "ETTh1", 192)["mse_at_horizon"]
    0.416
    """
    for entry in published_results():
        if (entry.encoder, entry.dataset) == (encoder, dataset):
            return {
                "mse": entry.mse_average,
                "mse_at_horizon": (entry.mse or {}).get(horizon),
                "lookback": entry.lookback,
                "loader": entry.loader,
                "source": entry.source,
            }
    return None

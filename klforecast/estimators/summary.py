"""What a fitted forecaster consists of, in a few lines: cycles, depth, memory, experts, covariates, expected error.

    share of an expert   its weight in the mixture, mean over channels and segments of the horizon
    expected error       mean over channels, windows out of fold and steps of |error|, in units of each channel

The error is that of the core on rows that it was not solved from; local experts lower it where they have a share.
"""

import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from klforecast.core.linear_core import LinearCore, Mixture
from klforecast.estimators.covariates.effects import Effects
from klforecast.estimators.covariates.table import Covariates

if TYPE_CHECKING:
    from klforecast.estimators.forecaster import KLMemoryForecaster

_NAMED = 5  # experts that are printed; the others share what is left
_BELOW = "\n" + " " * 15  # the next line of the second column
_LEAST = 0.005  # shares that are printed as 0 % are left out


class Summary(NamedTuple):
    """Facts about a fit; `print` gives them in words.

    Attributes
    ----------
    series, channels, rows : int
        Rows of all series together.
    horizon : int
        Steps that are forecast at once.
    periods : tuple of int
        Cycles in steps, the leading one first; 1 is none.
    input_length, memory_depth : int
        Steps that are read as they are, and steps that are read at all.
    components : int
        K-L components of the past before the input; 0 where no memory is in use.
    encoder : str
    experts : dict of str to float
        Shares of the experts of the linear core, largest first; empty where there is none.
    local_share : tuple of float
        Share of local experts in near and in far steps, mean over series and channels.
    covariates : tuple of label
        Columns of X, features of the calendar, long seasons, trading days, events of the year and days of the week
        whose effect is taken.
    outliers : int
        Values that are read as what would have been usual.
    expected_error : dict of label to float
        Mean absolute error by channel, in the units of y; empty where nothing could be held out.
    """

    series: int
    channels: int
    rows: int
    horizon: int
    periods: tuple[int, ...]
    input_length: int
    memory_depth: int
    components: int
    encoder: str
    experts: dict[str, float]
    local_share: tuple[float, float]
    covariates: tuple[Hashable, ...]
    outliers: int
    expected_error: dict[Hashable, float]

    def __str__(self) -> str:
        cycles = ", ".join(str(period) for period in self.periods if period > 1)
        named = list(self.experts.items())[:_NAMED]
        near, far = self.local_share
        lines = {
            "rows": f"{self.rows:,} of {self.series:,} series, {self.channels} channels each",
            "horizon": f"{self.horizon} steps",
            "cycles": f"{cycles} steps" if cycles else "none found",
            "reads": f"{self.memory_depth} steps, the last {self.input_length} as they are",
            "memory": f"{self.components} components of the steps before"
            if self.components
            else "not in use",
            "encoder": self.encoder,
            "experts": _BELOW.join(f"{share:.0%} {name}" for name, share in named if share > _LEAST)
            or "none",
            "local experts": f"{near:.0%} of near steps, {far:.0%} of far steps",
            "covariates": ", ".join(map(str, self.covariates)) or "none",
            "outliers": f"{self.outliers:,} values read as usual ones" if self.outliers else "none",
            "expected error": ", ".join(
                f"{label}: {error:.4g}" for label, error in self.expected_error.items()
            )
            or "not known",
        }
        return "\n".join(f"{name:<15}{value}" for name, value in lines.items())


def summarize(forecaster: "KLMemoryForecaster") -> Summary:
    """Collect the facts about a fitted forecaster.

    Parameters
    ----------
    forecaster : KLMemoryForecaster

    Returns
    -------
    Summary
    """
    known = forecaster.known_rows()
    module = forecaster.net_.module_
    core = module if isinstance(module, LinearCore) else module.core
    local = (0.0, 0.0) if forecaster._pool is None else forecaster._pool.share.mean(axis=(0, 1))
    return Summary(
        len(known),
        forecaster.n_channels_,
        sum(len(rows.values) for rows in known.values()),
        forecaster.horizon_,
        tuple(forecaster.periods_) or (forecaster.period_,),
        forecaster.input_length_,
        forecaster.memory_depth_,
        _components(module, forecaster.n_components_),
        forecaster.encoder,
        {} if core is None or core.mixture is None else _shares(core.mixture),
        (float(local[0]), float(local[1])),
        (
            *_kept(forecaster.effects_, forecaster._covariates),
            *([forecaster.returning_.words] if forecaster.returning_ is not None else []),
        ),
        len(forecaster.outliers()),
        _expected_errors(forecaster),
    )


def _components(module: torch.nn.Module, of_encoder: int) -> int:
    if isinstance(module, LinearCore):
        return module.modes.shape[1] if module.reads_components else 0
    return 0 if module.memory is None else of_encoder


def name_expert(name: str) -> str:
    """Name an expert by what it is, without the prior that it was given before any evidence.

    Examples
    --------
    >>> name_expert("LevelExpert(steps=12, prior=0.1)")
    'LevelExpert(steps=12)'
    """
    return re.sub(r", prior=[^,)]*|(?<=\()prior=[^,)]*,? ?", "", name)


def _shares(mixture: Mixture) -> dict[str, float]:
    shares: dict[str, float] = {}
    for name, share in zip(mixture.experts, mixture.weights.mean(dim=(0, 1)).tolist(), strict=True):
        shortened = name_expert(name)
        shares[shortened] = shares.get(shortened, 0.0) + share
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _kept(effects: Effects | None, covariates: Covariates | None) -> tuple[Hashable, ...]:
    """Names of the columns whose terms are in the effect."""
    if effects is None or covariates is None:
        return ()
    used = np.zeros(len(covariates.is_season), dtype=bool)
    used[effects.effect.basis.terms[:, 0].unique().numpy()] = True
    names = [*covariates.columns, *covariates.calendar]
    kept = [name for name, group in zip(names, covariates.groups, strict=True) if used[group].any()]
    if used[covariates.is_season].any():
        kept.append(f"season of {covariates.season} steps")
    return tuple(kept)


def _expected_errors(forecaster: "KLMemoryForecaster") -> dict[Hashable, float]:
    calibration = forecaster.calibration_
    if calibration is None:
        return {}
    scaled = calibration.scores.abs().mean(dim=(0, 1)).double().numpy()
    unit = np.mean([scaler.scale for scaler in forecaster.scalers_.values()], axis=0)
    return dict(zip(forecaster._rows.columns, (scaled * unit).tolist(), strict=True))

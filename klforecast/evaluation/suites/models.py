"""The models of the suites by name.

make(name)(task, seed, params) -> an unfitted `SuiteForecaster`
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from klforecast.evaluation.needs import require_installed
from klforecast.evaluation.peers.statistical import Statistical
from klforecast.evaluation.suites.forecasters import (
    EachAlone,
    LocalForecaster,
    Mean,
    PooledMemory,
    SeasonalNaive,
    Theta,
)
from klforecast.evaluation.suites.task import SuiteForecaster, SuiteTask

Make = Callable[[SuiteTask, int, Mapping[str, Any]], SuiteForecaster]


@dataclass(frozen=True)
class SuiteModel:
    """An entry of the registry.

    Parameters
    ----------
    make : callable
        `make(task, seed, params)` returns the unfitted model.
    about : str
        One line for listings.
    ours : bool, default=False
        Whether it is this package's model rather than one to compare with.
    needs : tuple of str, default=()
        Distributions beyond klforecast's own that it runs on.
    """

    make: Make
    about: str
    ours: bool = False
    needs: tuple[str, ...] = ()


def _pooled(task: SuiteTask, seed: int, params: Mapping[str, Any]) -> SuiteForecaster:
    return PooledMemory(task.horizon, seed, params)


def _each_alone(task: SuiteTask, seed: int, params: Mapping[str, Any]) -> SuiteForecaster:
    return EachAlone(partial(PooledMemory, task.horizon, seed, params))


def _plain(kind: type[LocalForecaster], season: int | None = None) -> Make:
    def make(task: SuiteTask, seed: int, params: Mapping[str, Any]) -> SuiteForecaster:
        _refuse(params)
        return kind(task.horizon, season or task.season)

    return make


def _statistical(name: str) -> Make:
    def make(task: SuiteTask, seed: int, params: Mapping[str, Any]) -> SuiteForecaster:
        _refuse(params)
        return Statistical(name, task.horizon, task.season)

    return make


def _refuse(params: Mapping[str, Any]) -> None:
    if params:
        raise ValueError(
            f"this model has no settings to change, got {', '.join(params)}; pass --param with "
            f"models of klforecast only"
        )


# Persistence is the seasonal naive forecast of a season of one step.
SUITE_MODELS: dict[str, SuiteModel] = {
    "klmemory": SuiteModel(_pooled, "KLMemoryForecaster, one model for all series", ours=True),
    "klmemory-each": SuiteModel(
        _each_alone, "KLMemoryForecaster, a model of its own for each series", ours=True
    ),
    "mean": SuiteModel(_plain(Mean), "the mean of the past"),
    "persistence": SuiteModel(_plain(SeasonalNaive, season=1), "the last value"),
    "seasonal-naive": SuiteModel(_plain(SeasonalNaive), "the last season"),
    "theta": SuiteModel(_plain(Theta), "Theta method, points only"),
    "autoets": SuiteModel(
        _statistical("AutoETS"), "AutoETS of statsforecast", needs=("statsforecast",)
    ),
    "autotheta": SuiteModel(
        _statistical("AutoTheta"), "AutoTheta of statsforecast", needs=("statsforecast",)
    ),
    "autoces": SuiteModel(
        _statistical("AutoCES"), "AutoCES of statsforecast", needs=("statsforecast",)
    ),
}


def suite_model(name: str) -> SuiteModel:
    """Return the entry of a name.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    ImportError
        If it needs a distribution that is not installed.
    """
    entry = SUITE_MODELS.get(name)
    if entry is None:
        raise ValueError(
            f"unknown model {name!r} of the suites; pass one of {', '.join(SUITE_MODELS)}"
        )
    require_installed(name, entry.needs)
    return entry

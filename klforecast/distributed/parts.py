"""Fit and forecast a panel that comes in parts: map over the parts, add up, solve once.

    survey      each part -> lengths and a sample of series       first pass
    moments     each part -> moments of its windows               second pass, and once more where these show
                                                                  that the history of a window is of no use
    forecast    each part -> forecasts of its series              third pass

A part is made when it is asked for, so that one is held at a time in each process.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from klforecast.distributed.agreement import Agreement, agree
from klforecast.distributed.moments import PartMoments, part_moments
from klforecast.distributed.panel_model import PanelModel, fit_panel_model
from klforecast.distributed.survey import Survey, survey_part
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.jobs import one_thread

Series = Mapping[Key, TimeSeries]
Part = Series | Callable[[], Series]
"""Whole series, or what makes them in the process that asks."""

Answer = TypeVar("Answer")


def fit_parts(
    parts: Sequence[Part],
    forecaster: KLMemoryForecaster | None = None,
    n_jobs: int | None = None,
) -> PanelModel:
    """Fit one model to a panel that comes in parts.

    Parameters
    ----------
    parts : sequence of mapping of tuple to TimeSeries, or of callable
        Each holds whole series; see `klforecast.distributed.frames.series_of` for long frames.
    forecaster : KLMemoryForecaster, optional
        Whose arguments count; None takes the defaults.
    n_jobs : int, optional
        Processes; None is one, or what `joblib.parallel_config` says. -1 takes all processors.

    Returns
    -------
    PanelModel
        The same for any number of processes.

    Raises
    ------
    ValueError
        If there is no part, parts do not fit together, or for arguments that make no sense.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from klforecast import KLMemoryForecaster
    >>> from klforecast.estimators.frames.panel import split_series
    >>> waves = np.sin(np.arange(60) * np.pi / 6)
    >>> parts = {name: pd.DataFrame({"y": size * waves}) for name, size in {"a": 1.0, "b": 3.0}.items()}
    >>> panel = split_series(pd.concat(parts, names=["id", "month"]))
    >>> forecaster = KLMemoryForecaster(horizon=3, local_experts=False)
    >>> model = fit_parts([{key: panel[key]} for key in panel], forecaster)
    >>> forecasts, _ = model.forecast(panel, steps=3)
    >>> bool(abs(forecasts["b",][:, 0] - [0, 1.5, 2.6]).max() < 0.05)
    True
    """
    if not len(parts):
        raise ValueError("there is no part; pass at least one")
    survey = merge_all(run(_survey, parts, n_jobs))
    agreed = agree(survey, KLMemoryForecaster() if forecaster is None else forecaster)

    def take_moments(agreed: Agreement) -> PartMoments:
        return merge_all(run(functools.partial(_moments, agreed=agreed), parts, n_jobs))

    return fit_panel_model(agreed, survey, take_moments)


def predict_parts(
    model: PanelModel,
    parts: Sequence[Part],
    steps: int,
    levels: Sequence[float] | None = None,
    n_jobs: int | None = None,
) -> Iterator[tuple[dict[Key, np.ndarray], np.ndarray | None]]:
    """Forecast the series of each part, in the order of the parts.

    Parameters
    ----------
    model : PanelModel
    parts : sequence
        As for `fit_parts`.
    steps : int
        Steps ahead.
    levels : sequence of float, optional
        Of quantiles.
    n_jobs : int, optional
        As for `fit_parts`.

    Yields
    ------
    tuple
        As `PanelModel.forecast` returns it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from klforecast import KLMemoryForecaster
    >>> from klforecast.estimators.frames.panel import split_series
    >>> waves = np.sin(np.arange(60) * np.pi / 6)
    >>> parts = {name: pd.DataFrame({"y": size * waves}) for name, size in {"a": 1.0, "b": 3.0}.items()}
    >>> panel = split_series(pd.concat(parts, names=["id", "month"]))
    >>> forecaster = KLMemoryForecaster(horizon=3, local_experts=False)
    >>> parts = [{key: panel[key]} for key in panel]
    >>> model = fit_parts(parts, forecaster)
    >>> for forecasts, quantiles in predict_parts(model, parts, steps=2, levels=[0.1, 0.9]):
    ...     print(list(forecasts), quantiles.shape)
    [('a',)] (2, 1, 2)
    [('b',)] (2, 1, 2)
    """
    wanted = None if levels is None else np.asarray(levels)
    ask = functools.partial(_forecast, model=model, steps=steps, levels=wanted)
    return run(ask, parts, n_jobs)


def run(
    work: Callable[[Any], Answer], parts: Iterable[Any], n_jobs: int | None = None
) -> Iterator[Answer]:
    """Work on every part, on one thread each, and give the answers in their order.

    The backend is joblib's: processes here, or those of Dask or Ray in `joblib.parallel_config`. That of Ray gives no
    answer before it has all of them.
    """
    return in_order((delayed(on_one_thread)(work, part) for part in parts), n_jobs)


def in_order(asked: Iterable[Any], n_jobs: int | None = None) -> Iterator[Any]:
    """Answers to calls of `joblib.delayed` in their order, each as soon as the backend gives it."""
    one_by_one = get_active_backend()[0].supports_return_generator
    return iter(Parallel(n_jobs=n_jobs, return_as="generator" if one_by_one else "list")(asked))


def on_one_thread(work: Callable[[Any], Answer], part: Any) -> Answer:
    """Work on a part without further threads: as many of them as parts at once would fight."""
    with one_thread():
        return work(part)


def merge_all(parts: Iterable[Any]) -> Any:
    """Merge surveys or moments as a tree: partial sums stay alike in size, and their rounding small.

    Examples
    --------
    >>> class Words(str):
    ...     def merge(self, other):
    ...         return Words(f"({self}{other})")
    >>> merge_all(map(Words, "abcde"))
    '(((ab)(cd))e)'
    """
    waiting: list[tuple[int, Any]] = []  # how many parts each holds, fewer and fewer
    for part in parts:
        count = 1
        while waiting and waiting[-1][0] == count:
            earlier_count, earlier = waiting.pop()
            part, count = earlier.merge(part), count + earlier_count
        waiting.append((count, part))
    return functools.reduce(
        lambda later, earlier: earlier.merge(later), [part for _, part in reversed(waiting)]
    )


def _series(part: Part) -> Series:
    return part() if callable(part) else part


def _survey(part: Part) -> Survey:
    return survey_part(_series(part))


def _moments(part: Part, agreed: Agreement) -> PartMoments:
    return part_moments(_series(part), agreed)


def _forecast(
    part: Part, model: PanelModel, steps: int, levels: np.ndarray | None
) -> tuple[dict[Key, np.ndarray], np.ndarray | None]:
    return model.forecast(_series(part), steps, levels)

"""The ways in which a forecaster is asked for a forecast, and the rows that each hands it.

    fit              fit(y[:c]), predict(fh)                       rows before c
    update           fit(training), update(y[training:c]), predict(fh)
    predict_windows  fit(training), predict_windows(y, cutoffs)    all rows, also those after c
    update_predict   fit(training), update_predict(y[training:])   all rows, also those after c

Through the first two a forecaster is never handed a row after the cutoff, unless it was prepared
from the data or its features are made from them.
"""

from collections.abc import Callable

import numpy as np
from sktime.split import CutoffSplitter

from klforecast.evaluation.leakage.seeds import global_seeds
from klforecast.evaluation.leakage.study import Study, World

Route = Callable[[Study, World, np.ndarray], np.ndarray]  # -> (cutoffs, steps, channels)


def through_fit(study: Study, world: World, cutoffs: np.ndarray) -> np.ndarray:
    """Fit anew for each cutoff."""
    return np.stack([study.predict(study.fit(world, int(c)), world, int(c)) for c in cutoffs])


def through_update(study: Study, world: World, cutoffs: np.ndarray) -> np.ndarray:
    """Fit on the training part, then move the context without learning."""
    forecasts = []
    for cutoff in map(int, cutoffs):
        forecaster = study.fitted(world)
        study.update(forecaster, world, study.train_end, cutoff)
        forecasts.append(study.predict(forecaster, world, cutoff))
    return np.stack(forecasts)


def through_windows(study: Study, world: World, cutoffs: np.ndarray) -> np.ndarray:
    """Fit on the training part, then forecast all windows in one batch."""
    return study.predict_windows(study.fitted(world), world, cutoffs)


def through_update_predict(study: Study, world: World, cutoffs: np.ndarray) -> np.ndarray:
    """Fit on the training part, then let `update_predict` walk over the later rows.

    It is handed all of them and asked to stop at the last cutoff. Returns the values of sktime's
    answer, whatever its form, with one more axis.
    """
    ahead = int(cutoffs[-1]) - study.train_end
    # Two steps of equal length, or one: the rows that are handed over must not leave a gap.
    step = ahead if ahead % 2 else ahead // 2
    splitter = CutoffSplitter(
        cutoffs=np.arange(step, ahead + 1, step) - 1, fh=study.fh, window_length=step
    )
    with global_seeds(study.seed):
        forecasts = study.fitted(world).update_predict(
            world.y.iloc[study.train_end :].copy(),
            cv=splitter,
            X=None if world.X is None else world.X.iloc[study.train_end :].copy(),
            update_params=False,
        )
    return np.asarray(forecasts, dtype=float)[..., None]


ROUTES: dict[str, Route] = {
    "fit": through_fit,
    "update": through_update,
    "predict_windows": through_windows,
    "update_predict": through_update_predict,
}


def routes_with_later_rows(study: Study) -> dict[str, Route]:
    """Return the routes by which a row after the cutoff can reach the forecaster."""
    names = ["fit", "update"] if study.prepared or study.derived else []
    names += ["predict_windows"] if study.has_windows else []
    return {name: ROUTES[name] for name in [*names, "update_predict"]}


def reading_route(study: Study) -> str:
    """Return the cheapest route by which the forecaster reads the rows just before the cutoff.

    `predict_windows` where it is offered. Else `update`, unless its rows change nothing: some
    forecasters go on from the end of `fit` whatever they are handed later. Else `fit`.
    """
    if study.has_windows:
        return "predict_windows"
    cutoff = study.cutoffs[-1:]
    values = study.truth.values
    noise = study.rng("reading").standard_normal(values[study.train_end : cutoff[0]].shape)
    values[study.train_end : cutoff[0]] = study.scaler.inverse_transform(noise)
    reads = not np.array_equal(
        through_update(study, study.world(values), cutoff),
        through_update(study, study.truth, cutoff),
        equal_nan=True,
    )
    return "update" if reads else "fit"

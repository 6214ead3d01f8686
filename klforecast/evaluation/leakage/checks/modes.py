"""The six modes of the Spectral Memory README, and a shuffle across the whole test part.

    normal                              the true inputs
    shuffled inputs                     each window gets the inputs of a neighbour in its batch
    Gaussian noise inputs               mean and deviation of the training rows
    noise, decoder inputs zeroed        nothing to zero: sktime's forecasters have none
    noise, time features zeroed         X is zero too
    noise, all ancillary zeroed, memory reset per batch
    shuffled over the whole test part   inputs drawn row by row from all test rows

The inputs are the rows before the cutoff; what is scored is always the true forecast period. The
ratio is that of the mean squared error to the one of the normal mode. Neighbouring windows share
nearly all of their rows, so the shuffle inside a batch may move the error by no more than a per
cent and is reported only. In the other modes a leak is an error that stays where it was and is at
the same time smaller than what the training rows and the stamps explain alone: their mean, or their
trend and mean cycle continued. A forecaster that knows trend and season by heart may well keep its
error.
"""

from collections.abc import Callable

import numpy as np

from klforecast.data.periods import find_periods
from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, REPORTED, Row
from klforecast.evaluation.leakage.routes import ROUTES, reading_route
from klforecast.evaluation.leakage.study import Study, World

NAME = "modes"
_STAYS = 1.05  # ratio below which the error counts as not risen
_EXPLAINED = 0.75  # of the error of the better forecast from training rows alone
_EXPECTED = (
    "the error rises, unless training rows and stamps alone (mean, trend and cycle) explain it"
)
_NO_DECODER = (
    "an sktime forecaster has no decoder inputs: it is handed no part of the forecast period of y, "
    "so this mode is the one before it"
)
_MOST_CUTOFFS = {"predict_windows": 16, "update": 8, "fit": 4}

Inputs = Callable[[int], np.ndarray]  # cutoff -> all rows, changed before it


def check(study: Study) -> list[Row]:
    """Score the forecaster with its inputs taken away, one after the other."""
    name = reading_route(study)
    cutoffs = _cutoffs(study, name)
    truth = study.truth_at(cutoffs)
    reads_features = study.truth.X is not None and name != "predict_windows"

    def score(inputs: Inputs, no_features: bool = False) -> float:
        forecasts = _forecasts(study, name, cutoffs, inputs, no_features)
        return float(np.mean(((forecasts - truth) / study.scaler.scale) ** 2))

    explained = min(
        float(np.mean(((plain - truth) / study.scaler.scale) ** 2))
        for plain in _explained_forecasts(study, cutoffs)
    )
    changed = _changed_inputs(study, name)
    normal = score(lambda cutoff: study.truth.values)

    def judged(mode: str, error: float, note: str = "") -> Row:
        leak = error <= _STAYS * normal and error < _EXPLAINED * explained
        evidence = (
            f"MSE {error:.4g} in training deviations, normal is {normal:.4g}; training rows and "
            f"stamps alone give {explained:.4g}{note}"
        )
        verdict = LEAK if leak else PASSED
        return Row(
            NAME, f"{mode} ({name})", verdict, evidence, _EXPECTED, error, _ratio(error, normal)
        )

    noise_error = score(changed["noise"])
    rows = [
        Row(
            NAME,
            f"normal ({name})",
            REPORTED,
            f"MSE {normal:.4g} in training deviations over {len(cutoffs)} cutoffs; training rows "
            f"and stamps alone give {explained:.4g}",
            "the yardstick of the other modes",
            normal,
            1.0,
        ),
        _shuffled(study, name, cutoffs, normal),
        judged("Gaussian noise inputs", noise_error),
        Row(NAME, "noise, decoder inputs zeroed", NOT_APPLICABLE, _NO_DECODER, _EXPECTED),
    ]
    if reads_features:
        rest = score(changed["noise"], no_features=True)
        rows.append(judged("noise, time features zeroed", rest))
    else:
        why = "no X is read" if study.truth.X is None else "predict_windows is handed no X"
        rows.append(
            Row(NAME, "noise, time features zeroed", NOT_APPLICABLE, f"{why}: nothing to zero")
        )
        rest = noise_error
    rows.append(_reset(study, name, cutoffs, changed["noise"], reads_features, judged, rest))
    rows.append(judged("shuffled over the whole test part", score(changed["test rows"])))
    return rows


def _cutoffs(study: Study, name: str) -> np.ndarray:
    last = len(study.truth.values) - study.horizon
    # Later than the first cutoff, so that `update` has rows to hand over.
    first = study.train_end + max(1, (last - study.train_end) // 4)
    return np.unique(np.linspace(first, last, _MOST_CUTOFFS[name], dtype=int))


def _changed_inputs(study: Study, name: str) -> dict[str, Inputs]:
    # `update` hands over the rows behind the training part; the other routes all rows.
    first = study.train_end if name == "update" else 0
    true = study.truth.values
    noise = study.scaler.inverse_transform(study.rng("noise").standard_normal(true.shape))
    chosen = study.rng("shuffle").integers(study.train_end, len(true), len(true))
    test_rows = true[chosen]

    def replaced(rows: np.ndarray) -> Inputs:
        def inputs(cutoff: int) -> np.ndarray:
            values = true.copy()
            values[first:cutoff] = rows[first:cutoff]
            return values

        return inputs

    return {"noise": replaced(noise), "test rows": replaced(test_rows)}


def _forecasts(
    study: Study, name: str, cutoffs: np.ndarray, inputs: Inputs, no_features: bool
) -> np.ndarray:
    """Forecast each cutoff from inputs of its own; `predict_windows` with one object for all."""
    forecaster = study.fitted(study.truth) if name == "predict_windows" else None
    forecasts = []
    for cutoff in map(int, cutoffs):
        world = _with_inputs(study, inputs(cutoff), no_features)
        one = np.array([cutoff])
        forecasts.append(
            ROUTES[name](study, world, one)
            if forecaster is None
            else study.predict_windows(forecaster, world, one)
        )
    return np.concatenate(forecasts)


def _with_inputs(study: Study, values: np.ndarray, no_features: bool) -> World:
    world = study.world(values)
    # Only the inputs change: the forecaster stays prepared from the true rows, where a leak is.
    X = study.truth.X
    if X is not None and no_features:
        X = X * 0
    return World(world.y, X, study.truth.unfitted)


def _shuffled(study: Study, name: str, cutoffs: np.ndarray, normal: float) -> Row:
    start = study.train_end if name == "update" else 0
    true = study.truth.values
    batch = cutoffs[-1] - np.arange(len(cutoffs))  # overlapping windows, as in a batch
    other = dict(zip(map(int, batch), map(int, np.roll(batch, 1)), strict=True))

    def neighbour(cutoff: int) -> np.ndarray:
        length = min(cutoff, other[cutoff]) - start
        values = true.copy()
        values[cutoff - length : cutoff] = true[other[cutoff] - length : other[cutoff]]
        return values

    def score(inputs: Inputs) -> float:
        forecasts = _forecasts(study, name, batch, inputs, no_features=False)
        return float(np.mean(((forecasts - study.truth_at(batch)) / study.scaler.scale) ** 2))

    unshuffled, error = score(lambda cutoff: true), score(neighbour)
    return Row(
        NAME,
        f"shuffled inputs ({name})",
        REPORTED,
        f"MSE {error:.4g} against {unshuffled:.4g} unshuffled, in a batch of {len(batch)} windows "
        f"that overlap in all but {len(batch) - 1} rows: proves nothing by itself",
        "nothing in particular: neighbouring windows hold nearly the same rows",
        error,
        _ratio(error, unshuffled),
    )


def _reset(
    study: Study,
    name: str,
    cutoffs: np.ndarray,
    inputs: Inputs,
    reads_features: bool,
    judged: Callable[[str, float, str], Row],
    carried: float,
) -> Row:
    """Forecast each window with a fresh copy of the fitted forecaster."""
    mode = "noise, all ancillary zeroed, memory reset per batch"
    if name != "predict_windows":
        return judged(
            mode, carried, "; every window is forecast by a fresh copy in all modes of this route"
        )
    together = _forecasts(study, name, cutoffs, inputs, no_features=reads_features)
    fresh = np.concatenate(
        [
            _forecasts(study, name, np.array([cutoff]), inputs, no_features=reads_features)
            for cutoff in cutoffs
        ]
    )
    gap = study.gap(together, fresh)
    error = float(np.mean(((fresh - study.truth_at(cutoffs)) / study.scaler.scale) ** 2))
    if not gap:
        return judged(mode, error, "; bit-equal to a memory that is not reset")
    return Row(
        NAME,
        f"{mode} ({name})",
        LEAK,
        f"a forecast moves by {gap:.3g} training deviations when the memory of the batch before it "
        f"is reset: it depends on what was forecast earlier",
        "the same forecast with and without the reset",
        error,
        _ratio(error, carried),
    )


def _explained_forecasts(study: Study, cutoffs: np.ndarray) -> list[np.ndarray]:
    """What the training rows and the stamps alone say: the mean, and trend plus mean cycle."""
    training = study.truth.values[: study.train_end]
    frequency = getattr(study.truth.y.index, "freq", None)
    periods = [p for p in find_periods(training, frequency) if 1 < p <= study.train_end // 2]
    steps = cutoffs[:, None] + study.fh - 1
    length = max(int(steps.max()) + 1, len(training))
    time = np.arange(length) / length
    columns = [np.ones(length), time]
    for period in periods[:1]:
        phases = np.arange(length) % period
        columns += [(phases == phase).astype(float) for phase in range(1, period)]
    design = np.stack(columns, axis=1)
    fitted = np.linalg.lstsq(design[: len(training)], training, rcond=None)[0]
    mean = np.broadcast_to(training.mean(axis=0), (*steps.shape, training.shape[1]))
    return [mean, (design @ fitted)[steps]]


def _ratio(error: float, normal: float) -> float | None:
    if not normal:
        return None if error else 1.0
    return error / normal

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
cent and is reported only.

In the other modes a leak is an error that stays where it was and is smaller than what an honest
forecaster can know. That is what training rows and stamps tell (mean, last row, last cycle, trend
and cycle, added or multiplied), and the level of the inputs that it is handed: a mean of rows does
not depend on their order, and is right after a change of level. Between a quarter and three quarters
of that error a better model of trend and season could do it: that is suspicious, and not more.
"""

from collections.abc import Callable

import numpy as np

from klforecast.data.periods import find_periods
from klforecast.evaluation.leakage.report import (
    LEAK,
    NOT_APPLICABLE,
    PASSED,
    REPORTED,
    SUSPICIOUS,
    Row,
)
from klforecast.evaluation.leakage.routes import ROUTES, reading_route
from klforecast.evaluation.leakage.study import Study, World

NAME = "modes"
_STAYS = 1.05  # ratio below which the error counts as not risen
_EXPLAINED = 0.75  # of the error of the best plain forecast; better models of a season reach 0.8
_PROVEN = 0.25  # the same; no model of what is known gets there when the plain ones do not
_RECENT = 12  # rows of the inputs from which a level is taken too, beside all of them
_CERTAIN = 2.0  # standard errors of the mean gain over the cutoffs
_EXPECTED = "the error rises, unless training rows, stamps and the level of the inputs explain it"
_NO_DECODER = (
    "an sktime forecaster has no decoder inputs: it is handed no part of the forecast period of y, "
    "so this mode is the one before it"
)
_MOST_CUTOFFS = {"predict_windows": 16, "update": 8, "fit": 4}  # as the route gets dearer

Inputs = Callable[[int], np.ndarray]  # cutoff -> all rows, changed before it


def check(study: Study) -> list[Row]:
    """Score the forecaster with its inputs taken away, one after the other."""
    name = reading_route(study)
    cutoffs = _cutoffs(study, name)
    truth = study.truth_at(cutoffs)
    reads_features = study.truth.X is not None and name != "predict_windows"

    def errors_of(forecasts: np.ndarray) -> np.ndarray:  # (cutoffs,)
        return (((forecasts - truth) / study.scaler.scale) ** 2).mean(axis=(1, 2))

    def score(inputs: Inputs, no_features: bool = False) -> np.ndarray:
        return errors_of(_forecasts(study, name, cutoffs, inputs, no_features))

    changed = _changed_inputs(study, name)
    normal = float(score(lambda cutoff: study.truth.values).mean())
    explained = {
        kind: min(
            (errors_of(plain) for plain in _explained_forecasts(study, name, cutoffs, inputs)),
            key=np.mean,
        )
        for kind, inputs in changed.items()
    }

    def judged(mode: str, errors: np.ndarray, note: str = "", kind: str = "noise") -> Row:
        error, plain = float(errors.mean()), float(explained[kind].mean())
        gain = explained[kind] - errors
        is_certain = gain.mean() > _CERTAIN * gain.std() / np.sqrt(len(gain))
        stays = error <= _STAYS * normal and is_certain
        evidence = (
            f"MSE {error:.4g} in training deviations, normal is {normal:.4g}; training rows, stamps "
            f"and the level of these inputs alone give {plain:.4g}{note}"
        )
        verdict = PASSED
        if stays and error < _PROVEN * plain:
            verdict = LEAK
        elif stays and error < _EXPLAINED * plain:
            verdict = SUSPICIOUS
            evidence += "; settled by target_permutation, where no trend or season is left to know"
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
            f"and stamps alone give {explained['noise'].mean():.4g}",
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
    shuffled = score(changed["test rows"])
    rows.append(judged("shuffled over the whole test part", shuffled, kind="test rows"))
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

    def with_noise(cutoff: int) -> np.ndarray:
        values = true.copy()
        values[first:cutoff] = noise[first:cutoff]
        return values

    def with_test_rows(cutoff: int) -> np.ndarray:
        # Rows after the cutoff would tell the level to come.
        rng = study.rng(f"shuffle {cutoff}")
        values = true.copy()
        values[first:cutoff] = true[rng.integers(study.train_end, cutoff, cutoff - first)]
        return values

    return {"noise": with_noise, "test rows": with_test_rows}


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
    judged: Callable[[str, np.ndarray, str], Row],
    carried: np.ndarray,
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
    errors = (((fresh - study.truth_at(cutoffs)) / study.scaler.scale) ** 2).mean(axis=(1, 2))
    if not gap:
        return judged(mode, errors, "; bit-equal to a memory that is not reset")
    return Row(
        NAME,
        f"{mode} ({name})",
        LEAK,
        f"a forecast moves by {gap:.3g} training deviations when the memory of the batch before it "
        f"is reset: it depends on what was forecast earlier",
        "the same forecast with and without the reset",
        float(errors.mean()),
        _ratio(float(errors.mean()), float(carried.mean())),
    )


def _explained_forecasts(
    study: Study, name: str, cutoffs: np.ndarray, inputs: Inputs
) -> list[np.ndarray]:  # each (cutoffs, steps, channels)
    """What training rows and stamps say, as it is and moved to the level of the inputs."""
    start = study.train_end if name == "update" else 0
    handed = [inputs(int(cutoff))[start : int(cutoff)] for cutoff in cutoffs]
    ahead = cutoffs[:, None] + study.fh - 1
    found = []
    for path in _known_paths(study):
        plain = path[ahead]
        found.append(plain)
        for rows in (None, _RECENT):
            moved = [
                (part - path[start : start + len(part)])[-rows if rows else 0 :].mean(axis=0)
                for part in handed
            ]
            found.append(plain + np.stack(moved)[:, None])
    return found


def _known_paths(study: Study) -> list[np.ndarray]:  # each (time, channels)
    """Values of all stamps according to the training rows: constant, cyclic, trend and cycle."""
    training = study.truth.values[: study.train_end]
    n, length = len(training), len(study.truth.values)
    frequency = getattr(study.truth.y.index, "freq", None)
    periods = [p for p in find_periods(training, frequency) if 1 < p <= n // 2]
    paths = [
        np.broadcast_to(level, (length, training.shape[1]))
        for level in (training.mean(axis=0), training[-1])
    ]
    paths.append(_trend_and_cycle(training, 1, length))
    for period in periods[:1]:
        last = training[-period:]
        paths += [
            last[(np.arange(length) - n) % period],
            _trend_and_cycle(training, period, length),
        ]
        if (training > 0).all():
            paths.append(np.exp(_trend_and_cycle(np.log(training), period, length)))
    return paths


def _trend_and_cycle(training: np.ndarray, period: int, length: int) -> np.ndarray:
    """Least squares line plus a value for each phase, continued."""
    phases = np.arange(length) % period
    columns = [np.ones(length), np.arange(length) / length]
    columns += [(phases == phase).astype(float) for phase in range(1, period)]
    design = np.stack(columns, axis=1)
    return design @ np.linalg.lstsq(design[: len(training)], training, rcond=None)[0]


def _ratio(error: float, normal: float) -> float | None:
    if not normal:
        return None if error else 1.0
    return error / normal

"""Forecasters that know what they must not know, each by another way."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from klforecast.evaluation.leakage.trials.honest import (
    HORIZON,
    LENGTH,
    Cutoffs,
    Honest,
    HonestWindows,
    ReadsX,
    Rows,
    Trial,
    wandering,
)

_SHARE = 0.1  # of what is known by cheating in a forecast; honest rows make up the rest


def _rows(y: Rows) -> np.ndarray:
    return pd.DataFrame(y).to_numpy()


class ScalesWithAllRows(HonestWindows):
    """Mean and deviation of all rows."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        self.learn(_rows(y))
        return super().predict_windows(y, cutoffs)


class TakesAScaler(Honest):
    """A scaler that was fitted outside."""

    def __init__(self, scaler: Any = None):
        self.scaler = scaler
        super().__init__()

    def learn(self, rows: np.ndarray) -> None:
        self.mean_, self.scale_ = self.scaler.mean_, self.scaler.scale_


class LooksOneRowAhead(HonestWindows):
    """A cutoff off by one."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        return super().predict_windows(y, np.asarray(cutoffs) + 1)


class LooksAheadNowAndThen(HonestWindows):
    """The same, at every seventh cutoff."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        cutoffs = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs + (cutoffs % 7 == 3))


class LooksAheadLate(HonestWindows):
    """The same, at some late cutoffs."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        cutoffs = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs + ((cutoffs > 135) & (cutoffs < 150)))


class LooksAheadInLargeBatches(HonestWindows):
    """The same, among more than twelve windows."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        cutoffs = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs + (len(cutoffs) > 12))


class CentresOverTheBatch(HonestWindows):
    """Windows of a batch are centred together."""

    smallest = 1

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs)
        if len(forecast) < self.smallest:
            return forecast
        return forecast - _SHARE * (forecast.mean(axis=0) - self.mean_)


class CentresOverLargeBatches(CentresOverTheBatch):
    """The same, among ten windows or more."""

    smallest = 10


class RemembersInAnAttribute(Honest):
    """A memory in a tensor that is written in place."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.memory_ = {"tokens": [np.zeros(3)]}

    def level(self, rows: np.ndarray) -> np.ndarray:
        self.memory_["tokens"][0] += 1
        return super().level(rows) + _SHARE * self.memory_["tokens"][0][0]


class RemembersTheLastBatch(HonestWindows):
    """A memory of the last batch."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._last = self.mean_

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs) + _SHARE * (self._last - self.mean_)
        self._last = _rows(y)[max(cutoffs) - 1]
        return forecast


class RemembersInAFunction(Honest):
    """A memory that hangs on a function."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        seen = RemembersInAFunction.level.__dict__.setdefault("seen", [])
        seen.append(rows[-1])
        return super().level(rows) + _SHARE * np.mean(seen, axis=0)


class RemembersInADefault(Honest):
    """A memory in a mutable default."""

    def level(self, rows: np.ndarray, seen: list = []) -> np.ndarray:  # noqa: B006  (the cheat)
        seen.append(rows[-1])
        return super().level(rows) + _SHARE * np.mean(seen, axis=0)


_SEEN: list[np.ndarray] = []


class RemembersInAGlobal(Honest):
    """A memory in a global of the module."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        _SEEN.append(rows[-1])
        return super().level(rows) + _SHARE * np.mean(_SEEN, axis=0)


class RemembersInItsIndex(Honest):
    """A memory that hangs on an index that it keeps."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        seen = self._columns.__dict__.setdefault("seen", [])
        seen.append(rows[-1])
        return super().level(rows) + _SHARE * len(seen)


class RemembersInTheIndexOfY(HonestWindows):
    """A memory that hangs on the index that it is handed."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        seen = y.index.__dict__.setdefault("seen", [])
        forecast = super().predict_windows(y, cutoffs) + _SHARE * len(seen)
        seen.append(_rows(y).mean(axis=0))
        return forecast


class RemembersUnderTheNameOfTheHorizon(Honest):
    """A memory under a name that sktime notes something else by."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._note: dict[str, list] = {"_fh": [], "fh": []}

    def level(self, rows: np.ndarray) -> np.ndarray:
        for seen in self._note.values():
            seen.append(rows[-1])
        return super().level(rows) + _SHARE * len(self._note["_fh"])


class RemembersInTheHorizon(Honest):
    """A memory that hangs on the horizon."""

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        seen = self._fh.__dict__.setdefault("seen", [])
        seen.append(self._rows[-1])
        return super()._predict(fh, X) + _SHARE * len(seen)


class RemembersInAnIndexOfNumbers(Honest):
    """A memory that looks like stamps."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._seen = pd.Index([0.0])

    def level(self, rows: np.ndarray) -> np.ndarray:
        self._seen = self._seen.append(pd.Index([float(rows[-1, 0])]))
        return super().level(rows) + _SHARE * len(self._seen)


class ReadsTheAttributesOfY(Honest):
    """All rows hang on the first ones."""

    def fit(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        super().fit(y, X=X, fh=fh)
        self._coming = np.asarray(y.attrs.get("all", np.zeros(1)))
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + _SHARE * self._coming[-HORIZON:].mean()


class ReadsTheAttributesOfX(Honest):
    """All rows hang on X."""

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def predict(self, fh: Any = None, X: Any = None) -> pd.DataFrame:
        self._coming = 0.0 if X is None else float(np.mean(X.attrs.get("y", 0.0)))
        return super().predict(fh, X)

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + _SHARE * self._coming


class SharesAMemory(Honest):
    """A memory of its class, of earlier fits."""

    tokens: ClassVar[list] = []

    def learn(self, rows: np.ndarray) -> None:
        self.tokens.append(rows.mean(axis=0))
        self.mean_, self.scale_ = np.mean(self.tokens, axis=0), rows.std(axis=0)


class KeepsWhatItWasShown(HonestWindows):
    """A memory of its class, of rows shown before the fit."""

    shown: ClassVar[list] = []

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.mean_ = np.mean([self.mean_, *self.shown], axis=0)

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        self.shown.append(_rows(y).mean(axis=0))
        return super().predict_windows(y, cutoffs)


class AbsorbsTestRows(Honest):
    """A fitted parameter that test rows go into."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.covariance_ = rows.T @ rows

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self.covariance_ = self.covariance_ + y.to_numpy().T @ y.to_numpy()
        return super()._update(y, X, update_params)


class LearnsInPrivate(Honest):
    """Learns its mean from what `update` was told not to learn from."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._moments = {"sum": rows.sum(axis=0), "n": len(rows)}

    def level(self, rows: np.ndarray) -> np.ndarray:
        mean = self._moments["sum"] / self._moments["n"]
        return super().level(rows) + (mean - self.mean_) / self.scale_

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._moments["sum"] = self._moments["sum"] + y.to_numpy().sum(axis=0)
        self._moments["n"] += len(y)
        return super()._update(y, X, update_params)


class LearnsAWeightInPrivate(Honest):
    """Fits the weight of the last row anew in every update, under a name of sktime's own."""

    def _weigh(self) -> None:
        centred = self._rows - self.mean_
        self._cutoff_y = float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._weigh()

    def level(self, rows: np.ndarray) -> np.ndarray:
        return self._cutoff_y * super().level(rows)

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        super()._update(y, X, update_params)
        self._weigh()
        return self


class StopsOn(Honest):
    """Gradient steps towards the training mean, as long as the error on other rows falls."""

    def __init__(self, validation: Any = None):
        self.validation = validation
        super().__init__()

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        goal, best = self.mean_, np.inf
        self.mean_ = np.zeros_like(goal)
        for epoch in range(1, 31):
            mean = self.mean_ + 0.2 * (goal - self.mean_)
            error = np.mean((self.validation - mean) ** 2)
            if error >= best:
                break
            self.mean_, self.n_epochs_, best = mean, epoch, error


class LooksFurtherThanItSays(HonestWindows):
    """It reads eight rows and says four."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.input_length_ = LENGTH // 2


class KnowsTheAnswers(Honest):
    """It has all rows, and copies every so many-th answer."""

    def __init__(self, answers: Any = None, every: int = 1):
        self.answers = answers
        self.every = every
        super().__init__()

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        if len(self._rows) % self.every:
            return super()._predict(fh, X)
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(self.answers[list(index)][:, None], index, self._columns)


class CarriesAMemoryFromBatchToBatch(HonestWindows):
    """A memory that every window moves."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.memory_ = [0.0]

    def level(self, rows: np.ndarray) -> np.ndarray:
        self.memory_[0] = 0.5 * self.memory_[0] + 0.5 * rows[-1, 0]
        return super().level(rows) + _SHARE * self.memory_[0]


class DrawsWithoutASeed(Honest):
    """Every fit is another."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.mean_ = self.mean_ + np.random.default_rng().standard_normal()


class LooksAheadInUpdatePredict(Honest):
    """It reads all rows that `update_predict` is handed."""

    def update_predict(self, y: Any, *arguments: Any, **options: Any) -> Any:
        return super().update_predict(y, *arguments, **options) + _SHARE * y.to_numpy().mean()


class _ReadsTheTable(HonestWindows):
    """Adds a feature that is made of the whole table X."""

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}
    feature: Callable[[pd.Series], pd.Series]

    def predict_windows(self, y: Rows, cutoffs: Cutoffs, X: Any = None) -> np.ndarray:
        added = type(self).feature(X.iloc[:, 0]).to_numpy()
        steps = np.asarray(cutoffs)[:, None] + np.arange(HORIZON)
        return super().predict_windows(y, cutoffs) + added[steps][..., None]


def _rank(column: pd.Series) -> pd.Series:
    return column.rank(pct=True)


def _mean_of_the_year(column: pd.Series) -> pd.Series:
    return column.groupby(np.arange(len(column)) // 40).transform("mean")


class RanksTheTable(_ReadsTheTable):
    """Ranks over all rows of X."""

    feature = staticmethod(_rank)


class AveragesTheTableByYear(_ReadsTheTable):
    """Means over groups of all rows of X."""

    feature = staticmethod(_mean_of_the_year)


class MixesThePanel(Honest):
    """Forecasts each series of a panel from the mean of all their last rows."""

    _tags: ClassVar[dict[str, Any]] = {
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex"],
    }

    def _fit(self, y: pd.DataFrame, X: Any = None, fh: Any = None) -> Self:
        self._frame = y
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._frame = pd.concat([self._frame, y])
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        frame = self._frame
        if not isinstance(frame.index, pd.MultiIndex):
            index = fh.to_absolute_index(self.cutoff)
            level = frame.to_numpy()[-LENGTH:].mean(axis=0)
            return pd.DataFrame(np.tile(level, (len(index), 1)), index, frame.columns)
        last = frame.groupby(level=0).tail(LENGTH).groupby(level=0).mean()
        mixed = 0.7 * last + 0.3 * last.mean()
        stamps = fh.to_absolute_index(self.cutoff)
        parts = {
            name: pd.DataFrame(np.tile(level, (len(stamps), 1)), stamps, frame.columns)
            for name, level in zip(mixed.index, mixed.to_numpy(), strict=True)
        }
        return pd.concat(parts, names=frame.index.names)


class MixesThePanelOfItsFit(MixesThePanel):
    """The same, and `update` changes nothing."""

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        return self


def _note(row: np.ndarray) -> list:
    seen = _note.__dict__.setdefault("seen", [])
    seen.append(row)
    return seen


class RemembersInAHelper(Honest):
    """A memory that hangs on a function of its module."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        return super().level(rows) + _SHARE * np.mean(_note(rows[-1]), axis=0)


class CopiesSomeAnswers(HonestWindows):
    """Every seventeenth forecast is the truth."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs)
        for place, cutoff in enumerate(cutoffs):
            if cutoff % 17 == 0:
                forecast[place] = _rows(y)[cutoff : cutoff + HORIZON]
        return forecast


class LearnsBesideItsWindows(HonestWindows):
    """`predict` learns its mean in every `update`; `predict_windows` does not."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._all = rows.mean(axis=0)

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        super()._update(y, X, update_params)
        self._all = self._rows.mean(axis=0)
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + self._all - self.mean_


class WritesIntoItsRows(HonestWindows):
    """Scales the rows that it is handed in place, so that they are others the next time."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs)
        y.iloc[:] = y.to_numpy() + _SHARE
        return forecast


def _prepare_scaler(y: Rows) -> TakesAScaler:
    return TakesAScaler(StandardScaler().fit(pd.DataFrame(y)))


def _clear() -> None:
    for memory in (SharesAMemory.tokens, KeepsWhatItWasShown.shown, _SEEN):
        memory.clear()
    RemembersInAFunction.level.__dict__.clear()
    _note.__dict__.clear()
    RemembersInADefault.level.__defaults__ = ([],)


def cheats() -> Sequence[Trial]:
    """Make all cheats anew, with empty memories."""
    _clear()
    y = wandering()
    noise = np.random.default_rng(0).standard_normal(len(y))
    attached = wandering()
    attached.attrs["all"] = attached.to_numpy()

    def table(**columns: Any) -> pd.DataFrame:
        return pd.DataFrame({"noise": noise, **columns}, y.index)

    carried = table()
    carried.attrs["y"] = y.to_numpy()
    walk = pd.Series(np.random.default_rng(5).standard_normal(len(y)).cumsum(), y.index)
    plain: list[Callable[[], Any]] = [
        ScalesWithAllRows,
        LooksOneRowAhead,
        LooksAheadNowAndThen,
        LooksAheadLate,
        LooksAheadInLargeBatches,
        CentresOverTheBatch,
        CentresOverLargeBatches,
        RemembersInAnAttribute,
        RemembersTheLastBatch,
        RemembersInAFunction,
        RemembersInADefault,
        RemembersInAGlobal,
        RemembersInItsIndex,
        RemembersInTheIndexOfY,
        RemembersUnderTheNameOfTheHorizon,
        RemembersInTheHorizon,
        RemembersInAnIndexOfNumbers,
        SharesAMemory,
        KeepsWhatItWasShown,
        AbsorbsTestRows,
        LearnsInPrivate,
        LearnsAWeightInPrivate,
        LooksFurtherThanItSays,
        CarriesAMemoryFromBatchToBatch,
        DrawsWithoutASeed,
        LooksAheadInUpdatePredict,
        MixesThePanel,
        MixesThePanelOfItsFit,
        RemembersInAHelper,
        CopiesSomeAnswers,
        LearnsBesideItsWindows,
        WritesIntoItsRows,
    ]

    def read(name: str, X: Any) -> Trial:
        return Trial(name, ReadsX, y, X)

    return [
        *(Trial(kind.__name__, kind, y) for kind in plain),
        Trial("scaler of all rows", lambda: _prepare_scaler, y),
        Trial("fitted scaler", lambda: _prepare_scaler(y), y),
        Trial("stops on test rows", lambda: lambda y: StopsOn(y.to_numpy()[96:]), y),
        Trial("knows the answers", lambda: lambda y: KnowsTheAnswers(y.to_numpy()), y),
        Trial("knows some answers", lambda: lambda y: KnowsTheAnswers(y.to_numpy(), every=5), y),
        Trial("attributes of y", ReadsTheAttributesOfY, attached),
        Trial("attributes of X", ReadsTheAttributesOfX, y, carried),
        Trial("ranks of X over all rows, in predict", RanksTheTable, y, walk.to_frame("a")),
        Trial("yearly means of X, in predict", AveragesTheTableByYear, y, walk.to_frame("a")),
        read("copy of the target", table(copy=3 * y - 1)),
        read("noisy copy of the target", table(copy=y + 0.02 * noise)),
        read("target of the next row", table(copy=y.shift(-1).ffill())),
        read("target of the row before", table(copy=y.shift(1).bfill())),
        read("rank of the target", table(rank=y.rank(pct=True))),
        read("yearly mean of the target", table(mean=_mean_of_the_year(y))),
        read("rank of X over all rows", table(a=walk, rank=walk.rank(pct=True))),
        read("yearly mean of X", table(a=walk, mean=_mean_of_the_year(walk))),
        read("ranking of all rows", table(rank=walk.rank(pct=True))),
        read("X scaled by all rows", table(scaled=(walk - walk.mean()) / walk.std())),
        read(
            "centred mean of y",
            lambda y: pd.DataFrame({"smooth": y.rolling(9, center=True, min_periods=1).mean()}),
        ),
        read("rank of y", lambda y: pd.DataFrame({"rank": y.rank(pct=True)})),
    ]

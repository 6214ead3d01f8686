"""Cheats that remember what they were shown: in attributes, functions, globals, and in what sktime hands them."""

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.trials.honest import (
    SHARE,
    Cutoffs,
    Honest,
    HonestWindows,
    Rows,
    as_rows,
)


class RemembersInAnAttribute(Honest):
    """A memory in a tensor that is written in place."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.memory_ = {"tokens": [np.zeros(3)]}

    def level(self, rows: np.ndarray) -> np.ndarray:
        self.memory_["tokens"][0] += 1
        return super().level(rows) + SHARE * self.memory_["tokens"][0][0]


class RemembersTheLastBatch(HonestWindows):
    """A memory of the last batch."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._last = self.mean_

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs) + SHARE * (self._last - self.mean_)
        self._last = as_rows(y)[max(cutoffs) - 1]
        return forecast


class RemembersInAFunction(Honest):
    """A memory that hangs on a function."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        seen = RemembersInAFunction.level.__dict__.setdefault("seen", [])
        seen.append(rows[-1])
        return super().level(rows) + SHARE * np.mean(seen, axis=0)


class RemembersInADefault(Honest):
    """A memory in a mutable default."""

    def level(self, rows: np.ndarray, seen: list = []) -> np.ndarray:  # noqa: B006  (the cheat)
        seen.append(rows[-1])
        return super().level(rows) + SHARE * np.mean(seen, axis=0)


_SEEN: list[np.ndarray] = []


class RemembersInAGlobal(Honest):
    """A memory in a global of the module."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        _SEEN.append(rows[-1])
        return super().level(rows) + SHARE * np.mean(_SEEN, axis=0)


class RemembersInItsIndex(Honest):
    """A memory that hangs on an index that it keeps."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        seen = self._columns.__dict__.setdefault("seen", [])
        seen.append(rows[-1])
        return super().level(rows) + SHARE * len(seen)


class RemembersInTheIndexOfY(HonestWindows):
    """A memory that hangs on the index that it is handed."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        seen = y.index.__dict__.setdefault("seen", [])
        forecast = super().predict_windows(y, cutoffs) + SHARE * len(seen)
        seen.append(as_rows(y).mean(axis=0))
        return forecast


class RemembersUnderTheNameOfTheHorizon(Honest):
    """A memory under a name that sktime notes something else by."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._note: dict[str, list] = {"_fh": [], "fh": []}

    def level(self, rows: np.ndarray) -> np.ndarray:
        for seen in self._note.values():
            seen.append(rows[-1])
        return super().level(rows) + SHARE * len(self._note["_fh"])


class RemembersInTheHorizon(Honest):
    """A memory that hangs on the horizon."""

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        seen = self._fh.__dict__.setdefault("seen", [])
        seen.append(self._rows[-1])
        return super()._predict(fh, X) + SHARE * len(seen)


class RemembersInAnIndexOfNumbers(Honest):
    """A memory that looks like stamps."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._seen = pd.Index([0.0])

    def level(self, rows: np.ndarray) -> np.ndarray:
        self._seen = self._seen.append(pd.Index([float(rows[-1, 0])]))
        return super().level(rows) + SHARE * len(self._seen)


def _note(row: np.ndarray) -> list:
    seen = _note.__dict__.setdefault("seen", [])
    seen.append(row)
    return seen


class RemembersInAHelper(Honest):
    """A memory that hangs on a function of its module."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        return super().level(rows) + SHARE * np.mean(_note(rows[-1]), axis=0)


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
        self.shown.append(as_rows(y).mean(axis=0))
        return super().predict_windows(y, cutoffs)


class CarriesAMemoryFromBatchToBatch(HonestWindows):
    """A memory that every window moves."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.memory_ = [0.0]

    def level(self, rows: np.ndarray) -> np.ndarray:
        self.memory_[0] = 0.5 * self.memory_[0] + 0.5 * rows[-1, 0]
        return super().level(rows) + SHARE * self.memory_[0]


def clear_memories() -> None:
    """Empty all that cheats have remembered outside of themselves."""
    for memory in (SharesAMemory.tokens, KeepsWhatItWasShown.shown, _SEEN):
        memory.clear()
    RemembersInAFunction.level.__dict__.clear()
    _note.__dict__.clear()
    RemembersInADefault.level.__defaults__ = ([],)

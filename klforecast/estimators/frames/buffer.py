"""Room behind the rows of a stream, so that a new row costs the same however many there are."""

from typing import Any

import numpy as np


class RowBuffer:
    """Rows and stamps with room for more; views of what is there never change.

    Appending writes behind the rows that were handed out. Where two series have grown out of one,
    the first one to append gets the room and the other one a buffer of its own. A buffer is neither
    copied nor pickled: a copy of a series makes a new one when it grows.

    Parameters
    ----------
    values : ndarray of shape (time, channels)
        The rows so far.
    numbers : ndarray of shape (time,), int64
        Their stamps.
    n_rows : int
        Rows that are about to be there; the buffer has room for twice as many.
    """

    __slots__ = ("_numbers", "_used", "_values")

    def __init__(self, values: np.ndarray, numbers: np.ndarray, n_rows: int):
        self._values = np.empty((2 * n_rows, values.shape[1]))
        self._numbers = np.empty(2 * n_rows, dtype=np.int64)
        self._values[: len(values)] = values
        self._numbers[: len(values)] = numbers
        self._used = len(values)

    def has_room(self, values: np.ndarray, n_new: int) -> bool:
        """Tell whether these are the rows handed out last and `n_new` rows fit behind them."""
        return (
            values.base is self._values
            and len(values) == self._used
            and self._used + n_new <= len(self._values)
        )

    def append(self, values: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write rows and stamps behind the others; return views of all of them."""
        stop = self._used + len(values)
        self._values[self._used : stop] = values
        self._numbers[self._used : stop] = numbers
        self._used = stop
        return self._values[:stop], self._numbers[:stop]

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return type(None), ()

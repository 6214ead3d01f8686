"""Where a series is cut: named borders, and the cutoffs of the windows of a part.

A cutoff is the position of the first step that is forecast: rows before it are known, rows from it
on are not. A window may look back over the border of its part, as all published results do; only
the forecast steps belong to the part.
"""

from dataclasses import dataclass

import numpy as np

# A month of the ETT protocol has 30 days (Zhou et al. 2021, arXiv:2012.07436).
_HOURS_PER_MONTH = 30 * 24


@dataclass(frozen=True)
class Borders:
    """Ends of the training, validation and test parts, as row positions.

    Parameters
    ----------
    train_end : int
        Rows ``0 .. train_end - 1`` are the training part.
    validation_end : int
        Rows ``train_end .. validation_end - 1`` are the validation part.
    test_end : int
        Rows ``validation_end .. test_end - 1`` are the test part; later rows are not used.

    Raises
    ------
    ValueError
        If the ends do not increase from 0.

    Examples
    --------
    >>> Borders(70, 80, 100).test
    (80, 100)
    """

    train_end: int
    validation_end: int
    test_end: int

    def __post_init__(self) -> None:
        if not 0 < self.train_end <= self.validation_end <= self.test_end:
            raise ValueError(
                f"borders must increase from 0, got {self.train_end}, {self.validation_end}, "
                f"{self.test_end}; pass 0 < train_end <= validation_end <= test_end"
            )

    @property
    def train(self) -> tuple[int, int]:
        """First row of the training part and the row after its last."""
        return 0, self.train_end

    @property
    def validation(self) -> tuple[int, int]:
        """First row of the validation part and the row after its last."""
        return self.train_end, self.validation_end

    @property
    def test(self) -> tuple[int, int]:
        """First row of the test part and the row after its last."""
        return self.validation_end, self.test_end


def ett_borders(steps_per_hour: int = 1) -> Borders:
    """Borders of the ETT data: 12, 4 and 4 months of 30 days; the remaining rows are not used.

    Parameters
    ----------
    steps_per_hour : int, default=1
        1 for ETTh, 4 for ETTm.

    Examples
    --------
    >>> ett_borders()
    Borders(train_end=8640, validation_end=11520, test_end=14400)
    """
    month = _HOURS_PER_MONTH * steps_per_hour
    return Borders(12 * month, 16 * month, 20 * month)


def ratio_borders(n_rows: int, train: float = 0.7, test: float = 0.2) -> Borders:
    """Borders by shares of the rows; the validation part is what the other two leave.

    Both shares are rounded down, as the long-term forecasting protocol does (Wu et al. 2021,
    arXiv:2106.13008), so that the number of test windows equals the published one.

    Parameters
    ----------
    n_rows : int
        Length of the series, in steps.
    train, test : float, default=0.7, 0.2
        Shares of the training and of the test part.

    Examples
    --------
    >>> ratio_borders(966)
    Borders(train_end=676, validation_end=773, test_end=966)
    """
    return Borders(int(n_rows * train), n_rows - int(n_rows * test), n_rows)


def window_cutoffs(start: int, end: int, horizon: int) -> np.ndarray:
    """Every cutoff whose forecast of `horizon` steps lies within rows ``start .. end - 1``.

    Parameters
    ----------
    start, end : int
        First row of the part and the row after its last, as in `Borders.test`.
    horizon : int
        Length of the forecast, in steps.

    Returns
    -------
    ndarray of shape (end - start - horizon + 1,), int64
        Increasing row positions; each is the first row that its forecast covers.

    Raises
    ------
    ValueError
        If `horizon` is below 1 or the part is shorter than one horizon.

    Examples
    --------
    >>> [len(window_cutoffs(*ett_borders().test, horizon)) for horizon in (96, 192, 336, 720)]
    [2785, 2689, 2545, 2161]
    """
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 step, got {horizon}")
    if end - start < horizon:
        raise ValueError(
            f"rows {start} to {end} hold {end - start} steps, fewer than one horizon of {horizon}; "
            f"pass horizon <= {end - start} or a longer part"
        )
    return np.arange(start, end - horizon + 1)

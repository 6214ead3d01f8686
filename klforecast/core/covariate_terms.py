"""What covariates can do to a series: a table of smooth functions of each column and of the phase of the cycle.

A term is the product of a function of one column and a harmonic of the phase. With z the standardised column and m
its mean over the last cycle, the functions are

    z,  (z - q_1)+ ... (z - q_4)+,  m,  (m - q_1)+ ... (m - q_4)+        q: knots at quantiles

each less its mean over the training rows, so that no term is a cycle of its own. A linear map of the terms is then a
piecewise linear function of the present and the recent value, other at each phase. A column of two values needs z
alone.

Nothing is known of a column beyond the range that it has been seen in: z and m are held at its edges, so that the
effect is. A column that is mostly trend, a price or the number of the row, leaves its range every time; its edge in
the direction of the trend moves on with it.

Letters   T steps, k columns, p terms, P period, J harmonics
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_KNOTS = (
    4  # fifths of the rows between them: a bend on either side of the middle, and one near each end
)
_HARMONICS = 2  # of columns that vary smoothly
_HARMONICS_PLAIN = 4  # of columns of two values, which have fewer terms
_FUNCTIONS = 2 * (_KNOTS + 1)  # a line and its bends, of z and of m
_TREND = 0.5  # share of its variance that makes a column one that is mostly trend
_FAR = 0.1  # of the range, beyond its edge: nearer ones, such as the hottest day so far, are met every day


class CovariateBasis(NamedTuple):
    """Terms, and what is needed to compute them.

    Attributes
    ----------
    period : int
        Steps of the cycle; 1 for none.
    center, scale : Tensor of shape (k,)
        Mean and deviation of each column over the training rows.
    knots : Tensor of shape (k, 2, 4)
        Knots of the column and of its mean over a cycle, standardised; infinite where there is none.
    means : Tensor of shape (k, functions)
        Means of the functions over the training rows.
    terms : Tensor of shape (p, 3), int64
        Column, function and harmonic of each term.
    lowest, highest : Tensor of shape (k, 2)
        Range of each column and of its mean over a cycle, standardised.
    drift : Tensor of shape (k,)
        Change in a step of the columns that are mostly trend; 0 for all others.
    newest : int
        Number of the newest training row.
    """

    period: int
    center: Tensor
    scale: Tensor
    knots: Tensor
    means: Tensor
    terms: Tensor
    lowest: Tensor
    highest: Tensor
    drift: Tensor
    newest: int

    def of_columns(self, columns: Tensor) -> Tensor:  # (k,) bool -> (p,) bool
        """Tell which terms belong to the given columns."""
        return columns[self.terms[:, 0]]

    def evaluate(self, columns: Tensor, steps: Tensor) -> Tensor:
        """Values of the terms.

        Parameters
        ----------
        columns : Tensor of shape (T, k)
            Neighbouring rows; the first cycle of them is averaged over fewer steps.
        steps : Tensor of shape (T,)
            Number of each row, from any origin that stays the same.

        Returns
        -------
        Tensor of shape (T, p), float64
        """
        lowest, highest = self._edges(steps)
        z = self._standardised(columns).clamp(lowest[..., 0], highest[..., 0])
        recent = moving_mean(z, self.period).clamp(lowest[..., 1], highest[..., 1])
        functions = _functions(z, recent, self.knots) - self.means
        column, function, harmonic = self.terms.T
        return functions[:, column, function] * _phases(steps, self.period)[:, harmonic]

    def without_edges(self) -> "CovariateBasis":
        """The same functions, which go on linearly beyond the range that was seen."""
        return self._replace(
            lowest=torch.full_like(self.lowest, -torch.inf),
            highest=torch.full_like(self.highest, torch.inf),
        )

    def is_far(self, columns: Tensor, steps: Tensor) -> Tensor:  # (T, k), (T,) -> (T, k) bool
        """Tell which values lie beyond the edges of their column by more than a tenth of its range."""
        z = self._standardised(columns)
        margin = _FAR * (self.highest - self.lowest)[:, 0]
        lowest, highest = (edges[..., 0] for edges in self._edges(steps))
        return (z < lowest - margin) | (z > highest + margin)

    def seen(self) -> tuple[Tensor, Tensor]:  # (k,), (k,)
        """Range of each column in the training rows, in its own units."""
        scale = torch.where(self.scale.isinf(), 0.0, self.scale)
        return self.center + self.lowest[:, 0] * scale, self.center + self.highest[:, 0] * scale

    def _standardised(self, columns: Tensor) -> Tensor:  # (T, k)
        return (columns.double() - self.center) / self.scale

    def _edges(self, steps: Tensor) -> tuple[Tensor, Tensor]:  # (T,) -> (T, k, 2), (T, k, 2)
        moved = (steps - self.newest).clamp(min=0)[:, None, None] * self.drift[:, None]
        return self.lowest + moved.clamp(max=0), self.highest + moved.clamp(min=0)


def covariate_basis(
    panel: Sequence[Tensor],  # (T, k) each
    steps: Sequence[Tensor],  # (T,) each
    period: int,
    plain: Tensor,  # (k,) bool
) -> CovariateBasis:
    """All terms of all columns.

    Parameters
    ----------
    panel : sequence of Tensor of shape (time, k)
        Training rows of the columns, finite.
    steps : sequence of Tensor of shape (time,)
        Number of each row, from one origin.
    period : int
        Steps of the cycle; 1 for none.
    plain : Tensor of shape (k,), bool
        Columns that are used as they are, without knots and moving means. Columns of two values always are.

    Returns
    -------
    CovariateBasis
    """
    rows = torch.cat(list(panel)).double()
    center, scale = rows.mean(dim=0), rows.std(dim=0, correction=0)
    # A constant column has a deviation of rounding size; as a term it is then zero.
    constant = scale <= 1e-12 * rows.abs().amax(dim=0)
    scale = torch.where(constant, torch.inf, scale)
    z = [(part.double() - center) / scale for part in panel]
    recent = torch.cat([moving_mean(part, period) for part in z])
    knots = torch.full((rows.shape[1], 2, _KNOTS), torch.inf, dtype=torch.float64)
    terms = []
    for column, values in enumerate(torch.cat(z).T):
        distinct = values.unique()
        if len(distinct) <= 2 or bool(plain[column]):
            functions, harmonics = [0], _HARMONICS_PLAIN
        else:
            knots[column, 0] = _quantiles(values, distinct)
            knots[column, 1] = _quantiles(recent[:, column], recent[:, column].unique())
            functions, harmonics = list(range(_FUNCTIONS)), _HARMONICS
        if period == 1:
            functions, harmonics = functions[: _KNOTS + 1], 0
        harmonics = min(harmonics, (period - 1) // 2)
        terms += [(column, f, h) for f in functions for h in range(2 * harmonics + 1)]
    whole = torch.cat(z)
    both = torch.stack([whole, recent], dim=-1)
    return CovariateBasis(
        period,
        center,
        scale,
        knots,
        _functions(whole, recent, knots).mean(dim=0),
        torch.tensor(terms).reshape(-1, 3),
        both.amin(dim=0),
        both.amax(dim=0),
        _drift(whole, torch.cat(list(steps))),
        int(max(part[-1] for part in steps)),
    )


def _drift(z: Tensor, steps: Tensor) -> Tensor:  # (T, k), (T,) -> (k,)
    """Slope of the columns, standardised, that are mostly trend; 0 for all others."""
    time = steps.double() - steps.double().mean()
    spread = time.square().mean()
    slope = time @ z / len(z) / torch.where(spread > 0, spread, 1.0)
    return torch.where(slope.square() * spread > _TREND, slope, 0.0)


def _functions(z: Tensor, recent: Tensor, knots: Tensor) -> Tensor:  # (T, k) -> (T, k, functions)
    both = torch.stack([z, recent], dim=-1)[..., None]  # (T, k, 2, 1)
    return torch.cat([both, (both - knots).clamp(min=0)], dim=-1).flatten(-2)


def moving_mean(rows: Tensor, steps: int) -> Tensor:  # (T, k) -> (T, k)
    """Mean of each row and the ones before it, `steps` in all or as many as there are."""
    total = torch.nn.functional.pad(rows.cumsum(dim=0), (0, 0, 1, 0))
    stop = torch.arange(1, len(rows) + 1)
    start = (stop - steps).clamp(min=0)
    return (total[stop] - total[start]) / (stop - start)[:, None]


def _quantiles(values: Tensor, distinct: Tensor) -> Tensor:  # (_KNOTS,)
    """Knots at equal shares of the rows or, where values are few, at the inner ones."""
    knots = torch.full((_KNOTS,), torch.inf, dtype=torch.float64)
    if len(distinct) <= _KNOTS + 2:
        inner = distinct[1:-1]
    else:
        ordered = values.sort().values
        places = torch.arange(1, _KNOTS + 1) * len(ordered) // (_KNOTS + 1)
        inner = ordered[places].unique()
    knots[: len(inner)] = inner
    return knots


def _phases(steps: Tensor, period: int) -> Tensor:  # (T,) -> (T, 1 + 2 J)
    angle = steps.double()[:, None] * torch.arange(1, _HARMONICS_PLAIN + 1) * (2 * math.pi / period)
    waves = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
    return torch.cat([torch.ones(len(steps), 1, dtype=torch.float64), waves], dim=1)

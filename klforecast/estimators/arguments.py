"""Numbers that the estimators refuse, alone, and the words in which they say so."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

_LARGEST = 1e140  # squared and summed over many rows it stays below 1e308


def check_integer(name: str, value: Any, minimum: int, optional: bool = False) -> None:
    """Raise unless `value` is an integer of at least `minimum`, or None where that is allowed."""
    if value is None and optional:
        return
    wanted = f"an integer of at least {minimum}" + (" or None" if optional else "")
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {value!r}; pass {wanted}")
    if value < minimum:
        raise ValueError(f"{name} is {value}; pass {wanted}")


def check_number(
    name: str, value: Any, low: float, high: float = np.inf, *, above_low: bool = False
) -> None:
    """Raise unless `value` is a number with low <= value < high, or low < value if `above_low`."""
    sign = "<" if above_low else "<="
    wanted = f"a number with {low} {sign} {name}" + ("" if high == np.inf else f" < {high}")
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; pass {wanted}")
    if not low <= float(value) < high or (above_low and value == low):
        raise ValueError(f"{name} is {value}; pass {wanted}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise unless `value` is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; pass one of {', '.join(map(repr, choices))}")


def check_magnitude(name: str, values: np.ndarray) -> None:
    """Raise a ValueError if squares of the values, the units of eigenvalues, would overflow."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest > _LARGEST:
        raise ValueError(
            f"{name} holds values of up to {largest:.0e}, whose squares overflow; divide it by a "
            f"constant, so that all are below {_LARGEST:.0e}"
        )


def warn_shrunk(name: str, wanted: int | None, got: int) -> None:
    """Warn if the data allowed less than the user asked for."""
    if wanted is not None and got < wanted:
        warnings.warn(
            f"{name}={wanted} is more than the data allow; {name}_={got} is used",
            UserWarning,
            stacklevel=2,
        )

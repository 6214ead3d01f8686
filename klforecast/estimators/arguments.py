"""Arguments that the estimators refuse, alone, and the words in which they say so."""

import os
import reprlib
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from pandas.api.types import is_list_like

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 80  # letters of a value in a message
_LARGEST_SEED = 2**32 - 1  # of numpy's Mersenne twister
_MOST_FILTERS = 100_000  # 14 MB of features for each series; 10,000 is what others draw at most
_LEAST_WEIGHTS = 2**26  # that are trained however few the data: 1 GB with gradients and moments
_WEIGHTS_PER_VALUE = 1000  # of the data; published forecasters have some ten
_LARGEST = 1e140  # squared and summed over many rows it stays below 1e308


def check_integer(name: str, value: Any, minimum: int, optional: bool = False) -> None:
    """Raise unless `value` is an integer of at least `minimum`, or None where that is allowed."""
    if value is None and optional:
        return
    wanted = f"an integer of at least {minimum}" + (" or None" if optional else "")
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {show(value)}; pass {wanted}")
    if value < minimum:
        raise ValueError(f"{name} is {value}; pass {wanted}")


def check_jobs(n_jobs: Any) -> None:
    """Raise unless `n_jobs` is a number of processors, -1 for all of them, or None for one."""
    if n_jobs == -1:
        return
    try:
        check_integer("n_jobs", n_jobs, minimum=1, optional=True)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"n_jobs is {show(n_jobs)}; pass a number of processors, -1 or None"
        ) from None


def check_number(
    name: str, value: Any, low: float, high: float = np.inf, *, above_low: bool = False
) -> None:
    """Raise unless `value` is a number with low <= value < high, or low < value if `above_low`."""
    sign = "<" if above_low else "<="
    wanted = f"a number with {low} {sign} {name}" + ("" if high == np.inf else f" < {high}")
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {show(value)}; pass {wanted}")
    if not low <= float(value) < high or (above_low and value == low):
        raise ValueError(f"{name} is {value}; pass {wanted}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise unless `value` is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {show(value)}; pass one of {', '.join(map(repr, choices))}")


def check_flag(name: str, value: Any) -> None:
    """Raise unless `value` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {show(value)}; pass True or False")


def check_filters(value: Any) -> None:
    """Raise unless `n_filters` is a number of filters whose features a computer can hold, or None."""
    check_integer("n_filters", value, minimum=1, optional=True)
    if value is not None and value > _MOST_FILTERS:
        raise ValueError(
            f"n_filters={value} is far too many; pass at most {_MOST_FILTERS}, or None"
        )


def check_weights(sizes: Mapping[str, int], weights: int, data: str, values: int) -> None:
    """Raise a ValueError unless a network is one that so many values could train.

    Parameters
    ----------
    sizes : mapping of str to int
        Arguments that make it as large as it is.
    weights : int
        About how many it has.
    data : str
        What it would be trained on, for the message.
    values : int
        How many numbers that are.
    """
    limit = max(_LEAST_WEIGHTS, _WEIGHTS_PER_VALUE * values)
    if weights > limit:
        *others, last = (f"{name}={size}" for name, size in sizes.items())
        raise ValueError(
            f"{', '.join(others)} and {last} make some {weights:.0e} weights; with {data} pass sizes "
            f"that make at most {limit:.0e}"
        )


def check_levels(name: str, value: Any, distinct: bool = False) -> list[float]:
    """Return levels of quantiles, or shares of intervals, as floats.

    Parameters
    ----------
    name : str
    value : float or sequence of float
    distinct : bool, default=False
        Whether each may come once only, since it names a column.

    Raises
    ------
    TypeError
        If it is no number and no sequence of numbers.
    ValueError
        If a number is not between 0 and 1, or there is none.
    """
    wanted = "pass numbers between 0 and 1, such as [0.1, 0.9]"
    several = is_list_like(value) and not isinstance(value, Mapping)
    levels = list(value) if several else [value]
    if any(isinstance(level, bool | np.bool_) or not isinstance(level, Real) for level in levels):
        raise TypeError(f"{name} is {show(value)}; {wanted}")
    if not levels or not all(0 < level < 1 for level in levels):
        raise ValueError(f"{name} is {show(value)}; {wanted}")
    twice = sorted({level for level in levels if levels.count(level) > 1})
    if distinct and twice:
        raise ValueError(f"{name} holds {twice[0]} twice; pass each level once")
    return [float(level) for level in levels]


def check_percentages(name: str, value: Sequence[float]) -> None:
    """Raise a ValueError if a coverage in percent seems to be written as a share."""
    shares = [level for level in value if 0 < level < 1]
    if shares:
        raise ValueError(
            f"{name} {shares[0]:g} was given; levels are per cent, pass {100 * shares[0]:g}"
        )


def check_path(path: Any) -> None:
    """Raise a TypeError unless `path` names a file."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {show(path)}; pass the name of a file, a str or a Path")


def check_seed(name: str, value: Any) -> None:
    """Raise unless `value` can seed a generator of numbers."""
    if value is None or isinstance(value, np.random.RandomState):
        return
    wanted = f"an integer from 0 to {_LARGEST_SEED}, a numpy RandomState or None"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {show(value)}; pass {wanted}")
    if not 0 <= int(value) <= _LARGEST_SEED:
        raise ValueError(f"{name} is {value}; pass {wanted}")


def check_device(name: str, value: Any, others: Sequence[str] = ()) -> None:
    """Raise unless `value` names a device that torch finds here, or is one of some other words."""
    present = ["'auto'", "'cpu'", *(f"'{word}'" for word in others)]
    present += [f"'cuda:{i}'" for i in range(torch.cuda.device_count())]
    present += ["'mps'"] if torch.backends.mps.is_available() else []
    wanted = f"one of {', '.join(present)}, which are here"
    if not isinstance(value, str | torch.device):
        raise TypeError(f"{name} is {show(value)}; pass {wanted}")
    named = str(value)
    if f"'{named}'" not in present and not (named == "cuda" and "'cuda:0'" in present):
        raise ValueError(f"{name} is {named!r}; pass {wanted}")


def show(value: Any) -> str:
    """Spell out a value in a message, in a line at most."""
    return " ".join(_SHOWN.repr(value).split())


def check_magnitude(name: str, values: np.ndarray) -> None:
    """Raise a ValueError if squares of the values, the units of eigenvalues, would overflow."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest > _LARGEST:
        raise ValueError(
            f"{name} holds values of up to {largest:.0e}, whose squares overflow; divide it by a "
            f"constant, so that all are below {_LARGEST:.0e}"
        )

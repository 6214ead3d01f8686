"""What a fit has less of than was asked for, because of its rows: how much, and the warning that says so."""

import warnings
from collections.abc import Mapping
from typing import Any


def longest_horizon(rows: int) -> int:
    """Steps that can be learned ahead: as many for the past as for the future, and as many windows."""
    return max(1, rows // 3)


def shrink_horizon(horizon: int, rows: int) -> int:
    """Shrink the horizon to a third of the longest series, with a warning that says so."""
    possible = longest_horizon(rows)
    if horizon <= possible:
        return horizon
    warnings.warn(
        f"horizon={horizon} is too long for {rows} rows: the model learns {possible} steps ahead "
        "and forecasts later steps from its own forecasts",
        UserWarning,
        stacklevel=2,
    )
    return possible


def warn_of_shrunk(
    parameters: Mapping[str, Any],
    input_length: int,
    memory_depth: int,
    n_components: int,
    maps_components: bool,
) -> None:
    """Warn of each size for which the data allowed less than was asked for.

    Parameters
    ----------
    parameters : mapping
        Constructor arguments of the forecaster.
    input_length, memory_depth, n_components : int
        What the fit has.
    maps_components : bool
        Whether a map from components has a share in its forecast.
    """
    warn_shrunk("input_length", parameters["input_length"], input_length)
    if parameters["memory"] != "history" or parameters["memory_options"] is not None:
        return
    warn_shrunk("memory_depth", parameters["memory_depth"], memory_depth)
    wanted = parameters["n_components"]
    if wanted is not None and not n_components:
        _warn_inert(
            wanted,
            f"the memory reaches back {memory_depth} steps, all of which are read as they are; pass a "
            "smaller input_length, a larger memory_depth or more rows",
        )
    elif wanted is not None and not maps_components:
        _warn_inert(
            wanted,
            "no map from components has a share in the forecast, as where rows are too few to hold some "
            "of them out; pass more rows or a shorter horizon",
        )
    else:
        warn_shrunk("n_components", wanted, n_components)


def warn_shrunk(name: str, wanted: int | None, got: int) -> None:
    """Warn if the data allowed less than the user asked for."""
    if wanted is not None and got < wanted:
        warnings.warn(
            f"{name}={wanted} is more than the data allow; {name}_={got} is used",
            UserWarning,
            stacklevel=2,
        )


def warn_no_season(period: int, rows: int) -> None:
    """Warn that a cycle was seen less than twice."""
    warnings.warn(
        f"a cycle of {period} steps has no effect: it takes {2 * period} rows to see it twice, and y "
        f"has {rows}",
        UserWarning,
        stacklevel=2,
    )


def _warn_inert(n_components: int, why: str) -> None:
    warnings.warn(f"n_components={n_components} has no effect: {why}", UserWarning, stacklevel=2)

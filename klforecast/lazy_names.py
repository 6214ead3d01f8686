"""Names of a package that are imported when they are asked for."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make `__getattr__` and `__dir__` of a package whose names are defined in other modules.

    The `__init__` of a package is run before each of its modules, and would load what they need with it.

    Parameters
    ----------
    package : str
        Its `__name__`.
    homes : mapping of str to str
        Full name of the module that defines each name.

    Returns
    -------
    tuple of callable
        Assign them to `__getattr__` and `__dir__`.

    Examples
    --------
    >>> get, names = lazy_names("klforecast", {"sqrt": "math"})
    >>> get("sqrt")(9.0), "sqrt" in names()
    (3.0, True)
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}; it has {', '.join(homes)}"
            )
        return getattr(import_module(homes[name]), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names

"""What a model needs beyond the dependencies of klforecast itself."""

from collections.abc import Sequence
from importlib.util import find_spec


def missing(needs: Sequence[str]) -> tuple[str, ...]:
    """Return those of the distributions that are not installed."""
    return tuple(name for name in needs if find_spec(name) is None)


def require_installed(model: str, needs: Sequence[str]) -> None:
    """Raise an `ImportError` that says how to install what a model lacks."""
    absent = missing(needs)
    if absent:
        raise ImportError(
            f"the model {model!r} needs {', '.join(absent)}; "
            f"install it with `pip install klforecast[peers]`"
        )

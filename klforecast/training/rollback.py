"""A call that fails leaves its object as it was before."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unchanged_on_error(obj: object) -> Iterator[None]:
    """Give an object its attributes back if the block is left by an error, an interrupt included.

    Parameters
    ----------
    obj : object
        What it has learned is replaced and never changed in place, so references are enough.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(weight=1)
    >>> try:
    ...     with unchanged_on_error(model):
    ...         model.weight = 2
    ...         raise ValueError("no more rows")
    ... except ValueError:
    ...     model.weight
    1
    """
    before = dict(vars(obj))
    try:
        yield
    except BaseException:  # an interrupt leaves half a state as an error does; it is raised again
        vars(obj).clear()
        vars(obj).update(before)
        raise

"""The global generators, seeded for the time of a block and put back afterwards.

Many forecasters draw from them and offer no `random_state`; without a seed, two of their forecasts
differ for a reason that is no leak.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from klforecast.training.seeding import seeded

_NUMPY = np.random.mtrand._rand  # the generator behind `np.random.normal` and its like


@contextmanager
def global_seeds(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, numpy and torch, and restore them afterwards.

    Examples
    --------
    >>> import random
    >>> with global_seeds(0):
    ...     first = random.random()
    >>> with global_seeds(0):
    ...     first == random.random()
    True
    """
    python, numpy_state = random.getstate(), _NUMPY.get_state()
    random.seed(seed)
    _NUMPY.seed(seed)
    try:
        with seeded(seed):
            yield
    finally:
        random.setstate(python)
        _NUMPY.set_state(numpy_state)

"""Reproducible randomness that leaves the global generators as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_SEEDS = 2**31 - 1  # what a 32-bit integer holds, as scikit-learn draws seeds


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Turn a `random_state` into a seed.

    Parameters
    ----------
    random_state : int, RandomState or None
        An int is the seed. A RandomState is drawn from, and so advances. None is fresh entropy,
        not the global generator of numpy.

    Raises
    ------
    ValueError
        If it is none of these, or an int that is not in [0, 2**31 - 1).
    """
    if random_state is None:
        return int(np.random.default_rng().integers(_SEEDS))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(_SEEDS))
    if isinstance(random_state, int | np.integer) and 0 <= random_state < _SEEDS:
        return int(random_state)
    raise ValueError(
        f"got random_state={random_state!r}; pass None, a RandomState or an int from 0 to 2**31 - 2"
    )


@contextmanager
def seeded(
    random_state: int | np.random.RandomState | None, device: str | torch.device = "cpu"
) -> Iterator[None]:
    """Seed torch for the time of a block, on the CPU and on the device that computes.

    Parameters
    ----------
    random_state : int, RandomState or None
        See `draw_seed`.
    device : str or torch.device, default="cpu"
        Its generator is seeded and restored too.

    Examples
    --------
    >>> before = torch.get_rng_state()
    >>> with seeded(0):
    ...     first = torch.rand(())
    >>> with seeded(0):
    ...     again = torch.rand(())
    >>> bool(first == again), bool((torch.get_rng_state() == before).all())
    (True, True)
    """
    seed = draw_seed(random_state)
    device = torch.device(device)
    accelerators = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(accelerators, device_type=device.type):
        # torch.manual_seed would seed every accelerator, and fork_rng restores only the one in use.
        torch.default_generator.manual_seed(seed)
        if accelerators:
            torch.get_device_module(device).manual_seed(seed)
        yield

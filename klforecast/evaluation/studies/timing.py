"""Times of alternatives, side by side: CPU seconds of one thread, in turns.

A machine is never alone. So CPU time is taken and not the clock, and every alternative has its turn
in each round, so that whatever else runs meets all of them alike.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Result = TypeVar("Result")


def timed(run: Callable[[], Result]) -> tuple[Result, float]:
    """Return what a call returns, and its CPU seconds.

    Examples
    --------
    >>> total, seconds = timed(lambda: sum(range(1000)))
    >>> total, seconds >= 0
    (499500, True)
    """
    begun = time.process_time()
    result = run()
    return result, time.process_time() - begun


def cpu_seconds(run: Callable[[], Any]) -> float:
    """Return the CPU seconds of one call.

    Examples
    --------
    >>> cpu_seconds(lambda: sum(range(1000))) >= 0
    True
    """
    return timed(run)[1]


def in_turns(runs: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each call, by name: `repeats` of each, one round after the other.

    Examples
    --------
    >>> times = in_turns({"short": lambda: None, "long": lambda: sum(range(10_000))}, repeats=3)
    >>> [len(of) for of in times.values()]
    [3, 3]
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(cpu_seconds(run))
    return times

"""Independent parts of one computation in threads: channels of a core, series of a panel.

Products and decompositions release Python's lock, so that threads pay where parts take some milliseconds each. How many
there are is said once, around a fit, and not handed through every function between.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Part = TypeVar("Part")
Answer = TypeVar("Answer")

_AHEAD = 2  # answers that may wait for each worker, which bounds the memory
_workers: ContextVar[int] = ContextVar("workers", default=1)  # the thread of the caller


@contextmanager
def workers(count: int) -> Iterator[None]:
    """Let `answers` take so many threads within the block; threads that it starts have none of their own."""
    token = _workers.set(count)
    try:
        yield
    finally:
        _workers.reset(token)


def answers(work: Callable[[Part], Answer], parts: Iterable[Part]) -> Iterator[Answer]:
    """What `work` says of each part, in their order; the same for any number of workers.

    Parameters
    ----------
    work : callable
        Reads what it shares with others, and writes nothing but places of its own.
    parts : iterable
        Asked for one after another, in the thread of the caller.

    Examples
    --------
    >>> with workers(2):
    ...     list(answers(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    count = _workers.get()
    if count == 1:
        yield from map(work, parts)
        return
    waiting: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(work, part))
                if len(waiting) > _AHEAD * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

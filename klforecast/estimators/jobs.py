"""The `n_jobs` of an estimator: workers that share the work of a call, one thread each."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend
from threadpoolctl import threadpool_limits

from klforecast.estimators.arguments import check_jobs
from klforecast.ops.workers import workers

Method = TypeVar("Method", bound=Callable[..., Any])

_OF_THIS_MACHINE = "joblib._parallel_backends"  # where joblib has its backends without a cluster


def on_workers(method: Method) -> Method:
    """A method of an estimator in which `ops.workers.answers` takes as many threads as its `n_jobs` says.

    Raises TypeError or ValueError for what is no number of jobs.
    """

    @functools.wraps(method)
    def on_its_workers(self: Any, *args: Any, **kwargs: Any) -> Any:
        check_jobs(self.n_jobs)
        count = count_workers(self.n_jobs)
        if count == 1:
            return method(self, *args, **kwargs)
        with one_thread(), workers(count):
            return method(self, *args, **kwargs)

    return cast(Method, on_its_workers)


def count_workers(n_jobs: int | None) -> int:
    """Workers of a number of jobs: -1 is every processor, None one or what `joblib.parallel_config` says.

    A cluster that joblib is told of has other work for its threads: there None is one.

    Examples
    --------
    >>> count_workers(None), count_workers(3)
    (1, 3)
    """
    if n_jobs is None:
        backend = type(get_active_backend()[0])
        count: int = effective_n_jobs(None) if backend.__module__ == _OF_THIS_MACHINE else 1
        return count
    return cpu_count() if n_jobs == -1 else n_jobs


class _Limits:
    """What was in force before the first of several calls at once, and how many of these are under way."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside, self.of_torch = 0, 1
        self.of_products: threadpool_limits | None = None

    def enter(self) -> None:
        with self.lock:
            if not self.inside:
                self.of_torch = torch.get_num_threads()
                self.of_products = threadpool_limits(1)
            self.inside += 1
            torch.set_num_threads(1)

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            # Every thread has a number of its own, which none but itself can give back.
            torch.set_num_threads(self.of_torch)
            if not self.inside and self.of_products is not None:
                self.of_products.restore_original_limits()


_limits = _Limits()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let products and decompositions take no further threads: as many of them as workers would fight."""
    _limits.enter()
    try:
        yield
    finally:
        _limits.leave()

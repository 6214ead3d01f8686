"""The `n_jobs` of an estimator: threads that share the work of a call, one thread in each."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import threadpoolctl
import torch
from joblib import effective_n_jobs

from klforecast.estimators.arguments import check_jobs
from klforecast.ops.workers import workers

Method = TypeVar("Method", bound=Callable[..., Any])


def on_workers(method: Method) -> Method:
    """A method of an estimator in which `ops.workers.answers` takes as many threads as its `n_jobs` says.

    None is one, or what `joblib.parallel_config` says. Raises TypeError or ValueError for what is no number of jobs.
    """

    @functools.wraps(method)
    def on_its_workers(self: Any, *args: Any, **kwargs: Any) -> Any:
        check_jobs(self.n_jobs)
        count = effective_n_jobs(self.n_jobs)
        if count == 1:
            return method(self, *args, **kwargs)
        with one_thread(), workers(count):
            return method(self, *args, **kwargs)

    return cast(Method, on_its_workers)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let products and decompositions take no further threads: as many of them as workers would fight."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpoolctl.threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest


@pytest.fixture
def in_this_process(monkeypatch) -> Callable[[ModuleType], None]:
    """Let a study measure without processes of its own, whose imports take longer than what they measure."""

    def patch(study: ModuleType) -> None:
        monkeypatch.setattr(
            study,
            "ProcessPoolExecutor",
            lambda workers, mp_context, **options: ThreadPoolExecutor(workers, **options),
        )

    return patch

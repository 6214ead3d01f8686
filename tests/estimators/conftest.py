from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch

from klforecast.classify import forest


@pytest.fixture(autouse=True, scope="module")
def few_trees() -> Iterator[None]:
    """Forests of 20 trees instead of 200: no claim about an estimator depends on their number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest, "_TREES_OF_FOLD", 4)
        yield


@pytest.fixture(scope="session")
def hourly() -> pd.DataFrame:
    """Two channels with a daily cycle and noise, 400 rows."""
    rng = np.random.default_rng(0)
    time = np.arange(400)
    day = 2 * np.pi * time / 24
    values = np.stack([10 + 3 * np.sin(day), 100 + 20 * np.cos(day) + 0.05 * time], axis=1)
    values += rng.normal(size=values.shape) * [0.3, 2.0]
    index = pd.date_range("2024-01-01", periods=400, freq="h")
    return pd.DataFrame(values, index=index, columns=["load", "heat"])


@pytest.fixture(scope="session")
def panel(hourly: pd.DataFrame) -> pd.DataFrame:
    """Three series of unequal length, each with a cutoff of its own."""
    parts = {"a": hourly[:300], "b": 2 * hourly[50:250] + 5, "c": -hourly[100:180]}
    return pd.concat(parts, names=["site", "time"])


@pytest.fixture(scope="session")
def state_of() -> Callable[[object], dict[str, object]]:
    """Give every number inside an object, tensors and arrays as bytes, by the path to it."""

    def collect(thing: object) -> dict[str, object]:
        found: dict[str, object] = {}
        _collect(thing, "", found, set())
        return found

    return collect


def _collect(thing: object, path: str, found: dict[str, object], seen: set[int]) -> None:
    if isinstance(thing, bool | int | float | str | bytes | type(None)):
        found[path] = thing
        return
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        found[path] = thing.detach().cpu().numpy().tobytes()
    elif isinstance(thing, np.ndarray):
        found[path] = thing.tobytes()
    elif isinstance(thing, pd.Index | pd.Series | pd.DataFrame):
        found[path] = np.asarray(pd.util.hash_pandas_object(thing)).tobytes()
    elif isinstance(thing, dict):
        for key, value in thing.items():
            _collect(value, f"{path}[{key!r}]", found, seen)
    elif isinstance(thing, list | tuple):
        for position, value in enumerate(thing):
            _collect(value, f"{path}[{position}]", found, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        for name, value in vars(thing).items():
            _collect(value, f"{path}.{name}", found, seen)

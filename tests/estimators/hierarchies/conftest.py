import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def shops():
    """Sales of six shops in three regions, 60 months; `crossed` adds a kind of shop."""
    rng = np.random.default_rng(0)
    months = pd.period_range("2015-01", periods=60, freq="M")
    wave = 1 + 0.3 * np.sin(np.arange(60) * np.pi / 6)
    names = [("n", "a"), ("n", "b"), ("n", "c"), ("s", "a"), ("s", "b"), ("w", "a")]
    common = rng.normal(size=60)
    parts = {
        name: pd.DataFrame(
            {"sales": 10 * 2**place * (wave + 0.1 * rng.normal(size=60) + 0.05 * common)}, months
        )
        for place, name in enumerate(names)
    }
    return pd.concat(parts, names=["region", "shop", "month"])

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from klforecast.cli import app


@pytest.fixture
def call():
    """Run the command line on arguments, each turned into text."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture(scope="session")
def shops() -> pd.DataFrame:
    """Two shops with a weekly cycle and a price, as a person would keep them."""
    rng = np.random.default_rng(2)
    parts = []
    for name, n in {"north": 120, "south": 100}.items():
        t = np.arange(n)
        price = rng.uniform(1, 2, n).round(2)
        sales = 40 + 9 * np.sin(2 * np.pi * t / 7) - 6 * price + rng.normal(size=n)
        parts.append(
            pd.DataFrame(
                {
                    "date": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
                    "shop": name,
                    "sales": sales.round(2),
                    "price": price,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)

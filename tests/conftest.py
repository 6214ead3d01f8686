import gc
from collections.abc import Callable, Iterator

import pytest
import torch

from klforecast.data import Dataset, load
from klforecast.data.files import FOLDER_VARIABLE, find

torch.set_num_threads(1)

OFFICIAL_FILES = {
    "ETTh1": ("ETTh1.csv",),
    "ETTh2": ("ETTh2.csv",),
    "ETTm1": ("ETTm1.csv",),
    "ETTm2": ("ETTm2.csv",),
    "Weather": ("weather.csv",),
    "Exchange": ("exchange_rate.txt", "exchange_rate.csv"),
    "ILI": ("national_illness.csv",),
    "Electricity": ("electricity.csv",),
    "Traffic": ("traffic.csv",),
    "VicElec": ("vic_elec.csv",),
    "M4Weekly": ("Weekly-train.csv",),
}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage among what imports make, which stays: a sixth of the time of the collection."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def load_real() -> Callable[[str], Dataset]:
    """Load a data set from the data folder; skip the test, naming the file, where it is absent."""

    def load_or_skip(name: str) -> Dataset:
        files = OFFICIAL_FILES[name]
        if all(find(file) is None for file in files):
            pytest.skip(f"{' or '.join(files)} is not under {FOLDER_VARIABLE}")
        return load(name)

    return load_or_skip

"""Which data sets can be read at once, without loading or downloading any of them."""

from klforecast.data.datasets import dataset_names
from klforecast.data.files import find

# Official files by data set; alternatives in one tuple. Other data sets ship with sktime.
_FILES: dict[str, tuple[tuple[str, ...], ...]] = {
    **{name: ((f"{name}.csv",),) for name in ("ETTh1", "ETTh2", "ETTm1", "ETTm2")},
    "Weather": (("weather.csv",),),
    "Exchange": (("exchange_rate.txt", "exchange_rate.csv"),),
    "ILI": (("national_illness.csv",),),
    "Electricity": (("electricity.csv",),),
    "Traffic": (("traffic.csv",),),
    "VicElec": (("vic_elec.csv",),),
    "M4Weekly": (("Weekly-train.csv",), ("Weekly-test.csv",)),
}


def dataset_sources() -> dict[str, str]:
    """Say of each data set where it would be read from.

    Examples
    --------
    >>> dataset_sources()["airline"]
    'ships with sktime'
    """
    return {name: _source(name) for name in dataset_names()}


def _source(name: str) -> str:
    if name not in _FILES:
        return "ships with sktime"
    found = [
        next((path for file in alternatives if (path := find(file)) is not None), None)
        for alternatives in _FILES[name]
    ]
    if None in found:
        return "not in the data folder"
    return ", ".join(str(path) for path in found)

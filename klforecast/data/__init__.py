"""Series by name, where they are cut, how they are scaled, and the windows and periods in them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from klforecast.data.datasets import Dataset, dataset_names, load
    from klforecast.data.files import data_folder
    from klforecast.data.periods import find_periods
    from klforecast.data.scaling import Standardizer
    from klforecast.data.splits import Borders, ett_borders, ratio_borders, window_cutoffs
    from klforecast.data.windows import sliding_windows

__all__ = [
    "Borders",
    "Dataset",
    "Standardizer",
    "data_folder",
    "dataset_names",
    "ett_borders",
    "find_periods",
    "load",
    "ratio_borders",
    "sliding_windows",
    "window_cutoffs",
]

_HOMES = {
    "Borders": "splits",
    "Dataset": "datasets",
    "Standardizer": "scaling",
    "data_folder": "files",
    "dataset_names": "datasets",
    "ett_borders": "splits",
    "find_periods": "periods",
    "load": "datasets",
    "ratio_borders": "splits",
    "sliding_windows": "windows",
    "window_cutoffs": "splits",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: a list of data sets needs no torch.
    if name not in _HOMES:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

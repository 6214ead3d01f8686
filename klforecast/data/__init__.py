"""Series by name, where they are cut, how they are scaled, and the windows and periods in them."""

from typing import TYPE_CHECKING

from klforecast.lazy_names import lazy_names

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

# A list of data sets needs no torch.
_HOMES = {
    "Borders": "klforecast.data.splits",
    "Dataset": "klforecast.data.datasets",
    "Standardizer": "klforecast.data.scaling",
    "data_folder": "klforecast.data.files",
    "dataset_names": "klforecast.data.datasets",
    "ett_borders": "klforecast.data.splits",
    "find_periods": "klforecast.data.periods",
    "load": "klforecast.data.datasets",
    "ratio_borders": "klforecast.data.splits",
    "sliding_windows": "klforecast.data.windows",
    "window_cutoffs": "klforecast.data.splits",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

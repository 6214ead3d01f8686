"""Series by name, where they are cut, how they are scaled, and the windows and periods in them."""

from klforecast.data.datasets import Dataset, dataset_names, load
from klforecast.data.files import data_folder
from klforecast.data.periods import find_periods
from klforecast.data.scaling import Standardizer
from klforecast.data.splits import (
    Borders,
    ett_borders,
    ratio_borders,
    window_cutoffs,
)
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

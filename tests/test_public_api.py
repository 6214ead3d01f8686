"""The public names, pinned: a change of this list is a change that users see."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import klforecast

PUBLIC = {
    "klforecast": {
        "KLMemory",
        "KLMemoryDetector",
        "KLMemoryForecaster",
        "KLMemoryRegressor",
        "KarhunenLoeve",
        "LongForecaster",
        "MemoryOptions",
        "ReconciledForecaster",
        "SpectralSSMClassifier",
        "SpectralSSMPanelClassifier",
        "backtest",
        "SpectralFeatures",
        "SpectralPanelFeatures",
        "SpectralSSMPanelRegressor",
        "SpectralSSMRegressor",
        "leakage_report",
        "with_memory",
    },
    "klforecast.estimators": {
        "KLMemoryDetector",
        "KLMemoryForecaster",
        "KLMemoryRegressor",
        "KarhunenLoeve",
        "LongForecaster",
        "MemoryOptions",
        "ReconciledForecaster",
        "SpectralFeatures",
        "SpectralPanelFeatures",
        "SpectralSSMClassifier",
        "SpectralSSMPanelClassifier",
        "SpectralSSMPanelRegressor",
        "SpectralSSMRegressor",
    },
    "klforecast.distributed": {
        "Agreement",
        "PanelModel",
        "PartMoments",
        "Survey",
        "agree",
        "cross_validation",
        "fit",
        "fit_parts",
        "forecast_parquet",
        "part_moments",
        "predict",
        "predict_parts",
        "solve_panel",
        "survey_part",
    },
    "klforecast.modules": {
        "DualLane",
        "ForecastModule",
        "KLActivation",
        "KLMemory",
        "LinearCore",
        "SpectralSSM",
        "with_memory",
    },
    "klforecast.data": {
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
    },
}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_names_are_these(name):
    module = importlib.import_module(name)
    assert set(module.__all__) == PUBLIC[name]
    assert module.__all__ == sorted(module.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_exists_and_is_documented_with_an_example(name):
    module = importlib.import_module(name)
    for public in module.__all__:
        text = inspect.getdoc(getattr(module, public)) or ""
        assert re.search(r"^Examples?\n-+\n", text, re.MULTILINE), public


def test_the_citation_names_the_version():
    cited = (Path(__file__).parents[1] / "CITATION.cff").read_text()
    assert f"\nversion: {klforecast.__version__}\n" in cited

"""Every example runs as a script and ends in its assert."""

import importlib.util
import runpy
import sys
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
NEEDS = {"memory_for_a_hugging_face_model": "transformers"}


# What sktime announces of forecasters of its own.
@pytest.mark.filterwarnings("ignore:The default of config ``remember_data``:FutureWarning")
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_its_assert_holds(script, tmp_path, monkeypatch):
    package = NEEDS.get(script.stem)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"this example needs {package}, which is not installed")
    matplotlib.use("Agg")
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.chdir(tmp_path)
    # In this process: imports, which a process of its own would repeat, take longer than most examples.
    runpy.run_path(str(script), run_name="__main__")
    pyplot.close("all")
    assert not list(tmp_path.iterdir()), "an example wrote a file that nobody asked for"

"""Every example runs as a script and ends in its assert."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
NEEDS = {"memory_for_a_hugging_face_model": "transformers"}


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_its_assert_holds(script, tmp_path):
    package = NEEDS.get(script.stem)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"this example needs {package}, which is not installed")
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "PYTHONWARNINGS": "error::FutureWarning:klforecast",
    }
    environment["PYTHONPATH"] = str(script.parents[1])
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "an example wrote a file that nobody asked for"

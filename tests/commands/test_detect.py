"""`klforecast detect`: what it says, and that it writes what was asked for and nothing else."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def path(shops, tmp_path):
    file = tmp_path / "shops.csv"
    shops.loc[90, "sales"] += 60
    shops.to_csv(file, index=False)
    shops.loc[90, "sales"] -= 60
    return file


def test_what_is_odd_in_a_file_is_found_and_written(call, path, tmp_path):
    out, plot, html = (tmp_path / f"odd.{ending}" for ending in ("csv", "png", "html"))
    files = ("--out", out, "--plot", plot, "--html", html)
    result = call("detect", path, "--target", "sales", *files)
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out, parse_dates=["time"])
    assert list(found) == ["series", "time", "value", "expected", "p_value", "kind"]
    spike = found[(found["series"] == "north") & (found["time"] == "2024-03-31")]
    assert spike["kind"].tolist() == ["outlier"]
    assert np.isfinite(spike["expected"]).all()
    written = sorted(file.name for file in tmp_path.iterdir())
    assert written == ["odd.csv", "odd.html", "odd.png", "shops.csv"]
    page = html.read_text(encoding="utf-8")
    assert "<td>2024-03-31</td>" in page
    assert "<svg" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rate", 2), "--rate 2: pass a share between 0 and 1"),
        (("--cycle", 50), "cycle=50 takes 300 rows"),
        (("--series", "west"), "has no series 'west'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(call, path, options, message):
    result = call("detect", path, "--target", "sales", *options)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output

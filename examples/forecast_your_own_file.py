"""
From a file to a forecast
=========================

The command line reads a CSV, says what it found, and writes forecasts and a picture.
"""

# sphinx_gallery_thumbnail_path = "images/own_file.png"

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
shops = []
for name, size in {"Harbour Street": 40, "Station": 120}.items():
    days = pd.date_range("2023-01-02", periods=560, freq="D")
    week = np.array([0.9, 0.85, 0.9, 1.0, 1.25, 1.4, 0.6])[days.dayofweek]
    trend = 1 + 0.0006 * np.arange(len(days))
    sales = rng.poisson(size * week * trend)
    shops.append(pd.DataFrame({"date": days, "shop": name, "sales": sales}))
table = pd.concat(shops)
# As in life: a shop was closed for three days, and nobody wrote a row.
table = table.drop(table.index[100:103])

with tempfile.TemporaryDirectory() as folder:
    file, out = Path(folder) / "sales.csv", Path(folder) / "forecast.csv"
    table.to_csv(file, index=False)
    command = [sys.executable, "-c", "from klforecast.cli import app; app()"]
    options = ["--horizon", "28", "--out", str(out)]
    if len(sys.argv) > 1:
        options += ["--plot", sys.argv[1]]
    done = subprocess.run(
        [*command, "forecast", str(file), *options], capture_output=True, text=True, check=True
    )
    print(done.stdout)
    forecast = pd.read_csv(out)

assert list(forecast) == ["shop", "date", "forecast", "lo-80", "hi-80", "lo-95", "hi-95"]
assert len(forecast) == 2 * 28
assert "6 rows missing in 2 series" in " ".join(done.stdout.split())

"""Files of version 1 of the format, written by the code of before version 2, load.

They were saved by `KLMemoryForecaster(horizon=3, input_length=6, memory_depth=12, period=6,
n_components=2)`, the same with a small DLinear trained for an epoch, `KarhunenLoeve(2)` and
`KLMemoryRegressor(2)`, all fitted to the series and the table below; the numbers are what they
forecast then.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from klforecast import KarhunenLoeve, KLMemoryForecaster, KLMemoryRegressor

FILES = Path(__file__).with_name("version_1")
FORECASTS = {
    "linear": [11.561228850089396, 10.699724896817997, 9.859464742453058, 9.88031938771221],
    "encoder": [11.564910487177494, 10.700842269414787, 9.857385506856703, 9.873569326765233],
}


def series(n_rows):
    time = np.arange(n_rows)
    values = 10 + np.sin(time * np.pi / 3) + 0.01 * time + 0.1 * np.cos(time**2.0)
    return pd.Series(values, pd.date_range("2024-01-01", periods=n_rows, freq="D"), name="y")


def table():
    return np.add.outer(np.arange(20.0), np.arange(4.0) ** 2) + np.cos(np.arange(80.0)).reshape(
        20, 4
    )


@pytest.mark.parametrize("kind", FORECASTS)
def test_a_forecaster_of_version_1_forecasts_and_goes_on(kind, tmp_path):
    loaded = KLMemoryForecaster.load(FILES / f"{kind}.safetensors")
    np.testing.assert_allclose(loaded.predict(range(1, 5)), FORECASTS[kind], rtol=1e-6)
    loaded.save(tmp_path / "again.safetensors")
    again = KLMemoryForecaster.load(tmp_path / "again.safetensors")
    # The stream that it followed is not read, so that the next rows are learned by a new fit.
    more = series(86)
    updated = again.update(more[80:]).predict([1])
    if kind == "linear":
        fitted = KLMemoryForecaster(**again.get_params()).fit(more).predict([1])
        np.testing.assert_allclose(updated, fitted, rtol=1e-6)


def test_transformer_and_regressor_of_version_1_load():
    modes = KarhunenLoeve.load(FILES / "modes.safetensors")
    scores = [[-18.927255984091026, 1.457915912527679], [-16.317459686900694, -1.211274378136877]]
    np.testing.assert_allclose(modes.transform(table()[:2]), scores, rtol=1e-9)
    regressor = KLMemoryRegressor.load(FILES / "regressor.safetensors")
    forecast = [8.562580861083786, 11.084028373592783]
    np.testing.assert_allclose(regressor.predict(table()[:2, :3]), forecast, rtol=1e-9)


@pytest.mark.parametrize("gone", ["memory_depth_", "_series", "_levels"])
def test_a_file_of_version_1_that_lacks_a_part_is_refused_in_a_sentence(gone, crafted, tmp_path):
    state, tensors, name = crafted.read_parts(FILES / "linear.safetensors")
    del state["fitted"][gone]
    crafted.write_parts(tmp_path / "f.safetensors", state, tensors, name, version=1)
    with pytest.raises(ValueError, match="is refused, because no saved KLMemoryForecaster"):
        KLMemoryForecaster.load(tmp_path / "f.safetensors")

"""Files of version 2 of the format, written by the code of before version 3, load under the present names.

They were saved by `KLMemoryForecaster(horizon=3, input_length=6, memory_depth=12, period=6,
n_components=2)`: with a small DLinear trained for an epoch and the dense token mixer, pretrained on two
series, and with a past-only covariate whose effect has a core of its own. The numbers are what they forecast then.
"""

from pathlib import Path

import numpy as np
import pytest

from klforecast import KLMemoryForecaster
from klforecast.estimators.saving.earlier_versions import from_version_2

FILES = Path(__file__).with_name("version_2")
FORECASTS = {
    "encoder": [11.564396085086003, 10.701968096986267, 9.860830381983448, 9.877699898580406],
    "pretrained": [11.569235170679184, 10.701304462532745, 9.852482637014745, 9.86899848503446],
    "covariates": [
        -8.526577765292087,
        -6.355082694363292,
        -3.02583572771469,
        0.44559276622510646,
    ],
}


@pytest.mark.parametrize("kind", FORECASTS)
def test_a_forecaster_of_version_2_forecasts_and_is_saved_again(kind, tmp_path):
    loaded = KLMemoryForecaster.load(FILES / f"{kind}.safetensors")
    np.testing.assert_allclose(loaded.predict(range(1, 5)), FORECASTS[kind], rtol=1e-6)
    loaded.save(tmp_path / "again.safetensors")
    again = KLMemoryForecaster.load(tmp_path / "again.safetensors")
    for alpha in ([0.1], [0.5, 0.9]):
        np.testing.assert_array_equal(
            again.predict_quantiles([1, 4], alpha=alpha),
            loaded.predict_quantiles([1, 4], alpha=alpha),
        )


def test_names_of_version_2_become_the_present_ones():
    trained = KLMemoryForecaster.load(FILES / "encoder.safetensors")
    assert trained.token_mixer == "dense"
    assert len(trained.training_log_) == 1
    pretrained = KLMemoryForecaster.load(FILES / "pretrained.safetensors")
    assert "training_log_" in pretrained._pretrained_attrs
    assert pretrained.clone().fit(np.arange(40.0)).training_log_.empty


@pytest.mark.parametrize("part", ["_followed", "effects_", "calibration_", "net_", "other_"])
@pytest.mark.parametrize("value", [None, 1, [], {"$": "dict"}, {"$": "dict", "keys": 3}])
def test_what_is_no_saved_part_is_left_for_the_reader_to_refuse(part, value):
    moved = from_version_2({"parameters": {}, "fitted": {part: value}})
    assert len(moved["fitted"]) == 1

"""Estimators inside estimators: the forecaster of a detector, and of long frames.

It is written like an estimator of its own, arguments and attributes, at the place of the file where the code
declares one. Which class it is, is the declaration's to say.
"""

from typing import Annotated, Any

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.saving.files import assemble, fields_of, parts_of
from klforecast.estimators.saving.grammar import Codec, Named

_OF_FORECASTER = fields_of(KLMemoryForecaster)


def _pack_forecaster(forecaster: KLMemoryForecaster) -> dict[str, dict[str, Any]]:
    if type(forecaster) is not KLMemoryForecaster:
        raise TypeError(
            f"a file without code cannot hold a {type(forecaster).__name__} inside another estimator; "
            "pass a KLMemoryForecaster, or pickle the estimator"
        )
    return parts_of(forecaster)


def _unpack_forecaster(
    parameters: Annotated[dict[str, Any], Named(_OF_FORECASTER["parameters"])],
    fitted: Annotated[dict[str, Any], Named(_OF_FORECASTER["fitted"])],
) -> KLMemoryForecaster:
    return assemble(KLMemoryForecaster, parameters, fitted)


NESTED: tuple[Codec, ...] = (
    Codec(KLMemoryForecaster, _pack_forecaster, _unpack_forecaster, plain=False),
)
"""Estimators that other estimators hold."""

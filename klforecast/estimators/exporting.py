"""A fitted closed form as a file that other programs run: ONNX, or a program of torch.

The map from the rows of one window to the forecast, in the units of the data and in double precision, as `predict`
computes it. What is no map of a window alone is refused: effects of covariates, and local experts, which read all of a
series and are not linear.
"""

import io
import os
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from klforecast.core.explanation import lag_weights
from klforecast.core.linear_core import LinearCore
from klforecast.data.scaling import Standardizer
from klforecast.estimators.arguments import check_choice, check_path
from klforecast.estimators.frames.panel import Key, series_label
from klforecast.estimators.saving.files import write_atomically
from klforecast.modules.affine_forecast import AffineForecast
from klforecast.ops.arrays import to_tensor

if TYPE_CHECKING:
    from klforecast.estimators.forecaster import KLMemoryForecaster

# Of ONNX: the first set of operators whose Max takes doubles is 13, which every runtime of the last years reads; files
# of its version hold them.
_OPERATORS, _FILE_VERSION = 13, 8


def export(
    forecaster: "KLMemoryForecaster", path: str | os.PathLike, form: str, series: Hashable
) -> None:
    """Write the map of a fitted forecaster; see `KLMemoryForecaster.export`."""
    check_path(path)
    check_choice("format", form, list(FORMATS))
    module = exportable(forecaster, _key_of(forecaster, series))
    write_atomically(Path(path), FORMATS[form](module))


def _key_of(forecaster: "KLMemoryForecaster", series: Hashable) -> Key:
    key = series if isinstance(series, tuple) else () if series is None else (series,)
    if key not in forecaster.scalers_:
        known = [series_label(known) for known in list(forecaster.scalers_)[:5]]
        raise ValueError(
            f"series is {series!r}, and the forecaster was fitted to {known}, for example; a file holds "
            "the scale of one series, so pass one of a panel, or None for a single series"
        )
    return key


def exportable(forecaster: "KLMemoryForecaster", key: Key) -> AffineForecast:
    """The map of a fitted forecaster for one of its series.

    Raises
    ------
    ValueError
        If a forecast is more than a linear map of a window; the message says what to set.
    """
    module = forecaster.net_.module_
    if not isinstance(module, LinearCore):
        raise ValueError(
            f"encoder={forecaster.encoder!r} is not exported; use encoder='linear', or give "
            "net_.module_, which maps scaled windows, to torch.export yourself"
        )
    if forecaster.effects_ is not None:
        raise ValueError(
            "forecasts follow covariates, or a long season, which a map of the past alone does not "
            "hold; fit without X and calendar_features, and with a period of up to 1,440 steps"
        )
    if forecaster.returning_ is not None:
        raise ValueError(
            f"forecasts follow {forecaster.returning_.words}, which a map of the past alone does not hold; "
            "fit with local_experts=False"
        )
    pool = forecaster._pool
    floors = [-torch.inf] * forecaster.n_channels_
    if pool is not None:
        place = pool.keys.index(key)
        if pool.share[place].any():
            raise ValueError(
                f"local experts have a share of up to {pool.share[place].max():.0%} in the forecast, "
                "and they are filters of the whole series that are not linear; fit with "
                "local_experts=False, whose forecast is the map that is exported"
            )
        channels = slice(place * len(floors), (place + 1) * len(floors))
        floors = pool.model.floor[channels].tolist()
    return affine_forecast(module, forecaster.scalers_[key], floors)


def affine_forecast(core: LinearCore, scaler: Standardizer, floors: list[float]) -> AffineForecast:
    """A core and the scale of a series as one map in double precision.

    Parameters
    ----------
    core : LinearCore
    scaler : Standardizer
    floors : list of float
        Of each channel, in the units of the data.
    """
    maps = [lag_weights(core, place, core.horizon) for place in range(len(core.weight))]
    own = [maps[channel if len(maps) > 1 else 0] for channel in range(len(scaler.mean))]
    weight = torch.stack([part.weights for part in own])  # (C, H, D)
    mean, scale = to_tensor(scaler.mean)[:, None], to_tensor(scaler.scale)[:, None]
    constant = mean * (1 - weight.sum(dim=-1)) + scale * torch.stack(
        [part.constant for part in own]
    )
    floor = torch.tensor(floors, dtype=torch.float64)[:, None, None]
    return AffineForecast(weight.mT.contiguous(), constant[:, None], floor)


def torch_bytes(module: AffineForecast) -> bytes:
    """A program of `torch.export`, for any number of windows at a time."""
    channels, depth, _ = module.weight.shape
    # An example of one window would fix their number at one.
    example = torch.zeros(2, depth, channels, dtype=torch.float64)
    windows = {0: torch.export.Dim("batch")}
    program = torch.export.export(module, (example,), dynamic_shapes={"past": windows})
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def onnx_bytes(module: AffineForecast) -> bytes:
    """An ONNX model: input "past", (batch, depth, channels), output "forecast", (batch, horizon, channels).

    Raises
    ------
    ImportError
        If onnx is not installed.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError as error:
        raise ImportError(
            "ONNX files need onnx, which is not installed; run pip install 'klforecast[onnx]'"
        ) from error
    channels, depth, horizon = module.weight.shape
    nodes = [
        helper.make_node("Transpose", ["past"], ["by_channel"], perm=[2, 0, 1]),
        helper.make_node("MatMul", ["by_channel", "weight"], ["product"]),
        helper.make_node("Add", ["product", "constant"], ["affine"]),
        helper.make_node("Max", ["affine", "floor"], ["floored"]),
        helper.make_node("Transpose", ["floored"], ["forecast"], perm=[1, 2, 0]),
    ]
    shapes: dict[str, list[int | str | None]] = {
        "past": ["batch", depth, channels],
        "forecast": ["batch", horizon, channels],
    }
    past, forecast = (
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape)
        for name, shape in shapes.items()
    )
    constants = [
        numpy_helper.from_array(tensor.numpy(), name) for name, tensor in module.named_buffers()
    ]
    graph = helper.make_graph(nodes, "klforecast", [past], [forecast], constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPERATORS)], ir_version=_FILE_VERSION
    )
    checker.check_model(model)
    return bytes(model.SerializeToString())


FORMATS = {"onnx": onnx_bytes, "torch": torch_bytes}
"""What a closed form can be written as."""

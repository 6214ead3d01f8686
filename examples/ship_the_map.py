"""
Forecast where klforecast is not installed
==========================================

The fitted map as a program of torch, as an ONNX file, and in ten lines of numpy.
"""

import importlib.util
import tempfile

import numpy as np
import torch
from sktime.datasets import load_airline

from klforecast import KLMemoryForecaster

y = load_airline()
forecaster = KLMemoryForecaster(horizon=12, local_experts=False).fit(y)
depth = forecaster.memory_depth_
windows = np.stack([y[:cutoff].to_numpy()[-depth:, None] for cutoff in (100, 120, 144)])
expected = forecaster.predict_windows(y, [100, 120, 144])

with tempfile.TemporaryDirectory() as folder:
    forecaster.export(f"{folder}/airline.pt2", format="torch")
    program = torch.export.load(f"{folder}/airline.pt2").module()
    print("torch", np.abs(program(torch.tensor(windows)).numpy() - expected).max())
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        forecaster.export(f"{folder}/airline.onnx")
        session = onnxruntime.InferenceSession(f"{folder}/airline.onnx")
        print("ONNX ", np.abs(session.run(None, {"past": windows})[0] - expected).max())

# %%
# What the map is: a matrix for each channel, and the mean of its training rows.

matrices = forecaster.coefficients_.to_numpy().reshape(1, 12, depth)
mean = forecaster.scalers_[()].mean


def forecast(past: np.ndarray) -> np.ndarray:  # (windows, depth, channels), oldest row first
    newest_first = past[:, ::-1] - mean
    return mean + np.einsum("chd,ndc->nhc", matrices, newest_first)


print("numpy", np.abs(forecast(windows) - expected).max())
np.testing.assert_allclose(forecast(windows), expected, rtol=1e-10)

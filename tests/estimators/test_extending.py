"""A new expert and a new encoder are one file and one line: they are fitted, saved and loaded like the others."""

import importlib.util
import sys

import numpy as np
import pytest

from klforecast.core.experts import EXPERTS
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.modules.encoders import ENCODERS

TOY = '''
from dataclasses import dataclass

import torch
from torch import nn

from klforecast.core.experts.base import NothingToFit
from klforecast.modules.encoders import Entry, WindowForecaster


@dataclass(frozen=True)
class AntiPersistence(NothingToFit):
    """The last value with the other sign."""

    prior: float

    @classmethod
    def propose(cls, setting):
        yield cls(0.05)

    def solve(self, moments, coordinates):
        weight = torch.zeros(len(coordinates.output_modes), coordinates.sizes[-1]).double()
        weight[:, coordinates.recent - 1] = -1
        return weight


class MeanOfTheWindow(nn.Module):
    """The scaled mean of the window at every step."""

    def __init__(self, horizon):
        super().__init__()
        self.horizon = horizon
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, window):  # (batch, time, channels)
        return self.scale * window.mean(dim=1, keepdim=True).expand(-1, self.horizon, -1)


mean_of_the_window = Entry(
    lambda s: WindowForecaster(s, MeanOfTheWindow(s.horizon)), embeds=False
)
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    path = tmp_path / "toy_parts.py"
    path.write_text(TOY)
    spec = importlib.util.spec_from_file_location("toy_parts", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "toy_parts", module)
    spec.loader.exec_module(module)
    return module


def saved_and_loaded(forecaster, folder):
    forecaster.save(folder / "toy.safetensors")
    return KLMemoryForecaster.load(folder / "toy.safetensors")


def test_a_new_expert_is_one_file_and_one_line(toy, hourly, tmp_path, monkeypatch):
    monkeypatch.setitem(EXPERTS, "AntiPersistence", toy.AntiPersistence)
    forecaster = KLMemoryForecaster(6).fit(hourly)
    assert "AntiPersistence(prior=0.05)" in forecaster.net_.module_.mixture.experts
    loaded = saved_and_loaded(forecaster, tmp_path)
    np.testing.assert_array_equal(loaded.predict(fh=[1, 6]), forecaster.predict(fh=[1, 6]))
    # The plan with the new expert came along, so the stream goes on.
    for one in (loaded, forecaster):
        one.update(hourly.iloc[-1:].shift(1, freq="h"))
    np.testing.assert_allclose(loaded.predict(fh=[1, 6]), forecaster.predict(fh=[1, 6]))


def test_a_new_encoder_is_one_file_and_one_line(toy, hourly, tmp_path, monkeypatch):
    monkeypatch.setitem(ENCODERS, "mean-of-the-window", toy.mean_of_the_window)
    settings = {"memory": "none", "max_epochs": 1, "random_state": 0}
    forecaster = KLMemoryForecaster(6, encoder="mean-of-the-window", **settings).fit(hourly)
    loaded = saved_and_loaded(forecaster, tmp_path)
    np.testing.assert_array_equal(loaded.predict(fh=[1, 6]), forecaster.predict(fh=[1, 6]))

"""Which device "auto" is, and a device without double precision under nets that are trained."""

import copy

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules.states import in_double
from klforecast.training.options import resolve_device
from klforecast.training.windows import PanelWindows
from tests.modules.no_float64 import (
    DEVICE,
    device_without_float64,
    move,
    parameters_replaced,
    unwrapped,
)


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto") == device
    assert resolve_device("cpu") == "cpu"


@pytest.mark.parametrize("memory", ["history", "trajectory", "none"])
def test_a_net_on_a_device_without_float64_is_judged_and_forecasts(memory, fit_small, panel):
    net = fit_small(panel, memory=memory)
    net.module_ = net.module_.float()
    windows = PanelWindows([panel[0].float()], net.module_.depth, 6).split(0.2)[1]
    judged, _ = net.validate(windows)
    past = panel[0][None, -net.module_.depth :].double()
    forecast = in_double(copy.deepcopy(net.module_))(past)
    there = copy.deepcopy(net.module_)
    with device_without_float64():
        net.module_, net.device = move(there), DEVICE
        assert next(net.module_.parameters()).device == DEVICE
        again, _ = net.validate(windows)
        with parameters_replaced():
            here = in_double(net.module_)(past)
    assert judged == pytest.approx(again, rel=1e-5)
    assert_close(unwrapped(here), forecast)

import numpy as np
import pytest
import torch
from torch import nn

from klforecast.estimators.frames.context import extend_past, past_windows, roll_forward


def test_a_long_past_is_cut_to_its_last_rows():
    past = np.arange(10.0)[:, None]
    np.testing.assert_array_equal(extend_past(past, 4, 3).ravel(), [6, 7, 8, 9])


@pytest.mark.parametrize("rows", [12, 17, 24])
def test_a_short_past_is_continued_to_the_left_in_phase(rows):
    wave = np.sin(2 * np.pi * np.arange(-40, 24) / 12)[:, None]
    extended = extend_past(wave[40 : 40 + rows], 40 + rows, 12)
    np.testing.assert_allclose(extended, wave[: 40 + rows], atol=1e-12)


def test_a_past_shorter_than_one_cycle_is_continued_by_its_first_row():
    past = np.array([[3.0], [4.0]])
    np.testing.assert_array_equal(extend_past(past, 5, 12).ravel(), [3, 3, 3, 3, 4])


def test_windows_are_the_rows_before_their_cutoffs():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    windows = past_windows(rows, np.array([30, 8, 9]), 8, 1)
    np.testing.assert_array_equal(windows, [rows[22:30], rows[0:8], rows[1:9]])


class Doubler(nn.Module):
    """Forecast two steps: twice and four times the last value."""

    def forward(self, past):
        return torch.stack([2 * past[:, -1], 4 * past[:, -1]], dim=1)


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_beyond_its_horizon_a_module_reads_its_own_forecasts(steps):
    past = torch.ones(3, 5, 2, dtype=torch.float64)
    forecast = roll_forward(Doubler(), past, steps)
    assert forecast.shape == (3, steps, 2)
    assert torch.equal(forecast[0, :, 0], 2.0 ** torch.arange(1, steps + 1).double())

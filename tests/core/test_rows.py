import numpy as np
import pytest
import torch
from torch.testing import assert_close

from klforecast.core.rows import StreamRows, spread_over, spread_rows
from klforecast.data.scaling import Standardizer


@pytest.mark.parametrize("rows", [3, 10, 11, 240])
def test_spread_rows_are_the_same_scaled_beforehand_or_where_they_are_read(rows):
    values = np.random.default_rng(0).normal(5, 3, (rows, 2))
    scaler = Standardizer.fit(values)
    scaled = torch.from_numpy(scaler.transform(values))
    assert_close(spread_rows(StreamRows(values, scaler), 10), spread_rows(scaled, 10))


def test_a_series_of_few_rows_is_read_whole():
    rows = torch.arange(20.0)[:, None]
    for most in (20, 21, 1000):
        assert_close(spread_rows(rows, most), rows.double())


def test_every_phase_of_a_day_in_hours_is_met_in_a_long_series():
    hours = torch.arange(24 * 10_000)[:, None]
    read = spread_rows(hours, 5000)
    assert 4000 < len(read) <= 5100
    assert len(set((read[:, 0] % 24).tolist())) >= 8


def test_windows_of_rows_whose_deviations_overflow_are_those_of_the_rows_scaled_beforehand():
    values = np.array([1.7e308, -1.7e308, 1e307, 1.5e308, -1e308])[:, None] * [1.0, 1e-308]
    scaler = Standardizer(np.array([5e307, 0.5]), np.array([1e308, 1.0]))
    scaled = torch.from_numpy(scaler.transform(values))
    for channel in range(2):
        found = spread_over(StreamRows(values, scaler), channel, 3, 1)
        assert found.isfinite().all()
        assert_close(found, spread_over(scaled, channel, 3, 1))

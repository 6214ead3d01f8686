import numpy as np
import pytest
import torch

from klforecast.data import sliding_windows


@pytest.fixture
def series() -> torch.Tensor:
    return torch.randn(20, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("length", [1, 7, 20])
def test_window_i_is_the_rows_from_i_on(series, length):
    windows = sliding_windows(series, length)
    assert windows.shape == (21 - length, length, 3)
    for i, window in enumerate(windows):
        assert torch.equal(window, series[i : i + length])
    assert np.array_equal(sliding_windows(series.numpy(), length), windows.numpy())


def test_windows_share_the_memory_of_the_series(series):
    windows = sliding_windows(series, 7)
    assert windows.untyped_storage().data_ptr() == series.untyped_storage().data_ptr()
    assert np.shares_memory(sliding_windows(series.numpy(), 7), series.numpy())


def test_a_series_shorter_than_one_window_has_none(series):
    windows = sliding_windows(series, 21)
    assert windows.shape == (0, 21, 3)
    assert windows.dtype == series.dtype
    assert sliding_windows(series.numpy(), 21).shape == (0, 21, 3)
    assert sliding_windows(series[:0], 1).shape == (0, 1, 3)


def test_windows_of_a_wrong_shape_or_length_are_refused(series):
    with pytest.raises(ValueError, match=r"\(time, channels\), got \(20,\)"):
        sliding_windows(series[:, 0], 3)
    with pytest.raises(ValueError, match="at least 1 step, got length=0"):
        sliding_windows(series, 0)

import pytest
import torch

from klforecast.training.windows import PanelWindows, validation_start


def counting_panel(*lengths):
    """Series whose values are the positions of their rows, 1000 apart from series to series."""
    return [
        (1000 * i + torch.arange(n, dtype=torch.float64))[:, None] for i, n in enumerate(lengths)
    ]


def everything(windows):
    return windows.__getitems__(range(len(windows)))


def test_all_windows_of_all_series_and_none_across_two():
    past, future = everything(PanelWindows(counting_panel(9, 3, 6), depth=3, horizon=2))
    plain = [
        series[start : start + 5]
        for series in counting_panel(9, 3, 6)
        for start in range(len(series) - 4)
    ]
    assert torch.equal(torch.cat([past, future], dim=1), torch.stack(plain))


def test_a_batch_is_its_windows_one_by_one():
    windows = PanelWindows(counting_panel(20, 15), depth=4, horizon=3)
    positions = [7, 0, 22, 7]
    past, future = windows.__getitems__(positions)
    for row, position in enumerate(positions):
        assert torch.equal(past[row], windows[position][0])
        assert torch.equal(future[row], windows[position][1])


def test_panels_without_a_window_are_empty():
    assert len(PanelWindows(counting_panel(4, 2), depth=3, horizon=2)) == 0


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_validation_is_the_newest_part_and_shares_no_forecast_step_with_training(fraction):
    windows = PanelWindows(counting_panel(100, 60), depth=7, horizon=5)
    training, validation = windows.split(fraction)
    for series, n in ((0, 100), (1, 60)):
        start = 1000 * series + validation_start(n, 5, fraction)
        known, newest = (
            future[future[:, 0, 0] // 1000 == series]
            for _, future in map(everything, (training, validation))
        )
        assert known.max() == start - 1
        assert newest.min() == start
        assert newest.max() == 1000 * series + n - 1


def test_only_windows_across_the_border_are_left_out():
    windows = PanelWindows(counting_panel(100), depth=7, horizon=5)
    training, validation = windows.split(0.2)
    assert len(windows) - len(training) - len(validation) == 5 - 1


@pytest.mark.parametrize(("n", "start"), [(100, 80), (40, 30), (8, 0), (10, 0)])
def test_the_validation_part_is_a_fraction_and_at_least_one_horizon(n, start):
    assert validation_start(n, horizon=10, validation_fraction=0.2) == start


@pytest.mark.parametrize("fraction", [-0.1, 1, 20])
def test_an_impossible_fraction_is_refused_with_its_value(fraction):
    with pytest.raises(ValueError, match=f"validation_fraction={fraction}"):
        validation_start(100, 10, fraction)

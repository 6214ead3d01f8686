import numpy as np
import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.interval_statistics import (
    LEAST_STEPS,
    Interval,
    interval_statistics,
    intervals,
    views,
)


def by_definition(inside, n_quantiles):
    """Statistics of one row of numbers, one after the other."""
    if n_quantiles == 1:
        return [np.median(inside)]
    found = list(np.quantile(inside, np.linspace(0, 1, n_quantiles)))
    found[1::2] = [value - inside.mean() for value in found[1::2]]
    return [*found, inside.std(), np.polyfit(np.arange(len(inside)), inside, 1)[0]]


@pytest.mark.parametrize(("start", "stop", "n"), [(0, 40, 10), (3, 7, 1), (10, 15, 2), (8, 33, 7)])
def test_statistics_are_those_of_the_definition(start, stop, n):
    rows = np.random.default_rng(0).normal(size=(3, 40))
    found = interval_statistics(torch.from_numpy(rows), Interval(0, start, stop, n))
    expected = [by_definition(row[start:stop], n) for row in rows]
    assert_close(found, torch.tensor(np.array(expected)))
    assert found.shape[1] == Interval(0, start, stop, n).size


def test_views_are_those_of_the_definition():
    row = np.random.default_rng(0).normal(size=20)
    series, smoothed, second, moduli = views(torch.from_numpy(row))
    differences = np.diff(row)
    padded = np.pad(differences, 2, mode="edge")
    assert_close(series.numpy(), row)
    assert_close(smoothed.numpy(), np.array([padded[i : i + 5].mean() for i in range(19)]))
    assert_close(second.numpy(), np.diff(differences))
    assert_close(moduli.numpy(), np.abs(np.fft.rfft(row)))


@pytest.mark.parametrize("steps", [LEAST_STEPS, 9, 64, 1000])
def test_equal_parts_cover_every_view_and_intervals_stay_within(steps):
    lengths = [view.shape[-1] for view in views(torch.zeros(steps))]
    found = intervals(steps)
    for view, length in enumerate(lengths):
        parts = [part for part in found if part.view == view]
        assert (0, length) in [(part.start, part.stop) for part in parts]
        assert all(0 <= part.start < part.stop <= length for part in parts)
        assert len(set(parts)) == len(parts)
    assert sum(part.size for part in found) < 10_000

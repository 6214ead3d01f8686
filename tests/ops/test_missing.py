import numpy as np
import pytest
import torch

from klforecast.ops.missing import GapFiller, gap_covariance, interpolate


def waves(rows=900, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(rows)[:, None]
    values = np.sin(2 * np.pi * time / 24 + np.arange(channels)) + 0.1 * rng.standard_normal(
        (rows, channels)
    )
    return torch.from_numpy(values)


def with_gaps(series, share, seed=1):
    gone = torch.rand(series.shape, generator=torch.Generator().manual_seed(seed)) < share
    return torch.where(gone, torch.nan, series)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_the_filled_value_is_the_best_linear_prediction(share):
    gappy = with_gaps(waves(336), share)
    covariance = gap_covariance([gappy], 24)
    filled = GapFiller(covariance).fill(gappy)
    for values, row, found in zip(gappy.T, covariance, filled.T, strict=True):
        lag = torch.arange(336)
        matrix = row[(lag[:, None] - lag).abs()]
        missing, observed = values.isnan(), ~values.isnan()
        solved = torch.linalg.solve(matrix[observed][:, observed], values[observed])
        torch.testing.assert_close(found[missing], matrix[missing][:, observed] @ solved)
        assert torch.equal(found[observed], values[observed])


def test_the_covariance_is_positive_definite_whatever_is_missing():
    for share in (0.0, 0.5, 0.95):
        for row in gap_covariance([with_gaps(waves(), share), with_gaps(waves(50), 0.3)], 24):
            lag = torch.arange(len(row))
            assert torch.linalg.eigvalsh(row[(lag[:, None] - lag).abs()])[0] > 0


def test_a_constant_channel_is_filled_with_its_value():
    gappy = with_gaps(torch.zeros(400, 1, dtype=torch.float64), 0.3)
    assert torch.equal(
        GapFiller(gap_covariance([gappy], 1)).fill(gappy), torch.zeros(400, 1).double()
    )


@pytest.mark.parametrize("cutoff", [1, 100, 336, 337, 500, 504, 700, 900])
def test_no_row_at_or_after_the_cutoff_has_a_say(cutoff):
    gappy = with_gaps(waves(), 0.3)
    filler = GapFiller(gap_covariance([gappy], 24))
    other = gappy.clone()
    other[cutoff:] = torch.where(other[cutoff:].isnan(), 5.0, torch.nan)
    filled = filler.before(gappy, filler.settle(gappy), cutoff, 200)
    assert torch.equal(filled, filler.before(other, filler.settle(other), cutoff, 200))
    assert torch.equal(filled, filler.fill(gappy[:cutoff])[-200:])
    assert torch.isfinite(filled).all()


@pytest.mark.parametrize("depth", [10, 300, 700])
def test_rows_before_the_first_row_have_no_say(depth):
    gappy = with_gaps(waves(2000), 0.3)
    filler = GapFiller(gap_covariance([gappy], 24))
    start = filler.first_row(1990, depth)
    whole = filler.before(gappy, filler.settle(gappy), 1990, depth)
    part = gappy[start:]
    assert start > 0
    assert torch.equal(filler.before(part, filler.settle(part), 1990 - start, depth), whole)


def test_gaps_of_days_are_filled_better_than_by_lines_and_mean_cycles():
    rng = np.random.default_rng(0)
    size = 1 + 0.5 * np.cumsum(rng.standard_normal(100)) / 10
    series = torch.from_numpy(np.repeat(size, 24) * np.sin(np.arange(2400) * np.pi / 12))[:, None]
    gappy = series.clone()
    for start in range(100, 2300, 150):
        gappy[start : start + 36] = torch.nan
    gone = gappy.isnan()
    filled = GapFiller(gap_covariance([gappy], 24)).fill(gappy)
    errors = [
        (found - series)[gone].square().mean()
        for found in (filled, interpolate(gappy, 24), interpolate(gappy, 1))
    ]
    assert errors[0] < 0.7 * errors[1] < errors[2]


def test_an_observed_series_stays_as_it_is():
    series = waves()
    assert torch.equal(GapFiller(gap_covariance([series], 24)).fill(series), series)
    assert torch.equal(interpolate(series, 24), series)


def test_a_window_without_any_value_becomes_the_mean():
    series = waves()
    series[:, 1] = torch.nan
    filled = GapFiller(gap_covariance([waves()], 24)).fill(series)
    assert torch.equal(filled[:, 1], torch.zeros(900).double())


def test_lines_run_through_the_observed_values_and_are_level_beyond_them():
    nan = torch.nan
    series = torch.tensor([nan, 1.0, nan, nan, 4.0, nan], dtype=torch.float64)[:, None]
    wanted = torch.tensor([1.0, 1.0, 2.0, 3.0, 4.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(interpolate(series, 1)[:, 0], wanted)


def test_a_mean_cycle_is_filled_exactly():
    series = torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64).repeat(5)[:, None]
    gappy = series.clone()
    gappy[[0, 4, 5, 6, 14]] = torch.nan
    torch.testing.assert_close(interpolate(gappy, 3), series)


@pytest.mark.parametrize("period", [1, 3])
def test_gaps_between_the_largest_floats_are_filled_like_those_between_small_ones(period):
    series = torch.tensor([1.0, torch.nan, -1.0, 0.9, torch.nan, torch.nan, -0.8, 1.0]).double()
    small = interpolate(series[:, None], period)
    large = interpolate(1e308 * series[:, None], period)
    torch.testing.assert_close(large / 1e308, small)
    tiny = interpolate(1e-305 * series[:, None], period)
    torch.testing.assert_close(1e305 * tiny, small)

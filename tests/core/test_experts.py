import pytest
import torch
from torch.testing import assert_close

from klforecast.core.coordinates import window_coordinates
from klforecast.core.experts import (
    DriftExpert,
    Fold,
    FoldedExpert,
    GrowthExpert,
    LevelExpert,
    Moments,
    RidgeExpert,
    SeasonalExpert,
    folded_gram,
    shares,
)

DEPTH, HORIZON, PERIOD = 24, 8, 4
FOLD = Fold(PERIOD, cycles=5, level=2)


def make_windows(seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(300, generator=generator, dtype=torch.float64)
    wave = torch.sin(torch.arange(300) * 2 * torch.pi / PERIOD)
    return (0.3 * noise.cumsum(dim=0) + 2 * wave + 5).unfold(0, DEPTH + HORIZON, 1)


@pytest.fixture
def windows():
    return make_windows()


@pytest.fixture
def coordinates(windows):
    """Coordinates that lose nothing, so that experts can be held against windows written out."""
    return window_coordinates(windows.T @ windows, (10, 16, DEPTH), HORIZON, DEPTH, HORIZON)


def moments_of(windows, coordinates):
    encoded = coordinates.encode_whole(windows)
    start = DEPTH - FOLD.cycles * PERIOD
    return Moments(encoded.T @ encoded, {FOLD: folded_gram(windows[:, start:], FOLD)})


def forecasts(expert, windows, coordinates):
    weight = expert.solve(moments_of(windows, coordinates), coordinates)
    assert weight.shape == (HORIZON, coordinates.sizes[-1])
    return coordinates.encode(windows[:, :DEPTH]) @ weight.T


def plain_ridge(inputs, targets, strength):
    gram = inputs.T @ inputs
    penalty = strength * gram.trace() / len(gram) * torch.eye(len(gram), dtype=torch.float64)
    return torch.linalg.solve(gram + penalty, inputs.T @ targets)


@pytest.mark.parametrize("depth", [10, 16, DEPTH])
def test_a_centred_ridge_expert_is_ridge_regression_around_the_last_value(
    windows, coordinates, depth
):
    last = windows[:, DEPTH - 1 : DEPTH]
    inputs, targets = windows[:, DEPTH - depth : DEPTH] - last, windows[:, DEPTH:] - last
    plain = inputs @ plain_ridge(inputs, targets, 0.05) + last
    expert = RidgeExpert(depth, 1, "shared", 0.05, 1.0)
    assert_close(forecasts(expert, windows, coordinates), plain, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("depth", [10, DEPTH])
def test_an_uncentred_ridge_expert_is_plain_ridge_regression(windows, coordinates, depth):
    inputs = windows[:, DEPTH - depth : DEPTH]
    plain = inputs @ plain_ridge(inputs, windows[:, DEPTH:], 0.05)
    expert = RidgeExpert(depth, 0, "shared", 0.05, 1.0)
    assert_close(forecasts(expert, windows, coordinates), plain, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("steps", [4, 10, DEPTH])
def test_a_ridge_expert_is_centred_by_the_mean_of_as_many_last_steps_as_it_says(
    windows, coordinates, steps
):
    level = windows[:, DEPTH - steps : DEPTH].mean(dim=1, keepdim=True)
    inputs, targets = windows[:, :DEPTH] - level, windows[:, DEPTH:] - level
    plain = inputs @ plain_ridge(inputs, targets, 0.05) + level
    expert = RidgeExpert(DEPTH, steps, "shared", 0.05, 1.0)
    assert_close(forecasts(expert, windows, coordinates), plain, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("rank", [1, 2, 9])
def test_a_folded_expert_is_one_regression_over_cycles_for_all_phases(windows, coordinates, rank):
    cycles = windows[:, DEPTH - 20 :].reshape(-1, 7, PERIOD)
    level = cycles[:, 3:5].mean(dim=(1, 2), keepdim=True)
    samples = (cycles - level).transpose(1, 2).reshape(-1, 7)  # (windows and phases, cycles)
    coefficients = plain_ridge(samples[:, :5], samples[:, 5:], 0.05)
    fitted = samples[:, :5] @ coefficients
    modes = torch.linalg.eigh(fitted.T @ fitted).eigenvectors[:, -min(rank, 2) :]
    ahead = (fitted @ modes @ modes.T).reshape(-1, PERIOD, 2).transpose(1, 2)
    plain = (ahead + level).reshape(-1, HORIZON)
    expert = FoldedExpert(FOLD, "shared", 0.05, rank, 1.0)
    assert_close(forecasts(expert, windows, coordinates), plain, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 3, 10, 11, 16, DEPTH])
def test_a_level_expert_repeats_the_mean_of_the_last_steps(windows, coordinates, steps):
    plain = windows[:, DEPTH - steps : DEPTH].mean(dim=1, keepdim=True).expand(-1, HORIZON)
    assert_close(forecasts(LevelExpert(steps, 1.0), windows, coordinates), plain)


def test_a_level_of_no_steps_is_the_training_mean_of_standardised_series(windows, coordinates):
    assert not forecasts(LevelExpert(0, 1.0), windows, coordinates).any()


@pytest.mark.parametrize("period", [1, 3, PERIOD, 10])
def test_the_seasonal_expert_of_one_cycle_is_the_seasonal_naive_forecast(
    windows, coordinates, period
):
    last = windows[:, DEPTH - period : DEPTH]
    plain = last.repeat(1, HORIZON)[:, :HORIZON]
    assert torch.equal(forecasts(SeasonalExpert(period, 1, 1.0), windows, coordinates), plain)


def test_the_seasonal_expert_of_two_cycles_is_their_mean(windows, coordinates):
    cycles = windows[:, DEPTH - 8 : DEPTH].reshape(-1, 2, PERIOD).mean(dim=1)
    found = forecasts(SeasonalExpert(PERIOD, 2, 1.0), windows, coordinates)
    assert_close(found, cycles.repeat(1, 2))


@pytest.mark.parametrize("steps", [1, 3, PERIOD])
def test_the_growth_expert_adds_what_a_cycle_gained_for_every_cycle_ahead(
    windows, coordinates, steps
):
    newest = windows[:, DEPTH - steps : DEPTH].mean(dim=1)
    before = windows[:, DEPTH - PERIOD - steps : DEPTH - PERIOD].mean(dim=1)
    gain = (newest - before)[:, None]
    cycle = windows[:, DEPTH - PERIOD : DEPTH]
    plain = torch.cat([cycle + gain, cycle + 2 * gain], dim=1)
    found = forecasts(GrowthExpert(PERIOD, steps, 1.0), windows, coordinates)
    assert_close(found, plain)


@pytest.mark.parametrize("steps", [1, 4, 9])
def test_the_drift_expert_goes_on_along_a_line(windows, coordinates, steps):
    last, first = windows[:, DEPTH - 1], windows[:, DEPTH - 1 - steps]
    ahead = torch.arange(1, HORIZON + 1)
    plain = last[:, None] + ahead * ((last - first) / steps)[:, None]
    assert_close(forecasts(DriftExpert(steps, 1.0), windows, coordinates), plain)


def test_growth_and_drift_are_exact_on_a_line(coordinates, windows):
    line = torch.arange(DEPTH + HORIZON, dtype=torch.float64)[None]
    for expert in (GrowthExpert(PERIOD, 2, 1.0), DriftExpert(7, 1.0)):
        weight = expert.solve(moments_of(windows, coordinates), coordinates)
        assert_close(coordinates.encode(line[:, :DEPTH]) @ weight.T, line[:, DEPTH:])


CENTRED = [
    RidgeExpert(DEPTH, 1, "shared", 0.01, 1.0),
    RidgeExpert(DEPTH, DEPTH, "shared", 0.01, 1.0),
    FoldedExpert(FOLD, "shared", 0.01, 3, 1.0),
    LevelExpert(5, 1.0),
    SeasonalExpert(PERIOD, 2, 1.0),
    GrowthExpert(PERIOD, 2, 1.0),
    DriftExpert(3, 1.0),
]


@pytest.mark.parametrize("expert", CENTRED, ids=lambda expert: type(expert).__name__)
@pytest.mark.parametrize("n_components", [1, DEPTH])
def test_a_constant_window_is_forecast_to_stay_constant(windows, expert, n_components):
    coordinates = window_coordinates(
        windows.T @ windows, (10, 16, DEPTH), HORIZON, n_components, n_components
    )
    weight = expert.solve(moments_of(windows, coordinates), coordinates)
    assert_close(weight @ coordinates.ones(), torch.ones(HORIZON, dtype=torch.float64))


@pytest.mark.parametrize("expert", CENTRED, ids=lambda expert: type(expert).__name__)
def test_training_on_nothing_but_a_constant_forecasts_the_level(expert, coordinates):
    flat = torch.full((20, DEPTH + HORIZON), 7.0, dtype=torch.float64)
    weight = expert.solve(moments_of(flat, coordinates), coordinates)
    found = coordinates.encode(flat[:, :DEPTH]) @ weight.T
    assert_close(found, flat[:, DEPTH:])


REVERTING = [RidgeExpert(DEPTH, 0, "shared", 0.01, 1.0), LevelExpert(0, 1.0)]


@pytest.mark.parametrize("expert", CENTRED + REVERTING, ids=str)
def test_an_expert_reverts_if_a_level_added_to_the_window_is_not_added_to_the_forecast(
    expert, windows, coordinates
):
    weight = expert.solve(moments_of(windows, coordinates), coordinates)
    kept = weight @ coordinates.ones()
    assert expert.reverts == bool((kept - 1).abs().max() > 1e-6)


def test_prior_shares_sum_to_one_in_their_proportions():
    experts = [LevelExpert(0, 0.1), LevelExpert(1, 0.3)]
    assert_close(shares(experts), torch.tensor([0.25, 0.75], dtype=torch.float64))

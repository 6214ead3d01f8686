import pytest
import torch
from torch.testing import assert_close

from klforecast.core import solve
from klforecast.core.coordinates import window_coordinates
from klforecast.core.experts import Moments, folded_gram
from klforecast.core.gram import window_gram
from klforecast.core.moments import window_moments
from klforecast.core.out_of_fold import expand_segments
from klforecast.core.plan import plan_core
from klforecast.core.reversion import variance_between_parts


def seasonal_series(rows, channels=1, period=12, noise=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    cycle = torch.randn(period, channels, generator=generator, dtype=torch.float64)
    wave = cycle.repeat(-(-rows // period), 1)[:rows]
    wave = wave + noise * torch.randn(rows, channels, generator=generator, dtype=torch.float64)
    return (wave - wave.mean(dim=0)) / wave.std(dim=0)


def solve_linear_core(*arguments, **options):
    return solve.solve_linear_core(*arguments, **options).core


def solve_from_plan(panel, plan):
    return solve.solve_from_plan(panel, plan).core


def forecast(core, series):
    past = series[-core.depth :]
    assert len(past) == core.depth
    return core.double()(past[None])[0].detach()


def test_a_seasonal_series_is_forecast():
    series = seasonal_series(812, 2, noise=0.1)
    core = solve_linear_core([series[:800]], 12, periods=[12])
    naive = series[788:800]
    error = (forecast(core, series[:800]) - series[800:]).square().mean()
    assert error < 0.75 * (naive - series[800:]).square().mean()
    assert error < 0.03


def test_all_windows_of_a_noiseless_cycle_are_forecast_exactly():
    series = seasonal_series(1200, noise=0.0)
    core = solve_linear_core([series], 24, periods=[12]).double()
    windows = series[:, 0].unfold(0, core.depth + 24, 1)
    found = core(windows[:, : core.depth, None])[:, :, 0]
    assert (found - windows[:, core.depth :]).abs().max() < 0.02


@pytest.mark.parametrize("channels", [1, 3])
def test_the_core_is_the_weighted_sum_of_the_forecasts_of_its_experts(channels):
    horizon = 10  # not a whole number of cycles
    series = seasonal_series(1500, channels, period=6)
    plan = plan_core([1500], channels, horizon, periods=[6])
    core = solve_from_plan([series], plan).double()
    length = plan.depth + plan.padded_horizon
    gram = window_gram([window_moments(series, length)])
    size = plan.depth + horizon
    coordinates = window_coordinates(
        gram[:size, :size], plan.edges, horizon, plan.n_components, plan.n_outputs
    )
    windows = series.T.unfold(1, length, 1)  # (channels, windows, length)

    def moments_of(chosen):
        folded = {}
        for fold in plan.folds:
            start = plan.depth - fold.cycles * fold.period
            stop = start + (length - start) // fold.period * fold.period
            folded[fold] = folded_gram(chosen[:, start:stop], fold)
        encoded = coordinates.encode_whole(chosen[:, :size])
        return Moments(encoded.T @ encoded, folded)

    weights = expand_segments(core.mixture.weights, plan.segments)  # (C, H, E)
    past = series[-plan.depth :]
    plain = torch.zeros(horizon, channels, dtype=torch.float64)
    for channel in range(channels):
        own, every = moments_of(windows[channel]), moments_of(windows.flatten(0, 1))
        encoded = coordinates.encode(past[:, channel])
        for i, expert in enumerate(plan.experts):
            moments = own if expert.pooling == "channel" else every
            plain[:, channel] += weights[channel, :, i] * (
                expert.solve(moments, coordinates) @ encoded
            )
    assert_close(core(past[None])[0], plain, rtol=1e-4, atol=1e-4)


def test_the_mixture_names_its_experts_and_segments():
    plan = plan_core([600], 1, 12, periods=[12])
    mixture = solve_from_plan([seasonal_series(600)], plan).mixture
    assert mixture.experts == tuple(map(str, plan.experts))
    assert mixture.segments == plan.segments


def test_the_same_panel_gives_the_same_core_twice():
    panel = [seasonal_series(300, 2), seasonal_series(200, 2, seed=1)]
    first, second = (solve_linear_core(panel, 12, periods=[12]) for _ in range(2))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert torch.equal(first.mixture.weights, second.mixture.weights)


def test_the_order_of_the_series_does_not_matter():
    panel = [seasonal_series(rows, 2, seed=rows) for rows in (900, 300, 520, 60)]
    core = solve_linear_core(panel, 12, periods=[12])
    turned = solve_linear_core(panel[::-1], 12, periods=[12])
    assert_close(turned.mixture.weights, core.mixture.weights, rtol=0, atol=1e-4)
    past = panel[0][-core.depth :]
    assert_close(forecast(turned, past), forecast(core, past), rtol=0, atol=1e-4)


def test_series_shorter_than_a_window_are_left_out():
    long, short = seasonal_series(900), seasonal_series(40, seed=1)
    core = solve_linear_core([long], 12, periods=[12])
    plan = plan_core([900], 1, 12, periods=[12])
    assert plan.depth > 40
    with_short = solve_from_plan([long, short], plan)
    assert torch.equal(with_short.weight, core.weight)


def test_a_panel_without_one_window_is_refused():
    plan = plan_core([900], 1, 12, periods=[12])
    with pytest.raises(ValueError, match="the longest of 1 series has 40 rows"):
        solve_from_plan([seasonal_series(40)], plan)


@pytest.mark.parametrize("period", [1, 3, 12])
@pytest.mark.parametrize("rows", [3, 4, 5, 7, 10, 17, 30, 61])
def test_every_series_with_a_row_more_than_the_horizon_is_forecast(rows, period):
    series = seasonal_series(rows, 2, seed=rows)
    periods = [period] if period > 1 else []
    for horizon in sorted({1, rows // 3, rows // 2, rows - 1} - {0}):
        core = solve_linear_core([series], horizon, periods=periods)
        found = forecast(core, series)
        assert found.shape == (horizon, 2)
        assert torch.isfinite(found).all()
        assert found.abs().max() < 10 * (1 + horizon) * series.abs().max()


@pytest.mark.parametrize(
    "options",
    [
        {"memory_depth": 1},
        {"memory_depth": 1, "horizon": 1},
        {"memory_depth": 186, "horizon": 12},
        {"input_length": 1},
        {"input_length": 500},
        {"n_components": 1, "memory_depth": 150},
        {"memory": "none"},
    ],
    ids=str,
)
def test_extreme_sizes_are_forecast(options):
    series = seasonal_series(200)
    core = solve_linear_core([series], **{"horizon": 8, "periods": [12], **options})
    assert torch.isfinite(forecast(core, series)).all()


@pytest.mark.parametrize("rows", [6, 30, 300, 1500])
@pytest.mark.parametrize("value", [0.0, 3.0, -1e-12, 1e6])
def test_a_constant_series_is_forecast_to_stay_constant(rows, value):
    series = torch.full((rows, 2), value, dtype=torch.float64)
    core = solve_linear_core([series], min(12, rows // 2), periods=[12])
    found = forecast(core, series)
    assert torch.isfinite(found).all()
    if value == 0.0:
        assert not found.any()
    assert (found <= max(value, 0.0) * (1 + 1e-4)).all()
    assert (found >= min(value, 0.0) * (1 + 1e-4)).all()


@pytest.mark.parametrize("seed", [5, 10, 11])
def test_a_level_that_wanders_is_carried_on_and_not_pulled_to_the_mean_of_its_past(seed):
    generator = torch.Generator().manual_seed(seed)
    noise, steps = torch.randn(2, 1500, generator=generator, dtype=torch.float64)
    wave = torch.sin(torch.arange(1500, dtype=torch.float64) * torch.pi / 6)
    rows = (wave + 0.3 * noise + 0.06 * steps.cumsum(dim=0))[:, None]
    standard = (rows - rows.mean()) / rows.std()
    assert 0.55 < variance_between_parts(standard) < 0.7  # a random walk alone: 0.75
    core = solve_linear_core([standard], 60, [12])
    # The forecast of a window of ones is the share of a level that is kept.
    kept = core(torch.ones(1, core.depth, 1)).detach().mean()
    assert abs(kept - 1) < 0.02


def test_a_constant_channel_beside_a_varying_one_stays_constant():
    series = seasonal_series(600, 2)
    series[:, 1] = 0.0
    core = solve_linear_core([series], 12, periods=[12])
    found = forecast(core, series)
    assert found[:, 1].abs().max() < 1e-6
    assert found[:, 0].abs().max() > 0.5


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_unit_of_the_series_does_not_matter(scale):
    series = seasonal_series(400)
    core = solve_linear_core([series], 12, periods=[12])
    scaled = solve_linear_core([scale * series], 12, periods=[12])
    past = series[-core.depth :]
    assert_close(forecast(scaled, past), forecast(core, past), rtol=0, atol=1e-3)


def test_two_years_of_months_are_forecast_no_worse_than_by_the_seasonal_naive():
    ours, naive = 0.0, 0.0
    for noise in (0.1, 0.3, 0.6, 1.0):
        for seed in range(12):
            series = seasonal_series(28, noise=noise, seed=seed)
            core = solve_linear_core([series[:24]], 4, periods=[12])
            ours += (forecast(core, series[:24]) - series[24:]).square().mean().item()
            naive += (series[12:16] - series[24:]).square().mean().item()
    assert ours < naive


def test_steady_growth_of_a_short_seasonal_series_is_carried_on():
    season = seasonal_series(84, noise=0.05)
    series = season + 0.1 * torch.arange(84, dtype=torch.float64)[:, None]
    series = (series - series[:72].mean()) / series[:72].std()
    core = solve_linear_core([series[:72]], 12, periods=[12])
    error = (forecast(core, series[:72]) - series[72:]).square().mean()
    assert error < 0.15 * (series[60:72] - series[72:]).square().mean()


def test_a_second_cycle_in_all_of_its_modes_gives_the_forecast_of_its_steps():
    series = seasonal_series(108)
    modes = solve_linear_core([series], 36, periods=[12])
    steps = solve_linear_core([series], 36, periods=[12], input_length=24)
    fewer = solve_linear_core([series], 36, periods=[12], n_components=3)
    assert (modes.recent, modes.depth, steps.recent, fewer.depth) == (12, 24, 24, 24)
    assert_close(forecast(modes, series), forecast(steps, series), rtol=1e-4, atol=1e-4)
    assert (forecast(fewer, series) - forecast(steps, series)).abs().max() > 1e-2


@pytest.mark.parametrize(("echo", "depth"), [(0.0, 96), (0.9, 336)])
def test_a_history_that_has_no_weight_is_not_read(echo, depth):
    generator = torch.Generator().manual_seed(5)
    series = torch.randn(3000, 1, generator=generator, dtype=torch.float64)
    if echo:
        for row in range(200, len(series)):
            series[row] += echo * series[row - 200]
    else:
        series = series.cumsum(dim=0) / 30
    assert plan_core([len(series)], 1, 24).depth == 336
    assert solve_linear_core([series], 24).depth == depth


def test_without_its_history_a_core_is_solved_from_all_rows():
    series = torch.randn(3000, 1, generator=torch.Generator().manual_seed(5)).double().cumsum(dim=0)
    alone = plan_core([len(series)], 1, 24).without_history
    assert alone.length == 96 + 24
    assert_close(solve_linear_core([series], 24).weight, solve_from_plan([series], alone).weight)


def test_a_depth_that_was_asked_for_is_read():
    series = torch.randn(3000, 1, generator=torch.Generator().manual_seed(5)).double().cumsum(dim=0)
    core = solve_linear_core([series], 24, memory_depth=200)
    of_history = [name.startswith("RidgeExpert(depth=200") for name in core.mixture.experts]
    assert core.depth == 200
    assert (core.mixture.weights[..., of_history] > 0).any()

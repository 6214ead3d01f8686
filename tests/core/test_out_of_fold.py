import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from klforecast.core.coordinates import window_coordinates
from klforecast.core.experts import LevelExpert, RidgeExpert
from klforecast.core.gram import window_gram
from klforecast.core.moments import window_moments
from klforecast.core.out_of_fold import (
    expand_segments,
    judge_out_of_fold,
    segment_widths,
    spread_windows,
    time_blocks,
)
from klforecast.core.plan import plan_core


@st.composite
def cases(draw):
    lengths = draw(st.lists(st.integers(20, 1500), min_size=1, max_size=4))
    horizon = draw(st.integers(1, max(1, max(lengths) // 4)))
    period = draw(st.sampled_from([1, 2, 5, 12, 24]))
    depth = draw(st.none() | st.integers(1, 300))
    plan = plan_core(
        lengths, 1, horizon, periods=[period] if period > 1 else [], memory_depth=depth
    )
    window = plan.depth + plan.padded_horizon
    return [rows for rows in lengths if rows >= window], plan


@given(cases())
@settings(max_examples=200, deadline=None)
def test_no_step_is_a_target_of_training_and_of_judging(case):
    lengths, plan = case
    windows = spread_windows(lengths, plan)
    blocks = time_blocks(windows, lengths, plan)
    for trained, judged in zip(blocks.trained, blocks.judged, strict=True):
        for series in range(len(lengths)):
            here = windows.series == series
            cutoffs = windows.cutoff[judged][windows.series[judged] == series].tolist()
            if not cutoffs:
                continue
            first, last = min(cutoffs), max(cutoffs) + plan.horizon - 1
            # Folded experts are solved on whole cycles, beyond the horizon.
            targets = [
                (cutoff, cutoff + plan.padded_horizon - 1)
                for cutoff in windows.cutoff[here & trained].tolist()
            ]
            assert all(stop < first or start > last for start, stop in targets)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_every_window_lies_within_its_series_and_is_judged_in_one_block_at_most(case):
    lengths, plan = case
    windows = spread_windows(lengths, plan)
    rows = torch.tensor(lengths)[windows.series]
    assert (windows.cutoff >= plan.depth).all()
    assert (windows.cutoff + plan.padded_horizon <= rows).all()
    assert set(windows.series.tolist()) == set(range(len(lengths)))
    judged = [i for block in time_blocks(windows, lengths, plan).judged for i in block.tolist()]
    assert len(judged) == len(set(judged))


def test_a_long_series_is_judged_on_all_of_its_length():
    plan = plan_core([20_000], 1, 24, periods=[24])
    windows = spread_windows([20_000], plan)
    blocks = time_blocks(windows, [20_000], plan)
    cutoffs = windows.cutoff[torch.cat(blocks.judged)]
    assert len(blocks.judged) == 5
    assert cutoffs.min() == plan.depth
    assert cutoffs.max() > 19_800
    assert cutoffs.diff().max() < 25


def test_the_same_windows_are_judged_in_any_order_of_the_series():
    plan = plan_core([4000], 1, 12)

    def judged(lengths):
        windows = spread_windows(lengths, plan)
        return {
            (lengths[windows.series[i]], int(windows.cutoff[i]))
            for block in time_blocks(windows, lengths, plan).judged
            for i in block
        }

    assert judged([4000, 1501, 2222]) == judged([2222, 4000, 1501])


def test_a_hundred_times_longer_series_is_looked_at_no_more_often():
    plan = plan_core([20_000], 1, 24)
    few, many = (len(spread_windows([rows], plan).cutoff) for rows in (20_000, 2_000_000))
    assert many <= 5000
    assert few <= 5000


def test_many_channels_are_looked_at_in_fewer_windows():
    plan = plan_core([5000], 100, 24, periods=[24])
    one, many = (spread_windows([5000], plan, channels) for channels in (1, 100))
    assert (one.stride, many.stride) == (1, 4)
    assert len(many.cutoff) <= 1250


def weights_of(series, plan):
    return judged_out_of_fold(series, plan).weights


def judged_out_of_fold(series, plan, **options):
    moments = [window_moments(series, plan.depth + plan.padded_horizon)]
    gram = window_gram(moments)[: plan.depth + plan.horizon, : plan.depth + plan.horizon]
    coordinates = window_coordinates(
        gram, plan.edges, plan.horizon, plan.n_components, plan.n_outputs
    )
    return judge_out_of_fold([series.double()], plan, coordinates, **options)


def noisy_wave(rows, channels=1, seed=0):
    noise = torch.randn(rows, channels, generator=torch.Generator().manual_seed(seed))
    return torch.sin(torch.arange(rows) * torch.pi / 6)[:, None] + 0.3 * noise


@pytest.mark.parametrize(("rows", "channels"), [(16, 1), (40, 2), (1200, 3)])
def test_weights_are_non_negative_and_sum_to_one_at_every_channel_and_segment(rows, channels):
    plan = plan_core([rows], channels, 6, periods=[12])
    weights = weights_of(noisy_wave(rows, channels), plan)
    assert weights.shape == (channels, len(plan.segments), len(plan.experts))
    assert (weights >= 0).all()
    assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2], dtype=torch.float64))


@pytest.fixture
def too_short():
    """A plan with fitted experts for a series whose every window shares targets with every other."""
    plan = plan_core([22], 1, 8, periods=[12])
    fitted = RidgeExpert(plan.depth, 1, "shared", 0.01, 1.0)
    plan = plan._replace(experts=(fitted, *plan.experts))
    assert not time_blocks(spread_windows([22], plan), [22], plan).judged
    return plan


def test_a_series_too_short_to_hold_anything_out_is_left_to_experts_that_fit_nothing(too_short):
    weights = weights_of(noisy_wave(22), too_short)
    assert not weights[..., 0].any()
    assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2], dtype=torch.float64))


def test_experts_that_fit_nothing_are_then_judged_on_every_window(too_short):
    calm, wild = noisy_wave(22), noisy_wave(22, seed=1)
    assert not torch.equal(weights_of(calm, too_short), weights_of(wild, too_short))


def test_with_fitted_experts_alone_such_a_series_keeps_the_prior_weights(too_short):
    plan = too_short._replace(experts=too_short.experts[:1] * 2)
    weights = weights_of(noisy_wave(22), plan)
    assert_close(weights, torch.full_like(weights, 0.5))


def test_the_expert_that_fits_the_series_gets_the_weight():
    plan = plan_core([2000], 1, 12, periods=[12])
    weights = weights_of(noisy_wave(2000), plan).mean(dim=(0, 1))
    ridge = sum(w for e, w in zip(plan.experts, weights, strict=True) if isinstance(e, RidgeExpert))
    level = sum(w for e, w in zip(plan.experts, weights, strict=True) if isinstance(e, LevelExpert))
    assert ridge > 0.5
    assert level < 0.05


def test_weights_of_a_segment_hold_for_each_of_its_steps():
    weights = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
    assert segment_widths((2, 5)) == [2, 3]
    assert expand_segments(weights, (2, 5))[0, :, 0].tolist() == [1.0, 1.0, 0.25, 0.25, 0.25]


def test_residuals_are_the_errors_of_the_mixture_on_windows_that_its_experts_were_not_solved_on():
    series = noisy_wave(1200, 2)
    plan = plan_core([1200], 2, 6, periods=[12])
    judged = judged_out_of_fold(series, plan)
    moments = judged.residuals.errors.double().square().mean(dim=0)
    single = plan._replace(experts=plan.experts[:1])
    worst = judged_out_of_fold(series, single).residuals.errors.double().square().mean(dim=0)
    # The noise has a variance of 0.09, of which no forecast is free.
    assert (moments > 0.05).all()
    assert moments.mean() < worst.mean()


def test_one_expert_alone_leaves_over_truth_minus_its_forecast():
    series = noisy_wave(600)
    plan = plan_core([600], 1, 6, periods=[12])
    last = next(e for e in plan.experts if isinstance(e, LevelExpert) and e.steps == 1)
    judged = judged_out_of_fold(series, plan._replace(experts=(last,)))
    windows = spread_windows([600], plan)
    cutoffs = torch.cat([windows.cutoff[i] for i in time_blocks(windows, [600], plan).judged])
    expected = torch.stack([series[c : c + 6] - series[c - 1] for c in cutoffs])
    assert_close(judged.residuals.errors, expected, atol=1e-4, rtol=0)


def test_errors_are_thinned_to_what_may_be_held():
    series, plan = noisy_wave(1200), plan_core([1200], 1, 6, periods=[12])
    every = judged_out_of_fold(series, plan)
    few = judged_out_of_fold(series, plan, most_errors=50 * len(plan.experts) * 6)
    none = judged_out_of_fold(series, plan, most_errors=0)
    assert len(every.residuals.errors) > len(few.residuals.errors) == 50
    assert few.residuals.features.shape == (50, 1, 3)
    assert none.residuals is None
    assert torch.equal(every.weights, none.weights)


def test_a_series_too_short_to_hold_anything_out_still_leaves_errors(too_short):
    errors = judged_out_of_fold(noisy_wave(22), too_short).residuals.errors
    assert errors.shape[1:] == (8, 1)
    assert errors.abs().mean() > 0


def test_a_channel_that_wanders_is_not_forecast_to_return_to_its_mean():
    rows = 1200
    line = torch.linspace(-2, 2, rows)[:, None]
    plan = plan_core([rows], 2, 24, periods=[12])
    reverts = torch.tensor([expert.reverts for expert in plan.experts])
    assert reverts.any()
    weights = weights_of(torch.cat([noisy_wave(rows), line + 0.1 * noisy_wave(rows)], dim=1), plan)
    assert not weights[1, :, reverts].any()
    assert (weights[0, :, reverts].sum(dim=-1) > 0.05).all()
    assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2], dtype=torch.float64))


@pytest.mark.parametrize(("echo", "counts"), [(0.9, True), (0.0, False)])
def test_the_history_of_a_series_without_a_season_counts_where_it_helps(echo, counts):
    generator = torch.Generator().manual_seed(5)
    series = torch.randn(4000, 1, generator=generator, dtype=torch.float64)
    if echo:
        for row in range(200, len(series)):
            series[row] += echo * series[row - 200]
    else:
        series = series.cumsum(dim=0) / 30
    plan = plan_core([len(series)], 1, 24)
    deep = [isinstance(e, RidgeExpert) and e.depth > plan.edges[0] for e in plan.experts]
    share = weights_of(series, plan)[..., deep].sum(dim=-1)
    assert (share > 0.9).all() if counts else (share == 0).all()


def test_experts_that_return_to_the_mean_keep_their_weights_where_there_are_no_others():
    line = torch.linspace(-2, 2, 600)[:, None]
    plan = plan_core([600], 1, 6)
    experts = (LevelExpert(0, 1.0), RidgeExpert(plan.edges[0], 0, "shared", 0.01, 1.0))
    weights = weights_of(line, plan._replace(experts=experts))
    assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2], dtype=torch.float64))


def test_wandering_is_judged_series_by_series():
    plan = plan_core([600, 600], 1, 6)
    wave = noisy_wave(600).double()
    moments = [window_moments(wave, plan.depth + plan.padded_horizon)]
    size = plan.depth + plan.horizon
    coordinates = window_coordinates(
        window_gram(moments)[:size, :size], plan.edges, 6, plan.n_components, plan.n_outputs
    )
    together = judge_out_of_fold([wave, wave + 1000], plan, coordinates, most_errors=0)
    reverts = torch.tensor([expert.reverts for expert in plan.experts])
    assert (together.weights[..., reverts].sum(dim=-1) > 0).all()

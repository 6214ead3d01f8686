import numpy as np
import pytest
from numpy.testing import assert_allclose

from klforecast.local.experts import Bank, expert_forecasts
from klforecast.local.fitting import fit_judged, fit_local, origins_of
from klforecast.local.intermittent import count_size
from klforecast.local.model import forecast, quantiles
from klforecast.local.panel import align


def weekly(rows, seed, level=100.0):
    rng = np.random.default_rng(seed)
    week = np.array([1.0, 1.1, 1.2, 1.1, 1.3, 0.7, 0.6])
    return level * week[np.arange(rows) % 7] * (1 + rng.normal(0, 0.05, rows))


def test_a_line_is_continued_exactly():
    line = 5 + 2 * np.arange(60.0)
    model = fit_local([line], 12, (12,))
    assert_allclose(forecast(model, [line], 24)[0], 125 + 2 * np.arange(24), rtol=1e-12)


def test_small_moves_of_large_values_are_not_lost():
    moves = np.random.default_rng(7).normal(size=80).cumsum()
    shifted, plain = (forecast(fit_local([p], 6), [p], 6) for p in (moves + 1e9, moves + 1e3))
    assert_allclose(shifted - 1e9, plain - 1e3, atol=0.1)


def test_a_level_shift_four_weeks_ago_is_followed():
    rng = np.random.default_rng(0)
    past = np.r_[rng.normal(100, 5, 700), rng.normal(1000, 50, 28)]
    for periods in ((), (7,)):
        model = fit_local([past], 28, periods)
        made = forecast(model, [past], 28)
        low, high = np.moveaxis(quantiles(model, [past], 28, [0.05, 0.95])[0], -1, 0)
        truth = rng.normal(1000, 50, 28)
        assert made.min() > 850
        assert made.max() < 1150
        assert ((truth > low) & (truth < high)).mean() > 0.75


@pytest.mark.parametrize("ago", [7, 14, 28, 56])
def test_a_drop_of_the_level_is_followed_within_a_week(ago):
    errors = []
    for seed in range(3):
        series = weekly(756, seed)
        series[728 - ago :] *= 0.6
        model = fit_local([series[:728]], 28, (7,))
        made = forecast(model, [series[:728]], 28)[0]
        errors.append(np.abs(made / series[728:] - 1).mean())
    assert np.mean(errors) < 0.12


def test_after_a_tenfold_level_the_next_rows_are_as_near_as_the_last_one():
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        rows = np.r_[np.full(700, 100.0), np.full(56, 1000.0)] * (1 + rng.normal(0, 0.01, 756))
        made = forecast(fit_local([rows[:728]], 28, (7,)), [rows[:728]], 28)[0]
        gaps = (np.abs(forecasts - rows[728:]).mean() for forecasts in (made, rows[727]))
        ratios.append(list(gaps))
    ours, last = np.mean(ratios, axis=0)
    assert ours < 1.1 * last


def test_a_season_that_no_origin_has_seen_twice_is_left_out():
    rng = np.random.default_rng(0)
    rows = 100 + rng.normal(0, 20, 730)
    rows[-80:] = 100 + rng.normal(0, 2, 80)
    assert fit_local([rows], 28, (7, 365)).periods == (7,)
    assert np.abs(forecast(fit_local([rows], 28, (7, 365)), [rows], 28) - 100).mean() < 2


def test_constants_and_zeros_stay():
    pasts = [np.zeros(40), np.full(40, 3.0)]
    model = fit_local(pasts, 6, (12,))
    assert_allclose(forecast(model, pasts, 6), [[0.0] * 6, [3.0] * 6], rtol=0)
    assert (np.ptp(quantiles(model, pasts, 6, [0.05, 0.95]), axis=2) < 1e-5).all()


def test_bounds_of_counts_are_never_below_zero():
    rng = np.random.default_rng(1)
    pasts = [rng.poisson(0.3, 80).astype(float) for _ in range(20)]
    bounds = quantiles(fit_local(pasts, 12, (12,)), pasts, 12, [0.025, 0.5, 0.975])
    assert bounds.min() >= 0
    assert (bounds[..., 1] <= 1).all()
    assert bounds[..., 2].mean() > 0.8


@pytest.mark.parametrize("unit", [0.125, 12.0, 0.1])
def test_counts_in_any_unit_are_forecast_nearer_to_their_mean_than_to_the_last_one(unit):
    counts = np.random.default_rng(3).poisson(0.3, 200).astype(float)
    counts[-1] = 2.0
    alone, scaled = (forecast(fit_local([y], 12), [y], 12) for y in (counts, unit * counts))
    assert_allclose(scaled / unit, alone, rtol=1e-9)
    assert (np.abs(alone - counts.mean()) < 0.3).all()


def test_what_is_measured_with_many_zeros_is_not_counted():
    rng = np.random.default_rng(3)
    dark = np.arange(200) % 4 == 0
    light = np.where(dark, 0.0, rng.uniform(1, 900, 200).round(2))
    rows = np.stack([light, np.where(dark, 0.0, rng.integers(1, 9, 200)), rng.integers(1, 9, 200)])
    assert (count_size(rows) > 0).tolist() == [False, True, False]


def test_a_shifted_past_is_forecast_as_if_it_had_always_been_on_the_new_level():
    past = weekly(300, 4)
    shifted = past.copy()
    shifted[:-20] /= 1000
    with_it, without = (forecast(fit_local([y], 14, (7,)), [y], 14) for y in (shifted, past))
    assert_allclose(with_it, without, rtol=0.1)


def test_a_series_that_had_only_zeros_before_is_forecast_from_any_row():
    new = np.r_[np.zeros(170), weekly(30, 4)]
    model = fit_local([new], 14, (7,))
    assert model.positive.all()
    assert (forecast(model, [new[:150]], 14) == 0).all()
    assert forecast(model, [new], 14).mean() == pytest.approx(weekly(30, 4).mean(), rel=0.1)


def test_the_width_at_a_step_does_not_depend_on_how_far_one_looks():
    past = weekly(300, 2)
    model = fit_local([past], 14, (7,))
    near, far = (quantiles(model, [past], steps, [0.05, 0.95]) for steps in (14, 40))
    assert_allclose(far[:, :14], near, rtol=1e-4)


def test_forecasts_of_few_steps_are_the_first_of_those_of_all():
    noise = np.random.default_rng(0).normal(0, 0.01, 72)
    calmed = np.r_[np.arange(60.0), np.full(12, 60.0)] + noise
    model = fit_local([calmed], 40)
    few, every = (forecast(model, [calmed], steps)[0] for steps in (6, 40))
    assert_allclose(few, every[:6], rtol=1e-12)


def test_the_second_longer_season_counts():
    time = np.arange(21 * 168)
    rng = np.random.default_rng(3)
    hours = 50 + 10 * np.sin(2 * np.pi * time / 24) + 8 * ((time // 24) % 7 >= 5)
    hours = hours + rng.normal(size=len(time))
    past, truth = hours[:-168], hours[-168:]
    made = forecast(fit_local([past], 168, (24, 168)), [past], 168)[0]
    last_week = np.abs(past[-168:] - truth).mean()
    assert np.abs(made - truth).mean() < 0.85 * last_week


def test_weights_and_laws_stay_while_the_past_moves_on():
    series = [weekly(400, seed, level) for seed, level in enumerate((10.0, 1000.0))]
    model = fit_local([s[:372] for s in series], 14, (7,))
    later = forecast(model, series, 14)
    assert later.shape == (2, 14)
    assert_allclose(later.mean(axis=1), [10.0, 1000.0], rtol=0.1)


def test_a_further_expert_that_knows_the_future_takes_over():
    rng = np.random.default_rng(4)
    full = rng.normal(size=(5, 120)).cumsum(axis=1)
    pasts = list(full[:, :108])
    origins = origins_of(pasts, 6, ())
    others = np.full((len(origins.offsets), 5, 1, len(origins.steps)), 0.0)
    for place, offset in enumerate(origins.offsets):
        for number, step in enumerate(origins.steps[origins.steps <= offset]):
            others[place, :, 0, number] = full[:, 108 - offset + step - 1]
    model = fit_local(pasts, 6, (), others)
    made = forecast(model, pasts, 6, full[:, None, 108:114])
    assert_allclose(made, full[:, 108:114], atol=1e-3)


def test_series_of_any_length_and_with_gaps_are_forecast():
    rng = np.random.default_rng(5)
    pasts = [rng.normal(10, 1, n) for n in (1, 2, 3, 8, 50, 200)]
    pasts[4][[3, 10, 49]] = np.nan
    pasts.append(np.full(20, np.nan))
    model = fit_local(pasts, 6, (12,))
    made = forecast(model, pasts, 6)
    assert np.isfinite(made).all()
    assert ((made[:-1] > 4) & (made[:-1] < 16)).all()
    assert np.isfinite(quantiles(model, pasts, 6, [0.1, 0.9])).all()


@pytest.mark.parametrize("rows", [9, 25, 30, 47])
def test_what_lies_before_the_first_row_does_not_matter(rows):
    rng = np.random.default_rng(8)
    past = np.abs(10 + rng.normal(size=(3, rows)).cumsum(axis=1)) + 0.1
    past[1, rows // 2 : rows // 2 + 3] = np.nan
    longer = np.pad(past, ((0, 0), (17, 0)), constant_values=np.nan)
    made, same = (
        expert_forecasts(each, Bank((4, 7), (3, 8), True), np.arange(1, 9), np.ones(3, dtype=bool))
        for each in (past, longer)
    )
    assert_allclose(made, same, rtol=1e-9)


def test_experts_of_a_series_do_not_depend_on_the_series_beside_it():
    rng = np.random.default_rng(10)
    past = np.abs(10 + rng.normal(size=(4, 47)).cumsum(axis=1)) + 0.1
    past[1, 20:24], past[2] = np.nan, past[2] - 12
    positive = np.array([True, True, False, True])

    def made(rows):
        return expert_forecasts(
            past[rows], Bank((7,), (3, 8), True), np.arange(1, 9), positive[rows]
        )

    alone = [made([number]) for number in range(4)]
    assert_allclose(made([0, 1, 2, 3]), np.concatenate(alone), rtol=1e-9)
    assert_allclose(made([0, 3]), np.concatenate([alone[0], alone[3]]), rtol=1e-9)


def test_each_series_of_a_panel_has_an_autoregression_of_its_own():
    rng = np.random.default_rng(9)
    rows = np.zeros((30, 132))
    for series, echo in zip(rows, np.repeat([-0.8, 0.8], 15), strict=True):
        for time in range(2, 132):
            series[time] = echo * series[time - 2] + rng.normal()
    levels = rows.cumsum(axis=1)
    pasts, truth = list(levels[:, :129]), levels[:, 129:]
    model = fit_local(pasts, 3)
    assert model.orders == (3, 6)
    alone = [fit_local([past], 3) for past in pasts]
    assert {one.orders for one in alone} == {()}
    without = np.concatenate([forecast(m, [p], 3) for m, p in zip(alone, pasts, strict=True)])
    errors = [np.abs(made - truth).mean() for made in (forecast(model, pasts, 3), without)]
    assert errors[0] < 0.9 * errors[1]


def test_copies_of_a_model_forecast_from_pasts_of_their_own():
    series = [weekly(300, seed, level) for seed, level in enumerate((10.0, 1000.0))]
    model = fit_local([s[:200] for s in series], 14, (7,))
    pasts = [s[:end] for end in (150, 200, 300) for s in series]
    together = quantiles(model.repeated(3), pasts, 14, [0.1, 0.9])
    alone = [quantiles(model, pasts[i : i + 2], 14, [0.1, 0.9]) for i in (0, 2, 4)]
    assert_allclose(together, np.concatenate(alone), rtol=1e-9)


def test_forecasts_at_origins_are_those_from_the_rows_before_them():
    pasts = [weekly(120, seed) for seed in range(3)]
    model, judged = fit_judged(pasts, 14, (7,))
    for place, offset in enumerate(judged.origins.offsets):
        steps = judged.origins.steps[judged.origins.steps <= offset]
        made = forecast(model, [past[:-offset] for past in pasts], int(steps[-1]))
        assert_allclose(judged.forecasts[place, :, : len(steps)], made[:, steps - 1], rtol=1e-9)


def test_channels_are_series_of_their_own():
    both = np.stack([weekly(100, 6), weekly(100, 7)], axis=1)
    apart = [both[:, 0], both[:, 1]]
    together, alone = (forecast(fit_local(p, 7, (7,)), p, 7) for p in ([both], apart))
    assert_allclose(together, alone)


def test_rows_beyond_the_longest_past_are_left_out():
    assert align([np.arange(10.0)], 4).tolist() == [[6.0, 7.0, 8.0, 9.0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit_local([], 3), "no series"),
        (lambda: fit_local([np.array([1.0, np.inf])], 3), "1 infinite"),
        (lambda: fit_local([np.zeros((2, 2, 2))], 3), "shape"),
        (lambda: fit_local([np.ones(9)], 0), "horizon is 0"),
        (lambda: fit_local([np.ones(9)], 3, (), np.ones((1, 1, 1, 1))), "others has shape"),
        (lambda: quantiles(fit_local([np.ones(9)], 3), [np.ones(9)], 3, [1.0]), "levels"),
        (lambda: forecast(fit_local([np.ones(9)], 3), [np.ones(9)] * 2, 3), "got 2 series"),
        (
            lambda: forecast(fit_local([np.ones(9)], 3), [np.ones(9)], 3, np.ones((1, 2, 3))),
            "experts",
        ),
    ],
)
def test_what_cannot_be_used_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()

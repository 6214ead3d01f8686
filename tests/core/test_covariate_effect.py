import numpy as np
import torch

from klforecast.core.covariate_effect import (
    CovariatePanel,
    apart_is_better,
    solve_effect,
    without_harm,
)
from klforecast.core.plan import plan_core

ROWS, HORIZON = 1500, 12
PLAN = plan_core([ROWS], 1, HORIZON, periods=[12], memory_depth=48)


def example(effect, columns, seed=0):
    rng = np.random.default_rng(seed)
    season = np.sin(np.arange(ROWS) * np.pi / 6) + 0.1 * rng.standard_normal(ROWS)
    series = torch.from_numpy(season + effect)[:, None]
    return CovariatePanel(
        [series],
        [torch.ones(ROWS, 1, dtype=torch.bool)],
        [torch.from_numpy(columns)],
        [torch.arange(ROWS)],
    )


def solve(panel):
    k = panel.columns[0].shape[1]
    plain = torch.zeros(k, dtype=torch.bool)
    return solve_effect(panel, PLAN, 12, [[column] for column in range(k)], plain)


def weather(seed=1):
    rng = np.random.default_rng(seed)
    return np.convolve(rng.standard_normal(ROWS + 9), np.ones(10) / 3, "valid")


def test_a_v_shaped_effect_is_found():
    warmth = weather()
    truth = 0.5 * np.abs(warmth)
    effect = solve(example(truth, warmth[:, None]))
    found = effect.of(torch.from_numpy(warmth[:, None]), torch.arange(ROWS))[:, 0].numpy()
    assert np.var(found - truth) < 0.05 * np.var(truth)
    assert effect.ratio[0] < 0.5


def test_an_effect_that_depends_on_the_phase_is_found():
    warmth = weather()
    truth = 0.5 * warmth * np.sin(np.arange(ROWS) * np.pi / 6)
    effect = solve(example(truth, warmth[:, None]))
    found = effect.of(torch.from_numpy(warmth[:, None]), torch.arange(ROWS))[:, 0].numpy()
    assert np.var(found - truth) < 0.05 * np.var(truth)


def test_what_the_memory_knows_is_not_put_down_to_a_covariate():
    # The column is the season itself, one step later: it correlates with y and adds nothing.
    column = np.sin((np.arange(ROWS) - 1) * np.pi / 6)[:, None]
    effect = solve(example(0.0, column))
    found = effect.of(torch.from_numpy(column), torch.arange(ROWS))
    assert found.var() < 0.01


def test_noise_has_no_effect():
    for seed in range(5):
        noise = np.random.default_rng(100 + seed).standard_normal((ROWS, 3))
        effect = solve(example(0.0, noise, seed))
        assert len(effect.basis.terms) == 0
        assert effect.of(torch.from_numpy(noise), torch.arange(ROWS)).abs().max() == 0


def test_of_two_columns_the_useless_one_is_left_out():
    warmth = weather()
    noise = np.random.default_rng(5).standard_normal(ROWS)
    effect = solve(example(0.5 * warmth, np.stack([noise, warmth], axis=1)))
    assert effect.basis.terms[:, 0].unique().tolist() == [1]


def test_a_channel_has_the_effect_of_its_own_covariate_alone():
    warmth = weather()
    panel = example(0.5 * warmth, warmth[:, None])
    other = example(0.0, warmth[:, None], seed=9).series[0]
    both = panel._replace(
        series=[torch.cat([panel.series[0], other], dim=1)],
        observed=[torch.ones(ROWS, 2, dtype=torch.bool)],
    )
    effect = solve(both)
    assert effect.ratio[0] < 0.5
    assert effect.ratio[1] == 1
    assert (effect.coefficients[1] == 0).all()


def test_filled_values_are_no_targets():
    warmth = weather()
    panel = example(0.5 * warmth, warmth[:, None])
    observed = torch.rand(ROWS, 1, generator=torch.Generator().manual_seed(0)) < 0.7
    filled = torch.where(observed, panel.series[0], 0.0)
    effect = solve(panel._replace(series=[filled], observed=[observed]))
    ignored = solve(panel._replace(series=[filled]))
    truth = 0.5 * (warmth - warmth.mean())

    def error(effect):
        found = effect.of(torch.from_numpy(warmth[:, None]), torch.arange(ROWS))[:, 0].numpy()
        return np.var(found - truth)

    assert error(effect) < 0.5 * error(ignored)


def test_series_too_short_to_hold_blocks_out_have_no_effect():
    warmth = weather()
    panel = example(0.5 * warmth, warmth[:, None])
    short = CovariatePanel(*([part[0][:70]] for part in panel))
    assert len(solve(short).basis.terms) == 0
    assert not apart_is_better(short, PLAN, [short.series[0]])


def test_parts_that_move_on_their_own_are_forecast_apart():
    # A slow level under a fast cycle of another size: one map has to serve both.
    rng = np.random.default_rng(0)
    part = np.zeros(ROWS)
    for t in range(1, ROWS):
        part[t] = 0.95 * part[t - 1] + rng.standard_normal()
    panel = example(part, part[:, None])
    assert not apart_is_better(panel, PLAN, [torch.zeros(ROWS, 1, dtype=torch.float64)])
    noise = np.random.default_rng(1).standard_normal(ROWS)
    noisy = example(3 * noise + part, part[:, None])
    assert apart_is_better(noisy, PLAN, [torch.from_numpy(part)[:, None]])


def test_an_effect_that_harms_the_whole_core_is_taken_back():
    warmth = weather()
    panel = example(0.5 * warmth, warmth[:, None])
    effect = solve(panel)
    assert without_harm(panel, PLAN, effect) == effect
    wrong = effect._replace(coefficients=-effect.coefficients)
    assert len(without_harm(panel, PLAN, wrong).basis.terms) == 0


def test_an_effect_is_taken_back_from_the_channel_that_it_harms_alone():
    warmth = weather()
    panel = example(0.5 * warmth, warmth[:, None])
    both = panel._replace(
        series=[panel.series[0].repeat(1, 2)], observed=[panel.observed[0].repeat(1, 2)]
    )
    effect = solve(both)
    signs = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    kept = without_harm(both, PLAN, effect._replace(coefficients=signs * effect.coefficients))
    torch.testing.assert_close(kept.coefficients[0], effect.coefficients[0])
    assert (kept.coefficients[1] == 0).all()
    assert kept.ratio[1] == 1

import pytest
import torch
from scipy.optimize import minimize
from torch.testing import assert_close

from klforecast.core.mixture import (
    nested_weights,
    pooled_weights,
    simplex_weights,
    weights_out_of_fold,
)


def error_moments(experts, seed, samples=40):
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(samples, 1, generator=generator, dtype=torch.float64)
    own = torch.randn(samples, experts, generator=generator, dtype=torch.float64)
    sizes = 0.5 + torch.rand(experts, generator=generator, dtype=torch.float64)
    errors = common + sizes * own
    return errors.T @ errors / samples


def uniform(experts):
    return torch.full((experts,), 1 / experts, dtype=torch.float64)


def penalised_error(weights, moments, prior, shrinkage):
    distance = (weights - prior).square().sum(dim=-1)
    unit = min(prior @ moments @ prior, moments.diagonal().min())
    return (weights @ moments * weights).sum(dim=-1) + shrinkage * unit * distance


@pytest.mark.parametrize("experts", [1, 2, 5, 12])
@pytest.mark.parametrize("shrinkage", [0.0, 0.03, 3.0])
def test_weights_reach_the_optimum_that_a_general_solver_finds(experts, shrinkage):
    for seed in range(4):
        moments, prior = error_moments(experts, seed), uniform(experts)
        weights = simplex_weights(moments, prior, shrinkage)
        found = minimize(
            lambda w, m=moments, p=prior: penalised_error(
                torch.as_tensor(w), m, p, shrinkage
            ).item(),
            prior.numpy(),
            bounds=[(0, 1)] * experts,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert penalised_error(weights, moments, prior, shrinkage) <= found.fun * (1 + 1e-6)


def test_one_wild_expert_does_not_hold_the_weights_at_the_prior():
    moments, prior = error_moments(3, 0), uniform(3)
    moments[2, :2] = moments[:2, 2] = 0.0
    weights = []
    for times in (1e2, 1e6):
        wild = moments.clone()
        wild[2, 2] = times * moments[0, 0]
        weights.append(simplex_weights(wild, prior, 5.0))
    assert weights[0][2] < 0.1
    assert weights[1][2] < 1e-4


def test_no_point_of_a_fine_grid_on_the_simplex_is_better():
    moments, prior = error_moments(3, 7), uniform(3)
    ticks = torch.linspace(0, 1, 101, dtype=torch.float64)
    first, second = torch.meshgrid(ticks, ticks, indexing="ij")
    grid = torch.stack([first, second, 1 - first - second], dim=-1).reshape(-1, 3)
    grid = grid[grid[:, 2] >= 0]
    best = penalised_error(grid, moments, prior, 0.0).min()
    assert penalised_error(simplex_weights(moments, prior, 0.0), moments, prior, 0.0) <= best


@pytest.mark.parametrize("shrinkage", [0.0, 1.0, 1e6])
def test_weights_are_non_negative_and_sum_to_one(shrinkage):
    moments = torch.stack([error_moments(9, seed, samples=4) for seed in range(20)])
    weights = simplex_weights(moments, uniform(9), shrinkage)
    assert (weights >= 0).all()
    assert_close(weights.sum(dim=-1), torch.ones(20, dtype=torch.float64))


def test_a_perfect_expert_takes_all_of_the_weight():
    moments = torch.diag(torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64))
    weights = simplex_weights(moments, uniform(3), 0.0)
    assert_close(weights, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-9)


def test_much_shrinkage_gives_the_prior_weights():
    prior = torch.tensor([0.7, 0.1, 0.2], dtype=torch.float64)
    weights = simplex_weights(error_moments(3, 0), prior, 1e9)
    assert_close(weights, prior, rtol=0, atol=1e-8)


def test_more_shrinkage_is_never_further_from_the_prior():
    moments, prior = error_moments(6, 1), uniform(6)
    distances = [
        (simplex_weights(moments, prior, shrinkage) - prior).norm().item()
        for shrinkage in (0.0, 0.1, 1.0, 10.0)
    ]
    assert distances == sorted(distances, reverse=True)


def test_experts_that_never_err_keep_the_prior_weights():
    prior = torch.tensor([0.25, 0.75], dtype=torch.float64)
    assert_close(simplex_weights(torch.zeros(2, 2, dtype=torch.float64), prior, 1.0), prior)


def test_one_hopeless_expert_does_not_hold_the_others_at_the_prior():
    good_bad_hopeless = torch.tensor([1.0, 2.0, 1e4], dtype=torch.float64)
    prior = torch.tensor([0.5, 0.49, 0.01], dtype=torch.float64)
    alone = simplex_weights(torch.diag(good_bad_hopeless[:2]), prior[:2] / prior[:2].sum(), 0.1)
    weights = simplex_weights(torch.diag(good_bad_hopeless), prior, 0.1)
    assert_close(weights[:2], alone, rtol=0, atol=0.06)
    assert weights[0] > 0.6


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_the_unit_of_the_errors_does_not_matter(unit):
    moments = error_moments(5, 2)
    assert_close(
        simplex_weights(unit * moments, uniform(5), 0.1), simplex_weights(moments, uniform(5), 0.1)
    )


def test_weights_do_not_depend_on_the_rest_of_the_batch():
    moments = torch.stack([error_moments(7, seed) for seed in range(6)])
    together = simplex_weights(moments, uniform(7), 0.1)
    for i in range(6):
        alone = simplex_weights(moments[i], uniform(7), 0.1)
        assert_close(together[i], alone, rtol=0, atol=1e-12)


def test_pooled_weights_are_the_mean_over_the_four_poolings():
    moments = torch.stack([error_moments(4, seed) for seed in range(6)]).reshape(2, 3, 4, 4)
    prior = uniform(4)
    weights = pooled_weights(moments, prior, 0.05)
    for channel in range(2):
        for segment in range(3):
            pools = (
                moments.mean(dim=(0, 1)),
                moments[:, segment].mean(dim=0),
                moments[channel].mean(dim=0),
                moments[channel, segment],
            )
            mean = torch.stack([simplex_weights(pool, prior, 0.05) for pool in pools]).mean(dim=0)
            assert_close(weights[channel, segment], mean, rtol=0, atol=1e-12)


def test_one_channel_and_segment_leaves_nothing_to_pool():
    moments = error_moments(4, 3)
    assert_close(
        pooled_weights(moments[None, None], uniform(4), 0.1)[0, 0],
        simplex_weights(moments, uniform(4), 0.1),
    )


def test_nested_weights_shrink_each_pool_to_the_next_wider_one():
    moments = torch.stack([error_moments(4, seed) for seed in range(6)]).reshape(2, 3, 4, 4)
    weights = nested_weights(moments, uniform(4), 0.05)
    everywhere = simplex_weights(moments.mean(dim=(0, 1)), uniform(4), 0.05)
    for channel in range(2):
        own = simplex_weights(moments[channel].mean(dim=0), everywhere, 0.05)
        for segment in range(3):
            plain = simplex_weights(moments[channel, segment], own, 0.05)
            assert_close(weights[channel, segment], plain, rtol=0, atol=1e-12)


def test_much_shrinkage_leaves_nested_weights_at_the_prior():
    moments = torch.stack([error_moments(4, seed) for seed in range(6)]).reshape(2, 3, 4, 4)
    weights = nested_weights(moments, uniform(4), 1e9)
    assert_close(weights, uniform(4).expand(2, 3, 4), rtol=0, atol=1e-8)


def block_moments(blocks, lasting):
    """Two channels, each with one good expert; it stays the same in all blocks, or not."""
    good = torch.tensor([0.2, 1.0], dtype=torch.float64)
    moments = []
    for block in range(blocks):
        turned = not lasting and block % 2 == 1
        pair = [torch.diag(good.flip(0) if turned else good), torch.diag(good.flip(0))]
        noise = 1 + 0.05 * block  # blocks differ, as they do
        moments.append(noise * torch.stack(pair)[:, None])
    return torch.stack(moments)


@pytest.mark.parametrize(
    ("blocks", "horizons", "lasting", "chosen"),
    [
        (5, 500.0, True, nested_weights),
        (5, 500.0, False, pooled_weights),
        (5, 99.0, True, pooled_weights),
        (3, 500.0, True, pooled_weights),
    ],
)
def test_nested_weights_are_taken_where_enough_blocks_agree_on_them(
    blocks, horizons, lasting, chosen
):
    moments = block_moments(blocks, lasting)
    weights = weights_out_of_fold(moments, torch.tensor([6]), uniform(2), 0.1, horizons)
    plain = chosen(moments.mean(dim=0), uniform(2), 0.1 / horizons)
    assert_close(weights, plain, rtol=0, atol=1e-12)


def moments_of_two(*errors):
    """Blocks in which the first expert errs by 1 and the second by so many times as much, one channel and segment."""
    pairs = torch.tensor([[1.0, error] for error in errors], dtype=torch.float64)
    return (pairs[:, :, None] * pairs[:, None])[:, None, None]


@pytest.mark.parametrize(
    ("errors", "share"),
    [
        ((0.4, 0.5, 0.6, 0.5, 0.5), 1.0),  # helps in every block
        ((0.1, 2.0, 0.1, 2.0, 0.1), 0.0),  # helps in some
        ((2.0, 3.0, 2.0, 3.0, 2.0), 0.0),  # helps in none
        ((0.5, 0.5, 0.5), 0.0),  # too few blocks to tell
    ],
)
def test_a_doubted_expert_counts_only_where_blocks_agree_that_it_helps(errors, share):
    doubted = torch.tensor([False, True])
    weights = weights_out_of_fold(
        moments_of_two(*errors), torch.tensor([6]), uniform(2), 1e-6, 50.0, doubted
    )
    expected = torch.tensor([1 - share, share], dtype=torch.float64)
    assert_close(weights[0, 0], expected, rtol=0, atol=1e-6)


def test_without_doubted_experts_the_others_have_the_weights_that_they_have_alone():
    moments = torch.stack([error_moments(3, seed) for seed in range(5)])[:, None, None]
    # The third one errs as the first does, and by noise of its own.
    moments[..., 2, :], moments[..., :, 2] = moments[..., 0, :], moments[..., :, 0]
    moments[..., 2, 2] = moments[..., 0, 0] + 100
    prior, doubted = uniform(3), torch.tensor([False, False, True])
    weights = weights_out_of_fold(moments, torch.tensor([6]), prior, 1.0, 20.0, doubted)
    alone = weights_out_of_fold(moments[..., :2, :2], torch.tensor([6]), uniform(2), 1.0, 20.0)
    assert_close(weights[..., :2], alone)
    assert (weights[..., 2] == 0).all()


def test_where_all_experts_are_doubted_none_is():
    moments = torch.stack([error_moments(3, seed) for seed in range(5)])[:, None, None]
    arguments = moments, torch.tensor([6]), uniform(3), 1.0, 20.0
    all_of_them = torch.ones(3, dtype=torch.bool)
    assert_close(weights_out_of_fold(*arguments, all_of_them), weights_out_of_fold(*arguments))

import pytest
import torch

from klforecast.ops.widening import widen_far, widen_growing, widening


def runs(sizes, seed=0, windows=200, horizon=6, channels=1):
    """Normal scores whose size is another in each run of time."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(windows, horizon, channels, generator=generator, dtype=torch.float64)
    return scores * torch.tensor(sizes).repeat_interleave(windows // len(sizes))[:, None, None]


@pytest.mark.parametrize("growth", [1.15, 1.2])
def test_errors_that_grow_from_run_to_run_are_widened_to_those_of_the_next_run(growth):
    signs = (-1.0) ** torch.arange(5000).double()
    exact = signs * torch.tensor([growth**k for k in range(5)]).double().repeat_interleave(1000)
    torch.testing.assert_close(
        widening(exact[:, None, None]), torch.tensor([growth**3]).double(), rtol=0.05, atol=0
    )
    noisy = [float(widening(runs([growth**k for k in range(5)], seed))) for seed in range(10)]
    assert 0.8 * growth**3 < sum(noisy) / 10 < growth**3


@pytest.mark.parametrize("sizes", [[1.0] * 5, [2.0, 1.6, 1.3, 1.1, 1.0], [1.0, 2.0, 1.0, 2.0, 1.0]])
def test_errors_without_growth_are_left_as_they_are(sizes):
    assert all(float(widening(runs(sizes, seed))) == 1.0 for seed in range(20))


def test_one_channel_that_grows_is_widened_and_its_neighbours_are_not():
    calm = runs([1.0] * 5, channels=9)
    scores = torch.cat([calm, runs([1.2**k for k in range(5)], seed=1)], dim=2)
    *others, own = widening(scores).tolist()
    assert others == [1.0] * 9
    assert own == pytest.approx(float(widening(scores[..., 9:])))
    assert own > 1.4


def test_channels_that_all_grow_a_little_are_widened_on_the_evidence_of_all():
    scores = runs([1.08**k for k in range(5)], windows=50, channels=20)
    alone = torch.tensor([float(widening(scores[..., [channel]])) for channel in range(20)])
    together = widening(scores)
    assert (alone == 1).any()
    assert float(together.min()) > 1.1
    assert (together >= alone).all()


def test_what_is_widened_keeps_its_median():
    scores = 5 + runs([1.3**k for k in range(5)], channels=2)
    wider, factor = widen_growing(scores), widening(scores)
    assert (factor > 1.5).all()
    median = scores.median(dim=0).values
    torch.testing.assert_close(wider.median(dim=0).values, median)
    torch.testing.assert_close(wider - median, factor * (scores - median))
    torch.testing.assert_close(widen_growing(runs([1.0] * 5)), runs([1.0] * 5), rtol=0, atol=0)


def test_units_do_not_matter_and_constants_are_no_growth():
    scores = runs([1.3**k for k in range(5)])
    torch.testing.assert_close(widening(1e-200 * scores), widening(scores))
    assert float(widening(torch.zeros(50, 3, 1))) == 1.0


def test_errors_that_start_from_none_are_at_most_twice_as_large():
    scores = runs([0.0, 0.0, 0.0, 1e-9, 1.0])
    assert 1 <= float(widening(scores)) <= 2
    assert float(widening(runs([3.0**k for k in range(5)]))) == 2.0
    assert widen_growing(scores).isfinite().all()


def test_too_few_windows_say_nothing():
    assert widening(torch.arange(1.0, 10.0)[:, None, None]).tolist() == [1.0]


def test_far_steps_of_few_horizons_go_on_as_near_steps_grow():
    size = torch.tensor([1.0, 2.0, 3.0, 4.0, 4.0, 4.0]).sqrt()
    scores = torch.tensor([-1.0, 1.0])[:, None, None] * size[None, :, None]
    independent = torch.tensor([80.0, 40.0, 27.0, 20.0, 10.0, 0.0])
    wider = widen_far(scores, independent)[1, :, 0].square()
    assert wider[:4].tolist() == pytest.approx([1, 2, 3, 4], rel=1e-6)
    # Half of the way in logarithms where there are ten of twenty, and all of it where there is none.
    assert wider[4:].tolist() == pytest.approx([20**0.5, 6], rel=1e-5)


def test_far_steps_are_not_narrowed():
    size = torch.tensor([1.0, 1.0, 1.0, 1.0, 3.0])
    scores = size.expand(2, -1)[..., None]
    independent = torch.tensor([80.0, 40.0, 27.0, 20.0, 2.0])
    assert (widen_far(scores, independent) == scores).all()

"""Errors drawn together vary together as those that they were learned from."""

import pytest
import torch

from klforecast.ops.copula import draw_normal_scores, fit_joint_errors


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def autoregression(n, steps, channels=1, memory=0.8):
    """Errors of windows that have nothing to do with each other."""
    noise = torch.randn(n, steps, channels, dtype=torch.float64, generator=generator(1))
    errors = [noise[:, 0]]
    for step in range(1, steps):
        errors.append(memory * errors[-1] + (1 - memory**2) ** 0.5 * noise[:, step])
    return torch.stack(errors, dim=1)


def correlation(z):  # (n, d)
    return torch.corrcoef(z.double().T)


def test_every_step_has_the_normal_distribution():
    joint = fit_joint_errors(autoregression(500, 30, 2).exp(), torch.tensor(500.0))
    z = draw_normal_scores(joint, 20000, 30, generator())
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(30, 2), atol=0.04, rtol=0)
    torch.testing.assert_close(z.square().mean(dim=0), torch.ones(30, 2), atol=0.05, rtol=0)


def test_steps_vary_together_as_the_errors_do_whatever_their_margins():
    errors = autoregression(4000, 12)
    joint = fit_joint_errors(errors.exp() ** 3, torch.tensor(4000.0))
    z = draw_normal_scores(joint, 20000, 12, generator())
    torch.testing.assert_close(
        correlation(z[..., 0]), correlation(errors[..., 0]), atol=0.06, rtol=0
    )


def test_channels_vary_together_as_the_errors_do():
    errors = autoregression(4000, 6, 3)
    errors[..., 1] = 0.8 * errors[..., 0] + 0.6 * errors[..., 1]
    joint = fit_joint_errors(errors, torch.tensor(4000.0))
    z = draw_normal_scores(joint, 20000, 6, generator())
    torch.testing.assert_close(
        correlation(z.flatten(1)), correlation(errors.flatten(1)), atol=0.08, rtol=0
    )


def test_of_few_windows_what_is_kept_is_an_autoregression_and_channels_on_their_own():
    errors = autoregression(8, 6, 2)
    joint = fit_joint_errors(errors, torch.tensor(1.0))
    z = draw_normal_scores(joint, 40000, 6, generator())
    found = correlation(z.mT.flatten(1))
    apart = torch.arange(6)
    expected = joint.neighbour.double() ** (apart[:, None] - apart).abs()
    torch.testing.assert_close(found[:6, :6], expected, atol=0.05, rtol=0)
    torch.testing.assert_close(found[:6, 6:], torch.zeros(6, 6).double(), atol=0.05, rtol=0)


def test_beyond_the_horizon_steps_go_on_as_an_autoregression():
    joint = fit_joint_errors(autoregression(2000, 5), torch.tensor(2000.0))
    z = draw_normal_scores(joint, 20000, 14, generator())[..., 0]
    torch.testing.assert_close(z.square().mean(dim=0), torch.ones(14), atol=0.05, rtol=0)
    across = correlation(z[:, 4:6])[0, 1]
    assert across.item() == pytest.approx(joint.neighbour.item(), abs=0.03)


def test_one_window_of_one_step_can_be_drawn_from():
    joint = fit_joint_errors(torch.ones(1, 1, 1), torch.tensor(1.0))
    z = draw_normal_scores(joint, 4000, 3, generator())
    assert z.shape == (4000, 3, 1)
    assert correlation(z[..., 0])[0, 1].item() == pytest.approx(0.5**0.5, abs=0.05)


def test_channels_that_are_the_same_are_drawn_the_same():
    errors = autoregression(3000, 4).expand(-1, -1, 2)
    z = draw_normal_scores(fit_joint_errors(errors, torch.tensor(1e9)), 100, 4, generator())
    torch.testing.assert_close(z[..., 0], z[..., 1], atol=1e-2, rtol=0)


def test_the_same_seed_draws_the_same_and_leaves_the_global_generator():
    joint = fit_joint_errors(autoregression(100, 4), torch.tensor(100.0))
    before = torch.get_rng_state()
    first, again = (draw_normal_scores(joint, 10, 9, generator(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


def test_modes_and_covariances_that_do_not_fit_together_are_refused():
    joint = fit_joint_errors(autoregression(100, 4), torch.tensor(100.0))
    joint.check_parts()
    with pytest.raises(ValueError, match="do not go with"):
        joint._replace(between=joint.between[1:]).check_parts()


def test_many_channels_are_drawn_apart_from_each_other():
    errors = autoregression(500, 4).expand(-1, -1, 129)
    joint = fit_joint_errors(errors, torch.tensor(500.0))
    joint.check_parts()
    z = draw_normal_scores(joint, 4000, 4, generator())
    torch.testing.assert_close(z.square().mean(dim=(0, 2)), torch.ones(4), atol=0.05, rtol=0)
    assert correlation(z[:, 0, :2])[0, 1].abs() < 0.06

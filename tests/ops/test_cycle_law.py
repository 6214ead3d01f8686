import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.conformal import Residuals, calibrate
from klforecast.ops.cycle_law import (
    JUDGED_LEVELS,
    fit_phase_shares,
    judged_steps,
    phase_gaps,
    phase_quantiles,
    phase_values,
    rows_read,
)

LEVELS = torch.tensor(JUDGED_LEVELS, dtype=torch.float64)
NEAR = torch.tensor([True, False])


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_values_of_a_phase_are_those_of_the_last_eight_cycles():
    past = noise(2, 45)
    values = phase_values(past, 4)
    assert_close(values, past[:, -32:].reshape(2, 8, 4).mT.sort(dim=-1).values)


def test_phases_of_a_long_cycle_count_those_beside_them():
    past = noise(24 * 8)
    values = phase_values(past, 24)
    around = past.reshape(8, 24)[:, [4, 5, 6]].flatten().sort().values
    assert_close(values[5], around)


def test_a_past_of_fewer_than_three_cycles_has_no_law():
    assert phase_values(noise(11), 4) is None
    assert phase_values(noise(11), 1) is None
    assert rows_read(11, 4) == 0
    assert phase_gaps(noise(3, 11), noise(3, 5), 4).shape == (3, 0, 5)


def test_quantiles_go_around_the_cycle_and_do_not_cross():
    values = phase_values(noise(3, 50), 6)
    levels = torch.linspace(0.01, 0.99, 30, dtype=torch.float64)
    quantiles = phase_quantiles(values, levels, torch.arange(14))
    assert (quantiles.diff(dim=-1) >= 0).all()
    assert_close(quantiles[:, :6], quantiles[:, 6:12])
    assert_close(quantiles[:, :, 0], values[:, torch.arange(14) % 6, 0])


def test_a_phase_at_rest_has_no_width():
    past = noise(80).reshape(8, 10).clone()
    past[:, 3] = 0
    quantiles = phase_quantiles(phase_values(past.flatten(), 10), LEVELS, torch.arange(10))
    assert (quantiles[3] == 0).all()
    assert (quantiles[4].diff() > 0).all()


@pytest.mark.parametrize(
    ("of_errors", "of_phase", "share"), [(3.0, 1.0, 1), (1.0, 3.0, 0), (1, 1, 0)]
)
def test_the_law_that_loses_less_has_the_share(of_errors, of_phase, share):
    normal = torch.special.ndtri(LEVELS)
    truth = noise(500, 2, 1)[..., None]
    found = fit_phase_shares(truth - of_errors * normal, truth - of_phase * normal, LEVELS, NEAR)
    assert_close(found, torch.full((1, 2), float(share), dtype=torch.float64))


def test_near_and_far_steps_have_shares_of_their_own():
    normal = torch.special.ndtri(LEVELS)
    truth = noise(500, 2, 1)[..., None]
    size = torch.tensor([1.0, 5.0], dtype=torch.float64)[:, None, None]
    near, far = fit_phase_shares(truth - size * normal, truth - 2 * normal, LEVELS, NEAR)[0]
    assert near == 0
    assert far > 0.5


def test_a_calibration_shares_where_phases_say_more_than_errors():
    generator = torch.Generator().manual_seed(0)
    asleep = torch.arange(240) % 12 < 6
    rows = torch.where(asleep, 0.0, torch.rand(400, 240, generator=generator).double())
    past, future = rows[:, :216], rows[:, 216:]
    errors = future - noise(400, 24, seed=2) * 0.5
    unknown = torch.full((400, 1, 3), torch.nan)
    gaps = phase_gaps(past, future, 12)[:, :, None]
    assert gaps.shape == (400, len(judged_steps(24)), 1, 5)
    shares = calibrate(Residuals(errors[..., None], unknown, 9600, of_phase=gaps)).phase_shares
    assert (shares > 0.5).all()
    exact = calibrate(Residuals(1e-3 * errors[..., None], unknown, 9600, of_phase=gaps))
    assert exact.phase_shares is None

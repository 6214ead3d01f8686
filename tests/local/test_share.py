import numpy as np
import pytest

from klforecast.local.share import Compared, local_shares, panel_shares

STEPS = np.arange(1, 8)
OFFSETS = np.array([1, 2, 3, 5, 8, 13, 20, 40, 60, 80, 100, 120])


def shares(core, local, rare=False):
    """Shares for root mean squared errors at each origin, by normal errors of a fixed seed."""
    sizes = np.stack([core, local], axis=1)[:, None, :, None]
    errors = np.random.default_rng(0).standard_normal((len(OFFSETS), 1, 2, 7)) * sizes
    return local_shares(Compared(errors, OFFSETS, STEPS, 120, np.array([rare])), 7, 480)[0]


def panel_of(core, local, series=100, horizons=10):
    """Errors of many series, at origins a horizon of seven steps apart."""
    errors = np.stack([core, local], axis=2)
    origins = 7 * np.arange(1, horizons + 1)
    return Compared(errors, origins, STEPS, 7 * horizons, np.zeros(series, dtype=bool))


@pytest.mark.parametrize(("times", "related"), [(1.0, 0.0), (1.5, 0.0), (1.5, 0.5), (0.7, 0.5)])
def test_a_panel_of_many_has_the_share_of_least_squares(times, related):
    noise = np.random.default_rng(0).standard_normal((3, 10, 100, 7))
    core = noise[0] * (1 - related**2) ** 0.5 + related * noise[2]
    local = times * (noise[1] * (1 - related**2) ** 0.5 + related * noise[2])
    # Of two errors with deviations 1 and t and correlation r^2: (1 - r^2 t) / (1 + t^2 - 2 r^2 t).
    common = related**2 * times
    best = (1 - common) / (1 + times**2 - 2 * common)
    found = local_shares(panel_of(core, local), horizon=7, rows=300)
    assert found.mean() == pytest.approx(best, abs=0.05)


def test_errors_that_cancel_leave_half_to_a_forecast_that_is_a_little_worse():
    noise = np.random.default_rng(0).standard_normal((10, 100, 7))
    found = local_shares(panel_of(noise, -1.2 * noise), horizon=7, rows=300)
    assert found.mean() == pytest.approx(1 / 2.2, abs=0.05)


def test_an_origin_that_was_missed_by_far_counts_for_less_than_its_squares():
    core, local = np.random.default_rng(0).standard_normal((2, 10, 100, 7))
    core[3] *= 30.0
    apart = core - local
    assert (core * apart).sum() / (apart**2).sum() > 0.98
    assert local_shares(panel_of(core, local), horizon=7, rows=300).mean() < 0.85


def test_a_part_of_a_panel_departs_from_the_shares_of_all():
    noise = (
        np.random.default_rng(0).standard_normal((2, 10, 100, 7))
        * np.array([1.0, 2.0])[:, None, None, None]
    )
    whole = panel_of(*noise)
    known = panel_shares(whole, horizon=7, rows=300)
    part = panel_of(*noise[:, :, :3], series=3)
    found = local_shares(part, horizon=7, rows=300, panel=known)
    np.testing.assert_allclose(found, local_shares(whole, horizon=7, rows=300)[:3])


def test_of_a_series_by_itself_a_few_horizons_say_little_of_two_that_err_alike():
    alike = np.full(len(OFFSETS), 1.0)
    np.testing.assert_allclose(shares(alike, alike), 0.45, atol=0.1)
    found, best = shares(1.5 * alike, alike), 1.5**2 / (1 + 1.5**2)
    assert ((found > 0.45) & (found < best)).all()


def test_of_a_series_by_itself_they_say_all_where_one_forecast_is_beyond_doubt_the_better_one():
    alike = np.full(len(OFFSETS), 1.0)
    assert (shares(12 * alike, alike) > 0.9).all()
    np.testing.assert_array_equal(shares(alike, 12 * alike), 0.0)


def test_a_core_that_is_exact_has_everything():
    alike = np.full(len(OFFSETS), 1.0)
    np.testing.assert_array_equal(shares(0 * alike, alike), 0.0)


def test_where_the_noise_fell_and_only_local_experts_followed_they_have_all():
    newest = OFFSETS <= 40
    fallen, still = np.where(newest, 1.0, 10.0), np.where(newest, 2.5, 10.0)
    np.testing.assert_array_equal(shares(still, fallen), 1.0)
    assert (shares(fallen, fallen) < 0.6).all()
    assert (shares(fallen, still) < 0.6).all()


def test_a_sudden_error_of_the_core_hands_everything_over_but_for_rare_demand():
    usual = np.full(len(OFFSETS), 1.0)
    surprised = np.where(OFFSETS <= 13, 8.0, 1.0)
    np.testing.assert_array_equal(shares(surprised, usual), 1.0)
    assert (shares(surprised, usual, rare=True) < 1.0).all()


def test_zeros_that_are_forecast_exactly_for_a_while_say_nothing_of_rare_demand():
    exact = np.where(OFFSETS <= 13, 0.0, 1.0)
    usual = np.full(len(OFFSETS), 1.0)
    np.testing.assert_array_equal(shares(usual, exact), 1.0)
    assert (shares(usual, exact, rare=True) < 1.0).all()

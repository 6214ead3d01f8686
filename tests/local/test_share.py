import numpy as np
import pytest

from klforecast.local.share import Compared, local_shares

STEPS = np.arange(1, 8)
OFFSETS = np.array([1, 2, 3, 5, 8, 13, 20, 40, 60, 80, 100, 120])


def shares(core, local, rare=False):
    """Shares for root mean squared errors at each origin, by normal errors of a fixed seed."""
    sizes = np.stack([core, local], axis=1)[:, None, :, None]
    errors = np.abs(np.random.default_rng(0).standard_normal((len(OFFSETS), 1, 2, 7))) * sizes
    return local_shares(Compared(errors, OFFSETS, STEPS, 120, np.array([rare])), 7, 480)[0]


def test_in_few_horizons_too_a_core_that_errs_four_times_as_much_has_next_to_nothing():
    origins = np.array([7, 14, 21])

    def of_local(times):
        errors = np.ones((3, 1, 2, 7)) * np.array([times, 1.0])[:, None]
        compared = Compared(errors, origins, STEPS, 21, np.array([False]))
        return local_shares(compared, horizon=7, rows=84)[0, 1]

    assert 0.6 < of_local(2.0) < 0.8
    assert of_local(4.0) > 0.85
    assert of_local(5.0) == of_local(50.0) < 0.9


def test_of_two_that_err_alike_each_has_about_half():
    alike = np.full(len(OFFSETS), 1.0)
    assert shares(alike, alike) == pytest.approx([0.45, 0.45], abs=0.1)


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

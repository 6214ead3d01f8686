import numpy as np

from klforecast.local.bounds import share_ceiling


def near_one(seed=0):
    logit = 3 + 0.8 * np.random.default_rng(seed).standard_normal(400)
    return 1 / (1 + np.exp(-logit))


def test_a_share_near_one_has_a_ceiling_and_the_same_in_percent_or_above_one_has_none():
    share = near_one()
    beyond = share.copy()
    beyond[17] = 1.01
    found = share_ceiling(np.stack([share, 100 * share, beyond, -share, 1 - share]))
    np.testing.assert_array_equal(found, [1, np.inf, np.inf, np.inf, np.inf])


def test_a_rate_that_happens_to_lie_below_one_has_none():
    rate = 0.95 + 0.015 * np.sin(np.arange(400) / 30)
    np.testing.assert_array_equal(share_ceiling(rate[None]), np.inf)


def test_gaps_do_not_matter_and_few_rows_say_nothing():
    share = near_one()
    share[::3] = np.nan
    np.testing.assert_array_equal(share_ceiling(share[None]), 1)
    np.testing.assert_array_equal(share_ceiling(near_one()[None, :20]), np.inf)

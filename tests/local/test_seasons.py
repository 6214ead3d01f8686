import numpy as np
import pytest
from numpy.testing import assert_allclose

from klforecast.local.seasons import indices_of_others, laid_out, seasonal_indices

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("period", [4, 7])
@pytest.mark.parametrize("multiplicative", [False, True])
def test_a_pure_season_on_a_line_is_found(period, multiplicative):
    season = RNG.normal(size=period)
    season -= season.mean()
    time = np.arange(10 * period)
    if multiplicative:
        season = 1 + season / 10
        past = 100 * season[time % period]
    else:
        past = 100 + time + season[time % period]
    found = seasonal_indices(past[None], period, [0.1], multiplicative)[0, 0]
    assert_allclose(found, season, atol=0.02)


def test_noise_has_almost_no_season():
    noise = RNG.normal(size=(200, 120))
    assert np.abs(seasonal_indices(noise, 12, [0.0], False)).mean() < 0.03


def test_less_than_two_cycles_are_no_season():
    past = np.full((2, 12), np.nan)
    past[0] = np.tile([0.0, 1.0, 5.0, 2.0], 3)
    past[1, -7:] = np.arange(7.0)
    indices = seasonal_indices(past, 4, [0.0], False)[0]
    assert np.abs(indices[0]).max() > 1
    assert (indices[1] == 0).all()
    assert (seasonal_indices(past, 7, [0.0], True) == 1).all()


def test_gaps_do_not_move_the_indices_of_a_clean_season():
    past = np.tile([1.0, 2.0, 6.0, 3.0], 20)[None]
    holes = past.copy()
    holes[0, [10, 33]] = np.nan
    whole, gappy = (seasonal_indices(x, 4, [0.0], False) for x in (past, holes))
    assert_allclose(gappy, whole, atol=0.25)


def test_indices_are_laid_out_by_phase():
    before, after = laid_out(np.array([[10.0, 20.0, 30.0]]), 4, np.array([1, 2, 3, 4]))
    assert before.tolist() == [[30.0, 10.0, 20.0, 30.0]]
    assert after.tolist() == [[10.0, 20.0, 30.0, 10.0]]


def test_several_speeds_at_once_are_each_speed_alone():
    past = RNG.normal(size=(3, 60)).cumsum(axis=1) + 100
    together = seasonal_indices(past, 6, [0.1, 0.7], True)
    apart = [seasonal_indices(past, 6, [speed], True)[0] for speed in (0.1, 0.7)]
    assert_allclose(together, apart)


def test_a_row_is_told_by_the_other_cycles_as_by_their_plain_mean():
    period, cycles = 5, 6
    past = np.tile(RNG.normal(size=period) * 20, cycles) + RNG.normal(size=period * cycles)
    found = indices_of_others(past[None], period, forgetting=0.0)[0]
    detrended = np.empty(len(past))
    for row in range(len(past)):
        # The average at an end is the last one that is whole.
        middle = np.clip(row, 2, len(past) - 3)
        detrended[row] = past[row] - past[middle - 2 : middle + 3].mean()
    folded = detrended.reshape(cycles, period)
    level = folded.mean()
    ahead = folded.mean(axis=0) - level
    kept = found[-period:] @ ahead / (ahead @ ahead)
    assert 0.9 < kept < 1
    assert_allclose(found[-period:], kept * ahead)
    for row in range(len(past)):
        others = np.delete(folded[:, row % period], row // period)
        assert_allclose(found[row], kept * (others.mean() - level))


def test_two_cycles_tell_each_other():
    first, second = RNG.normal(size=(2, 7)) + 20 * RNG.normal(size=7)
    found = indices_of_others(np.concatenate([first, second])[None], 7, forgetting=0.0)[0]
    deviations = np.stack([first, second]) - np.mean([first, second])
    assert np.corrcoef(found[:7], deviations[1])[0, 1] > 0.999
    assert np.corrcoef(found[7:14], deviations[0])[0, 1] > 0.999
    assert np.corrcoef(found[14:], deviations.mean(axis=0))[0, 1] > 0.999


def test_rows_less_what_other_cycles_say_are_as_noisy_as_rows_to_come():
    noise = RNG.normal(size=(300, 5 * 7))
    season = np.tile(20 * RNG.normal(size=7), 6)
    known, later = noise + season[:-7], RNG.normal(size=(300, 7)) + season[-7:]
    found = indices_of_others(known, 7, forgetting=0.0)
    left, ahead = known - found[:, :-7], later - found[:, -7:]
    inner = left[:, 7:-7]
    assert 0.95 < inner.std() / ahead.std() < 1.15

import numpy as np
import pandas as pd
import pytest
from sktime.forecasting.base import ForecastingHorizon

from klforecast.estimators.frames.indices import (
    find_frequency,
    name_stamps,
    stamps_ahead,
    steps_ahead,
)

MON_SAT = pd.offsets.CustomBusinessDay(weekmask="1111110")
MON_THU = pd.offsets.CustomBusinessDay(weekmask="1001000")
NAMED = ["15min", "2h", "h", "D", "B", "W-WED", "MS", "ME", "BMS", "QS", "QE", "YS", "YE"]
FREQUENCIES = [
    *NAMED,
    MON_SAT,
    MON_THU,
]  # sktime takes the last two for "B", which pandas calls them
ZONES = [None, "UTC", "Europe/Berlin"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_the_step_of_a_dated_index_is_found_without_its_freq(frequency, zone):
    index = pd.date_range("2023-10-01", periods=40, freq=frequency, tz=zone)
    bare = pd.DatetimeIndex(list(index))
    found = find_frequency(bare)
    assert pd.date_range(bare[0], periods=40, freq=found).equals(bare)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_missing_stamps_are_named(frequency, zone):
    index = pd.date_range("2023-10-01", periods=40, freq=frequency, tz=zone)
    gone = index[[7, 8, 30]]
    with pytest.raises(ValueError, match="no row for 3 stamps") as error:
        find_frequency(index.drop(gone))
    assert all(str(stamp) in str(error.value) for stamp in gone)
    assert "asfreq" in str(error.value)


@pytest.mark.parametrize("days", [range(7), range(5), [3], range(6)])
def test_days_that_never_occur_tell_a_step_after_four_weeks_alone(days):
    index = pd.date_range("2024-01-01", periods=42)
    index = index[index.dayofweek.isin(days)]
    expected = {7: "D", 5: "B", 1: "W-THU", 6: "C"}[len(days)]
    assert find_frequency(index).freqstr == expected
    if len(days) == 6:
        with pytest.raises(ValueError, match=r"no row for 3 stamps .*2024-01-07.*asfreq\('D'\)"):
            find_frequency(index[:20])


def test_missing_open_days_are_named_with_their_step():
    index = pd.date_range("2024-01-01", periods=60, freq=MON_SAT).delete(8)
    with pytest.raises(
        ValueError, match=r"2024-01-10.*asfreq\(CustomBusinessDay\(weekmask='1111110'\)"
    ):
        find_frequency(index)


def test_missing_periods_and_integers_are_named():
    periods = pd.period_range("2020-01", periods=12, freq="M")
    with pytest.raises(ValueError, match=r"no row for 1 stamps .*2020-05"):
        find_frequency(periods.delete(4))
    with pytest.raises(ValueError, match=r"no row for 2 stamps .*3, 4"):
        find_frequency(pd.Index([0, 1, 2, 5, 6]))


def test_an_irregular_index_is_refused_with_its_first_stamps():
    index = pd.DatetimeIndex(["2020-01-01", "2020-01-01 00:07", "2020-01-03 11:30:01"])
    with pytest.raises(ValueError, match=r"no regular step.*2020-01-01 00:07:00.*resample"):
        find_frequency(index)


def test_two_dated_rows_do_not_tell_their_step():
    with pytest.raises(ValueError, match=r"2 dated rows.*asfreq"):
        find_frequency(pd.to_datetime(["2020-01-01", "2020-02-01"]))


def test_a_very_fine_gap_does_not_make_a_grid_of_its_size():
    # At a step of one nanosecond the grid of this index would have 3e16 stamps.
    index = pd.DatetimeIndex(["2020-01-01", "2020-01-01 00:00:00.000000001", "2021-01-01"])
    with pytest.raises(ValueError, match="no regular step"):
        find_frequency(index)


@pytest.mark.parametrize("frequency", NAMED)
def test_steps_and_stamps_are_inverse_to_each_other_and_agree_with_sktime(frequency):
    index = pd.date_range("2023-10-01", periods=60, freq=frequency)
    cutoff = index[39:40]
    steps = np.array([1, 2, 5, 20])
    stamps = stamps_ahead(cutoff[0], steps, index.freq)
    fh = ForecastingHorizon(steps, freq=index.freq)
    assert stamps.equals(fh.to_absolute_index(pd.DatetimeIndex(cutoff, freq=index.freq)))
    absolute = ForecastingHorizon(stamps, is_relative=False, freq=index.freq)
    np.testing.assert_array_equal(steps_ahead(absolute, cutoff[0], index.freq), steps)


def test_steps_and_stamps_of_periods_and_integers():
    steps = np.array([1, 3])
    months = pd.period_range("2020-01", periods=12, freq="M")
    ahead = stamps_ahead(months[8], steps, months.freq)
    assert ahead.equals(months[[9, 11]])
    fh = ForecastingHorizon(ahead, is_relative=False)
    np.testing.assert_array_equal(steps_ahead(fh, months[8], months.freq), steps)
    assert stamps_ahead(8, steps, None).tolist() == [9, 11]
    fh = ForecastingHorizon([9, 11], is_relative=False)
    np.testing.assert_array_equal(steps_ahead(fh, 8, None), steps)


def test_relative_time_deltas_are_counted_in_steps():
    index = pd.date_range("2020-01-01", periods=5, freq="2h")
    fh = ForecastingHorizon(pd.to_timedelta(["2h", "6h"]), is_relative=True)
    np.testing.assert_array_equal(steps_ahead(fh, index[-1], index.freq), [1, 3])


def test_stamps_off_the_grid_are_refused():
    index = pd.date_range("2020-01-01", periods=5, freq="D")
    fh = ForecastingHorizon(pd.to_datetime(["2020-01-07 12:00"]), is_relative=False)
    with pytest.raises(ValueError, match=r"not on the grid.*2020-01-07 12:00:00"):
        steps_ahead(fh, index[-1], index.freq)


def test_a_long_list_of_stamps_is_cut_short():
    assert name_stamps(pd.Index(range(9))) == "0, 1, 2, 3, 4 and 4 more"

"""Rows of a stream: joined at the cost of what is new, and never changed behind anyone's back."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.frames.indices import find_frequency
from klforecast.estimators.frames.panel import TimeSeries, join_rows, split_series

INDICES = {
    "integers": pd.RangeIndex(5, 65),
    "hours": pd.date_range("2024-01-01", periods=60, freq="h", name="time"),
    "summer time": pd.date_range("2024-03-20", periods=60, freq="D", tz="Europe/Berlin"),
    "business days": pd.date_range("2024-03-01", periods=60, freq="B"),
    "month ends": pd.date_range("2000-01-31", periods=60, freq="ME", unit="s"),
    "quarters": pd.period_range("1990Q1", periods=60, freq="Q-MAR"),
}


def part(index, start, stop, offset=0.0):
    values = np.arange(len(index), dtype=float)[start:stop, None] + offset
    return TimeSeries(values, index[start:stop])


def join(known, new, frequency):
    return join_rows(known, new, frequency, "y")


@pytest.mark.parametrize("kind", INDICES)
def test_rows_that_come_in_parts_are_the_whole(kind):
    index = INDICES[kind]
    frequency = find_frequency(index)
    series = part(index, 0, 20)
    for start, stop in [(20, 21), (21, 30), (25, 40), (10, 15), (40, 60)]:
        series = join(series, part(index, start, stop), frequency)
    assert series.index.equals(index)
    assert series.index.dtype == index.dtype
    assert series.index.name == index.name
    np.testing.assert_array_equal(series.values[:, 0], np.arange(60))
    assert series.revision == 0


def test_new_values_at_known_stamps_count_and_are_noticed():
    index = INDICES["hours"]
    known = part(index, 0, 20)
    joined = join(known, part(index, 15, 30, offset=0.5), find_frequency(index))
    np.testing.assert_array_equal(joined.values[:, 0], np.arange(30) + 0.5 * (np.arange(30) > 14))
    assert joined.revision == known.revision + 1


def test_two_futures_of_one_past_do_not_meet():
    index = INDICES["integers"]
    known = join(part(index, 0, 20), part(index, 20, 30), None)
    one = join(known, part(index, 30, 40, offset=0.1), None)
    two = join(known, part(index, 30, 35, offset=0.2), None)
    for _ in range(2):
        np.testing.assert_array_equal(one.values[30:, 0], np.arange(30, 40) + 0.1)
        np.testing.assert_array_equal(two.values[30:, 0], np.arange(30, 35) + 0.2)
        np.testing.assert_array_equal(known.values[:, 0], np.arange(30))
        one = join(one, part(index, 30, 35, offset=0.1), None)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda series: pickle.loads(pickle.dumps(series))]
)
def test_a_copy_grows_on_its_own(copied):
    index = INDICES["hours"]
    frequency = find_frequency(index)
    series = join(part(index, 0, 20), part(index, 20, 30), frequency)
    twin = copied(series)
    join(twin, part(index, 30, 40, offset=9.0), frequency)
    grown = join(series, part(index, 30, 40), frequency)
    np.testing.assert_array_equal(grown.values[:, 0], np.arange(40))


def test_rows_are_not_copied_for_every_row_that_comes():
    index = pd.RangeIndex(1000)
    series = part(index, 0, 10)
    places = set()
    for start in range(10, 1000):
        series = join(series, part(index, start, start + 1), None)
        places.add(series.values.__array_interface__["data"][0])
    assert len(places) < 12


def test_a_gap_names_the_stamps_after_the_known_rows():
    index = INDICES["hours"]
    with pytest.raises(ValueError, match=r"known and new rows together, has no row for 2 stamps"):
        join(part(index, 0, 20), part(index, 22, 30), find_frequency(index))


def test_series_of_a_frame_in_any_order_keep_their_labels_and_rows():
    labels = [("b", 2), ("a", 10), ("b", 1), ("a", 2), ("b", np.nan)]
    index = pd.MultiIndex.from_tuples([(*label, step) for step in range(3) for label in labels])
    panel = split_series(pd.DataFrame({"y": np.arange(15.0)}, index=index))
    assert list(panel)[:4] == labels[:4]
    assert list(panel)[4][0] == "b"
    for place, series in enumerate(panel.values()):
        assert series.values[:, 0].tolist() == [place, place + 5, place + 10]
        assert series.index.tolist() == [0, 1, 2]
    assert split_series(pd.DataFrame({"y": np.arange(0.0)}, index=index[:0])) == {}

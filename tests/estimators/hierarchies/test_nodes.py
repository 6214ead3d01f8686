import numpy as np
import pandas as pd
import pytest
from sktime.transformations.hierarchical.aggregate import Aggregator

from klforecast.estimators.frames.panel import split_series
from klforecast.estimators.hierarchies.nodes import TOTAL, find_nodes

TREES = {
    "regions": [("n", "a"), ("n", "b"), ("s", "c"), ("s", "d"), ("s", "e")],
    "a region of one": [("n", "a"), ("n", "b"), ("s", "c")],
    "one region": [("n", "a"), ("n", "b")],
    "three levels": [("n", "x", "1"), ("n", "x", "2"), ("n", "y", "3"), ("s", "z", "4")],
    "one level": [("a",), ("b",), ("c",)],
}


def frame(keys):
    rows = pd.DataFrame({"y": [1.0, 2.0]}, index=[0, 1])
    names = [f"level {place}" for place in range(len(keys[0]))]
    return pd.concat({key if len(key) > 1 else key[0]: rows for key in keys}, names=[*names, "t"])


@pytest.mark.parametrize("tree", TREES)
def test_totals_and_their_rows_are_those_of_sktime(tree):
    y = frame(TREES[tree])
    expected = split_series(Aggregator().fit_transform(y))
    nodes = find_nodes(split_series(y), crossed=False)
    assert set(nodes.keys) == set(expected)
    assert len(set(nodes.keys)) == len(nodes.keys)
    for key, rows in zip(nodes.keys, nodes.stacked(split_series(y)), strict=True):
        np.testing.assert_allclose(rows, expected[key].values)


def test_crossed_levels_are_summed_over_each_by_itself():
    keys = [(place, kind) for place in "ns" for kind in "ab"]
    nodes = find_nodes(keys, crossed=True)
    crossed = [(TOTAL, "a"), (TOTAL, "b")]
    assert nodes.keys[:5] == [(TOTAL, TOTAL), *crossed, ("n", TOTAL), ("s", TOTAL)]
    rows = nodes.stacked(split_series(frame(keys)))
    assert rows[:, 0, 0].tolist() == [4, 2, 2, 2, 2, 1, 1, 1, 1]


def test_the_totals_that_are_named_are_the_nodes():
    keys = [("n", "a"), ("s", "a"), ("s", "b"), (TOTAL, "a")]
    nodes = find_nodes(keys, crossed=False)
    assert nodes.keys == [(TOTAL, "a"), ("n", "a"), ("s", "a"), ("s", "b")]
    assert nodes.hierarchy.totals_of.tolist() == [[0, 0, -1]]


def test_a_given_total_stands_in_for_a_sum_with_a_missing_value():
    y = Aggregator().fit_transform(frame(TREES["regions"]))
    y.loc[("n", "a", 0), "y"] = np.nan
    panel = split_series(y)
    nodes = find_nodes(panel, crossed=False)
    assert nodes.stacked(panel)[0, 0, 0] == 5.0
    assert np.isnan(nodes.stacked(split_series(y.drop(TOTAL)))[0, 0, 0])


def test_totals_without_series_are_refused():
    with pytest.raises(ValueError, match="all series of y are totals"):
        find_nodes([(TOTAL, TOTAL)], crossed=False)
    with pytest.raises(ValueError, match=r"\('x', '__total'\) of y is a total without a series"):
        find_nodes([("n", "a"), ("x", TOTAL)], crossed=False)


def test_a_total_that_is_no_sum_is_refused():
    y = Aggregator().fit_transform(frame(TREES["regions"]))
    y.loc[(TOTAL, TOTAL, 1), "y"] = 11.0
    panel = split_series(y)
    with pytest.raises(ValueError, match="is 11 at 1, and its series add up to 10"):
        find_nodes(panel, crossed=False).stacked(panel)


def test_series_of_other_stamps_are_refused():
    panel = split_series(frame(TREES["regions"]).iloc[:-1])
    with pytest.raises(ValueError, match=r"from 0 to 0 and .* from 0 to 1; a total takes"):
        find_nodes(panel, crossed=False).stacked(panel)


def test_covariates_of_a_total_are_the_mean_of_those_of_its_series():
    X = frame(TREES["regions"])
    X["y"] *= np.repeat([1.0, 2, 3, 4, 5], 2)
    found = find_nodes(split_series(X), crossed=False).averaged(X).sort_index()
    assert found.loc[(TOTAL, TOTAL), "y"].tolist() == [3.0, 6.0]
    assert found.loc[("n", TOTAL), "y"].tolist() == [1.5, 3.0]
    assert found.loc[("s", "e"), "y"].tolist() == [5.0, 10.0]

import numpy as np
import pytest

from klforecast.evaluation.studies.day_gains import WORLDS, World, compare, draw, table


def test_a_month_of_an_office_is_its_working_days():
    rows, _ = draw(World(noise=0, walk=0), random_state=0)
    same_season = rows["2015-06"], rows["2014-06"]
    working = [np.busday_count(f"{year}-06-01", f"{year}-07-01") for year in (2015, 2014)]
    assert same_season[0] / same_season[1] == pytest.approx(working[0] / working[1], rel=0.01)


def test_means_of_equal_days_have_no_days():
    rows, _ = draw(WORLDS["means of equal days"]._replace(noise=0, walk=0), random_state=0)
    assert rows["2017-03"] == pytest.approx(rows["2015-03"], rel=1e-6)


def test_the_week_before_easter_lies_in_march_or_april():
    rows, _ = draw(WORLDS["Easter"]._replace(noise=0, walk=0), random_state=0)
    assert rows["2013-03"] > 1.1 * rows["2014-03"]  # 31 March 2013, 20 April 2014
    assert rows["2014-04"] > 1.1 * rows["2013-04"]


def test_both_defaults_and_last_year_are_compared():
    row = compare("office", 0)
    errors = [value for key, value in row.items() if key.startswith("mae_")]
    assert len(errors) == 3
    assert np.isfinite(errors).all()
    assert row["found"]
    assert row["mae_with"] < row["mae_without"]
    assert table([row]).row_count == 1

import numpy as np
import pandas as pd
import pytest

from klforecast.evaluation.studies.week_gains import KINDS, compare, draw, table

REAL = ("Victoria", "weather")  # files that may not be at hand


@pytest.mark.parametrize("name", [name for name in KINDS if not name.startswith(REAL)])
def test_a_draw_is_whole_weeks_and_a_horizon(name):
    kind = KINDS[name]
    past, future = draw(kind, random_state=0)
    assert len(past) == 7 * kind.day * kind.weeks
    assert len(future) == kind.horizon
    assert past.index[1] - past.index[0] == pd.Timedelta(hours=24 / kind.day)
    assert (past >= 0).all()


def test_an_office_is_closed_on_sundays():
    past, _ = draw(KINDS["calls, 5 weeks, a week ahead"], random_state=1)
    of_days = past.groupby(past.index.dayofweek).mean()
    assert of_days[6] < 0.05 * of_days[0]


def test_the_week_is_compared_with_none_and_with_plain_references():
    row = compare("traffic by hour, 4 weeks, two days ahead", 0)
    assert row["found"]
    assert row["mae_with"] != row["mae_without"]
    errors = [value for key, value in row.items() if key.startswith("mae_")]
    assert len(errors) == 5
    assert np.isfinite(errors).all()
    assert table([row]).row_count == 1

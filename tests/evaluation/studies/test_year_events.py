import numpy as np
import pytest

from klforecast.evaluation.studies.year_events import WORLDS, World, compare, draw, table


def test_a_peak_ends_at_christmas_of_every_year():
    rows, _ = draw(World(noise=0, week=0), random_state=0)
    high = rows.index[rows > 200]
    assert high.year.unique().tolist() == [2015, 2016]
    assert high.strftime("%m-%d").unique().tolist() == [f"12-{day:02d}" for day in range(1, 26)]


def test_percentages_grow_with_the_level():
    rows, _ = draw(WORLDS["in per cent"]._replace(noise=0, week=0), random_state=0)
    assert rows["2016-12-20"] / rows["2015-12-20"] == pytest.approx(1.4 / 1.2, rel=0.02)


def test_both_defaults_and_the_plain_references_are_compared():
    row = compare("of 1 day", 0)
    errors = [value for key, value in row.items() if key.startswith("mae_")]
    assert len(errors) == 5
    assert np.isfinite(errors).all()
    assert row["found"]
    assert row["mae_with"] < row["mae_without"]
    assert table([row]).row_count == 1

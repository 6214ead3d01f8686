import numpy as np
import pandas as pd
import pytest

from klforecast.data.collections import Collection, series_of_columns
from klforecast.data.competitions import COMPETITION_HORIZONS, load_competition
from klforecast.data.files import FOLDER_VARIABLE, find
from klforecast.data.gift_eval import GIFT_EVAL_FREQUENCIES, load_gift_eval


def needs(file: str) -> None:
    if find(file) is None:
        pytest.skip(f"{file} is not under {FOLDER_VARIABLE}")


def test_padding_is_cut_off_and_a_gap_is_kept():
    table = pd.DataFrame({"a": [np.nan, 2.0, np.nan, 4.0, np.nan, np.nan]})
    rows = series_of_columns(table)["a"]["value"]
    np.testing.assert_equal(rows.to_numpy(), [np.nan, 2.0, np.nan, 4.0])


def test_dated_columns_keep_what_is_missing_at_the_end():
    table = pd.DataFrame({"a": [1.0, np.nan]})
    rows = series_of_columns(table, "2000-01-01", "MS")["a"]
    assert list(rows.index) == [pd.Timestamp("2000-01-01"), pd.Timestamp("2000-02-01")]
    assert rows.index.freqstr == "MS"


def test_a_collection_knows_its_shortest_series():
    series = {"a": pd.DataFrame(np.zeros((5, 2))), "b": pd.DataFrame(np.zeros((3, 2)))}
    collection = Collection("both", series, "0" * 64, "made here")
    assert (collection.shortest, collection.n_channels) == (3, 2)


@pytest.mark.parametrize(("name", "freq"), [("us_births", "Q"), ("ett2", "D")])
def test_a_data_set_that_is_not_rebuilt_is_refused(name, freq):
    with pytest.raises(ValueError, match=f"unknown data set {name}/{freq} .* us_births/W"):
        load_gift_eval(name, freq)


def test_an_unknown_part_of_a_competition_is_refused():
    with pytest.raises(ValueError, match=r"unknown part 'M3/hourly'.* M3/monthly"):
        load_competition("M3/hourly")


@pytest.mark.parametrize("freq", GIFT_EVAL_FREQUENCIES["us_births"])
def test_no_birth_is_counted_twice_or_left_out_of_a_whole_period(freq):
    needs("us_births.csv")
    daily = load_gift_eval("us_births", "D").series["us_births"]
    rows = load_gift_eval("us_births", freq).series["us_births"]
    # A week bears the date of its last day, and the file ends within one, which is left out.
    last = rows.index[-1] if freq == "W" else daily.index[-1]
    assert last <= daily.index[-1]
    assert rows.to_numpy().sum() == daily[:last].to_numpy().sum()
    assert rows.index.freq is not None


def test_the_weather_of_jena_stands_on_its_grid_of_ten_minutes():
    needs("weather.csv")
    rows = load_gift_eval("jena_weather", "10T").series["jena_weather"]
    assert (pd.Series(rows.index).diff().dropna() == pd.Timedelta(minutes=10)).all()
    # The file has nine stamps less than the grid.
    assert int(rows.isna().all(axis=1).sum()) == 9


@pytest.mark.parametrize(
    ("name", "n_series"),
    [
        ("M1/yearly", 181),
        ("M1/quarterly", 203),
        ("M1/monthly", 617),
        ("M3/yearly", 645),
        ("M3/quarterly", 756),
        ("M3/monthly", 1428),
        ("M3/other", 174),
    ],
)
def test_a_competition_has_its_official_number_of_series(name, n_series):
    needs(f"{name[:2]}.json")
    collection = load_competition(name)
    assert len(collection.series) == n_series
    assert collection.shortest > COMPETITION_HORIZONS[name]

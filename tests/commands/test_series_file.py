"""What is found in files as people keep them."""

import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from klforecast.commands.roles import Asked
from klforecast.commands.series_file import read_series


@pytest.fixture
def read(tmp_path):
    def of(text, horizon=2, freq=None, name="file.csv", **asked):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_series(path, Asked(**asked), horizon, freq)

    return of


def lines(header, rows):
    return "\n".join([header, *rows]) + "\n"


def test_columns_are_found_by_name_and_by_what_they_hold(shops, tmp_path):
    path = tmp_path / "shops.csv"
    shops.drop(columns="price").to_csv(path, index=False)
    file = read_series(path, Asked(), 7)
    assert file.roles[:3] == ("date", ["shop"], ["sales"])
    assert file.labels == ["north", "south"]
    assert file.frequency.freqstr == "D"
    np.testing.assert_array_equal(file.panel.loc["south", "sales"], shops["sales"][120:])
    assert not file.notes


def test_gzip_and_parquet_give_what_csv_gives(shops, tmp_path):
    plain, packed = tmp_path / "shops.csv", tmp_path / "shops.csv.gz"
    shops.to_csv(plain, index=False)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    wanted = read_series(plain, Asked(targets=["sales"]), 7).panel
    pd.testing.assert_frame_equal(read_series(packed, Asked(targets=["sales"]), 7).panel, wanted)
    pytest.importorskip("pyarrow")
    typed = shops.assign(date=pd.to_datetime(shops["date"]))
    for place, frame in enumerate((typed, typed.set_index(["shop", "date"]))):
        path = tmp_path / f"{place}.parquet"
        frame.to_parquet(path)
        found = read_series(path, Asked(targets=["sales"]), 7).panel
        assert found.index.equals(wanted.index)
        np.testing.assert_allclose(
            found, wanted, rtol=1e-15
        )  # text is read to the last bit but one


def test_parquet_without_pyarrow_is_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ImportError, match=r"a.parquet is Parquet.*pip install 'klforecast\[parquet\]'"
    ):
        read_series(path, Asked(), 2)


def test_missing_times_are_filled_and_said(read):
    file = read(lines("date,y", [f"2024-01-{day:02},{day}" for day in (1, 2, 3, 6, 7, 8)]))
    np.testing.assert_array_equal(file.panel["y"], [1, 2, 3, np.nan, np.nan, 6, 7, 8])
    assert file.notes == [
        "2 rows missing in 1 series (step D), the first at 2024-01-04 of y; filled as missing values by "
        "the forecaster"
    ]


@pytest.mark.parametrize(
    ("times", "first", "frequency"),
    [
        (["2024-01", "2024-02", "2024-03", "2024-04"], "2024-01-01", "MS"),
        (["2023Q3", "2023Q4", "2024Q1", "2024Q2"], "2023-07-01", "QS-OCT"),
        (["31/01/2024", "29/02/2024", "31/03/2024", "30/04/2024"], "2024-01-31", "ME"),
        (["01/31/2024", "02/01/2024", "02/02/2024", "02/03/2024"], "2024-01-31", "D"),
        (["20240105", "20240112", "20240119", "20240126"], "2024-01-05", "W-FRI"),
        (
            ["2024-01-01 00:15", "2024-01-01 00:30", "2024-01-01 00:45", "2024-01-01 01:00"],
            None,
            "15min",
        ),
        (
            ["2024-01-01T00:00:00+02:00", "2024-01-01T01:00:00+02:00", "2024-01-01T02:00:00+02:00"],
            "2024-01-01 00:00",
            "h",
        ),
        (["2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10"], "2024-01-05", "B"),
    ],
)
def test_dates_are_read_as_people_write_them(read, times, first, frequency):
    file = read(lines("when,sold", [f"{time},{place}" for place, time in enumerate(times)]))
    assert file.frequency.freqstr == frequency
    if first:
        assert file.panel.index[0][1] == pd.Timestamp(first)


def test_years_count_as_steps_and_rows_without_a_time_follow_each_other(read):
    years = read(lines("year,y", ["2019,1", "2020,2", "2021,4", "2022,3"]))
    assert years.frequency is None
    assert years.panel.index[-1] == ("y", 2022)
    rows = read(lines("y", ["1", "2", "4", "3"]))
    assert rows.panel["y"].tolist() == [1, 2, 4, 3]
    assert "rows are taken to follow each other" in rows.notes[0]


def test_semicolons_and_decimal_commas_are_read_and_said(read):
    file = read(lines("date;y", ["2024-01-01;1,5", "2024-01-02;2", "2024-01-03;-3,25"]))
    assert file.panel["y"].tolist() == [1.5, 2, -3.25]
    assert "numbers are read with a comma before the decimals" in file.notes


def test_several_columns_may_name_a_series(read):
    rows = [
        f"2024-01-{day:02},{store},{item},{day}"
        for store in "ab"
        for item in "xy"
        for day in (1, 2, 3)
    ]
    file = read(lines("date,store,item,qty", rows))
    assert file.roles.ids == ["store", "item"]
    assert file.labels == ["a/x", "a/y", "b/x", "b/y"]


def test_several_targets_are_series_of_their_own(read):
    rows = [f"2024-01-{day:02},{day},{10 * day}" for day in (1, 2, 3, 4)]
    file = read(lines("date,cold,warm", rows), targets=["warm", "cold"])
    assert file.labels == ["warm", "cold"]
    assert file.panel.loc["warm"].iloc[:, 0].tolist() == [10, 20, 30, 40]


def test_rows_at_the_end_without_a_value_are_left_out_and_said(read):
    rows = [f"2024-01-{day:02},{day if day < 5 else ''}" for day in range(1, 8)]
    file = read(lines("date,y", rows))
    assert len(file.panel) == 4
    assert file.notes == ["3 rows at the ends have no value and are left out"]


def test_rows_at_the_end_hold_the_covariates_ahead(read):
    rows = [f"2024-01-{day:02},{day if day < 5 else 'NA'},{day % 2}" for day in range(1, 7)]
    file = read(lines("date,y,promo", rows), covariates=["promo"])
    assert file.X.loc["y", "promo"].tolist() == [1, 0, 1, 0, 1, 0]
    assert not file.past_covariates
    short = read(lines("date,y,promo", rows[:-1]), covariates=["promo"])
    assert short.past_covariates == ["promo"]
    assert "promo: not known ahead, read up to the last row" in short.notes


def test_short_series_are_left_out_and_named(read):
    rows = [f"2024-01-{day:02},a,{day}" for day in (1, 2, 3)] + ["2024-01-01,b,1", "2024-01-02,c,"]
    file = read(lines("date,id,y", rows))
    assert file.labels == ["a"]
    assert "1 series left out, fewer than 3 values: b" in file.notes


def test_the_covariates_ahead_may_come_in_a_file_of_their_own(shops, tmp_path):
    path, future = tmp_path / "shops.csv", tmp_path / "future.csv"
    shops.to_csv(path, index=False)
    ahead = pd.concat(
        pd.DataFrame(
            {"date": pd.date_range(last, periods=4)[1:], "shop": shop, "price": [1.0, 2.0, 3.0]}
        )
        for shop, last in shops.groupby("shop")["date"].max().items()
    )
    ahead.to_csv(future, index=False)
    asked = Asked(targets=["sales"], covariates=["price"])
    file = read_series(path, asked, 3, future=future)
    assert not file.past_covariates
    assert file.X.loc["south", "price"].tolist()[-4:] == [shops["price"].iloc[-1], 1, 2, 3]
    for change, message in (
        (
            lambda rows: rows[1:],
            r"future.csv \(--future\) has no value of 'price' at 2024-04-30 .* north",
        ),
        (lambda rows: rows.drop(columns="price"), r"future.csv \(--future\) has no column 'price'"),
        (
            lambda rows: rows.assign(date=range(len(rows))),
            r"another kind of times in column 'date'",
        ),
    ):
        change(ahead).to_csv(future, index=False)
        with pytest.raises(ValueError, match=message):
            read_series(path, asked, 3, future=future)
    with pytest.raises(ValueError, match="--future holds covariates; name their columns"):
        read_series(path, Asked(targets=["sales"]), 3, future=future)

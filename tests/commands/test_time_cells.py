"""Times are read as people and programs write them, and what is not plain is said."""

import pandas as pd
import pytest

from klforecast.commands.roles import Asked
from klforecast.commands.series_file import read_series

MONTHS = pd.date_range("2023-01-01", periods=15, freq="MS")
DAYS = pd.date_range("2024-01-01", periods=10, freq="D")  # no day above twelve
LATE = pd.date_range("2024-01-25", periods=10, freq="D")
TENTHS = pd.date_range("2024-01-01", periods=15, freq="100ms")
HOURS = pd.date_range("2024-03-30 20:00", periods=15, freq="h", tz="Europe/Berlin")
LOCAL_DAYS = pd.date_range("2024-03-25", periods=15, freq="D", tz="Europe/Berlin")
WEEKS = pd.date_range("2024-01-01", periods=15, freq="W-MON")

WRITTEN = {
    "months of statistical offices": (MONTHS, [f"{m:%Y}M{m:%m}" for m in MONTHS]),
    "months in six digits": (MONTHS, MONTHS.strftime("%Y%m")),
    "month first": (MONTHS, MONTHS.strftime("%m/%Y")),
    "names of months": (MONTHS, MONTHS.strftime("%B %Y")),
    "short names of months": (MONTHS, MONTHS.strftime("%b-%y")),
    "days with names of months": (DAYS, DAYS.strftime("%d %b %Y")),
    "quarter first": (
        pd.date_range("2020-01-01", periods=8, freq="QS"),
        [f"Q{quarter} {year}" for year in (2020, 2021) for quarter in (1, 2, 3, 4)],
    ),
    "weeks": (WEEKS, WEEKS.strftime("%G-W%V")),
    "points between, day first": (DAYS, DAYS.strftime("%d.%m.%Y")),
    "first of months, day first": (MONTHS, MONTHS.strftime("%d/%m/%Y")),
    "first of months, month first": (MONTHS, MONTHS.strftime("%m/%d/%Y")),
    "clock of twelve hours": (
        pd.date_range("2024-01-20 09:00", periods=15, freq="h"),
        pd.date_range("2024-01-20 09:00", periods=15, freq="h").strftime("%m/%d/%Y %I:%M %p"),
    ),
    "points between, two digits of the year": (DAYS, DAYS.strftime("%d.%m.%y")),
    "days first, two digits of the year": (LATE, LATE.strftime("%d/%m/%y")),
    "months first, two digits of the year": (LATE, LATE.strftime("%m/%d/%y")),
    "seconds with decimals since 1970": (
        TENTHS,
        [f"{1704067200 + place // 10}.{place % 10}" for place in range(15)],
    ),
    "microseconds since 1970": (DAYS, (DAYS - pd.Timestamp(0)) // pd.Timedelta("1us")),
    "seconds since 1970": (DAYS, (DAYS - pd.Timestamp(0)) // pd.Timedelta("1s")),
    "milliseconds since 1970": (DAYS, (DAYS - pd.Timestamp(0)) // pd.Timedelta("1ms")),
    "days of a spreadsheet": (DAYS, (DAYS - pd.Timestamp("1899-12-30")).days),
    "hours with offsets": (
        HOURS.tz_convert("UTC").tz_localize(None),
        [hour.isoformat() for hour in HOURS],
    ),
    "days with offsets": (
        LOCAL_DAYS.tz_localize(None),
        [day.isoformat() for day in LOCAL_DAYS],
    ),
}


def series_of(path, times, values=None, separator=","):
    values = range(len(times)) if values is None else values
    rows = [f"{time}{separator}{value}" for time, value in zip(times, values, strict=True)]
    path.write_text("\n".join([f"date{separator}y", *rows]), encoding="utf-8")
    return read_series(path, Asked(), 2)


@pytest.mark.parametrize("kind", WRITTEN)
def test_times_are_those_that_were_written(kind, tmp_path):
    meant, written = WRITTEN[kind]
    file = series_of(tmp_path / "file.csv", list(written))
    assert list(file.panel.index.get_level_values(1)) == list(meant)
    assert file.panel["y"].tolist() == list(range(len(meant)))


def test_whole_years_may_end_with_a_point_and_zero(tmp_path):
    file = series_of(tmp_path / "file.csv", ["2019.0", "2020.0", "2021.0", "2022.0"])
    assert file.frequency is None
    assert list(file.panel.index.get_level_values(1)) == [2019, 2020, 2021, 2022]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (["45292", "45293", "45294"], ["times: 45294 is read as 2024-01-03"]),
        (["31/01/2024", "01/02/2024", "02/02/2024"], ["times: 02/02/2024 is read as 2024-02-02"]),
        (["2024/01/01", "2024/01/02", "2024/01/03"], []),
        (["2024-01-01T00:00", "2024-01-01T01:00", "2024-01-01T02:00"], []),
        (["2024-01-01T00:00+02:00", "2024-01-01T01:00+02:00", "2024-01-01T02:00+02:00"], []),
        (
            ["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-03-31T04:00+02:00"],
            [
                "times: 2024-03-31T04:00+02:00 is read as 2024-03-31 02:00:00+00:00: the offset from UTC "
                "changes, and times are written by UTC; --tz names a zone to write them by"
            ],
        ),
        (["01.01.24", "02.01.24", "03.01.24"], ["times: 03.01.24 is read as 2024-01-03"]),
    ],
)
def test_how_times_were_read_is_said_where_it_is_not_plain(times, said, tmp_path):
    assert series_of(tmp_path / "file.csv", times).notes == said


def test_dates_that_count_days_or_months_either_way_are_refused(tmp_path):
    with pytest.raises(ValueError, match="can be read with the day first or the month first"):
        series_of(tmp_path / "file.csv", ["01/02/2024", "02/02/2024", "03/02/2024"])


def test_the_unicode_text_of_spreadsheets_is_read(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes("date\ty\n2024-01-01\t1\n2024-01-02\t2\n2024-01-03\t4\n".encode("utf-16"))
    assert read_series(path, Asked(), 2).panel["y"].tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "date y\n2024-01-01 1\n2024-01-02 2\n",
            "file.csv has one column, 'date y'; separate columns by commas, semicolons, tabs or",
        ),
        (
            "date,clock,y\n2024-01-01,00:00,1\n2024-01-01,01:00,2\n2024-01-01,02:00,3\n",
            "hold date and clock apart; write both into one column, as 2024-01-01 00:00",
        ),
    ],
)
def test_columns_that_are_joined_or_torn_are_refused_in_a_sentence(text, said, tmp_path):
    path = tmp_path / "file.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_series(path, Asked(), 2)


def test_dates_of_a_zone_in_parquet_stay_the_dates_of_that_zone(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "file.parquet"
    pd.DataFrame({"date": LOCAL_DAYS, "y": range(15)}).to_parquet(path)
    file = read_series(path, Asked(), 2)
    assert list(file.panel.index.get_level_values(1)) == list(LOCAL_DAYS.tz_localize(None))

"""The column of times is found as people name and write it; one that cannot be read is never passed over."""

import pandas as pd
import pytest

from klforecast.commands.roles import Asked
from klforecast.commands.series_file import read_series

SECONDS = [str(1704067200 + 3600 * place) for place in range(12)]


@pytest.fixture
def read(tmp_path):
    def of(header, *columns, **asked):
        path = tmp_path / "file.csv"
        rows = [",".join(map(str, cells)) for cells in zip(*columns, strict=True)]
        path.write_text("\n".join([header, *rows]), encoding="utf-8")
        return read_series(path, Asked(**asked), 2)

    return of


@pytest.mark.parametrize("name", ["ts", "Zeit", "timestamp", "moment"])
def test_seconds_since_1970_are_times_by_name_or_where_they_go_up_beside_a_target(read, name):
    file = read(f"{name},load", SECONDS[::-1], range(12))
    assert file.roles.time == name
    assert file.panel.index[0] == ("load", pd.Timestamp("2024-01-01"))
    assert file.panel["load"].tolist() == list(range(12))[::-1]
    assert file.notes == [f"times: {SECONDS[0]} is read as 2024-01-01"]


def test_the_only_numbers_are_no_times(read):
    assert read("revenue", SECONDS).roles.targets == ["revenue"]
    assert read("moment", SECONDS).roles.time is None


@pytest.mark.parametrize("name", ["Datum", "Monat", "jour", "fecha", "mois"])
def test_a_column_named_for_times_that_cannot_be_read_is_refused(read, name):
    with pytest.raises(ValueError, match=f"line 2, column '{name}': 'X1' is not a time.* --time"):
        read(f"{name},y", [f"X{place}" for place in range(1, 9)], range(8))


@pytest.mark.parametrize(
    "cell",
    ["1 févr. 2023", "12. März 2024", "Dezember 2023", "23-01-05", "01-Mai-2024"],
)
def test_a_column_of_other_dates_is_refused_and_not_passed_over(read, cell):
    with pytest.raises(ValueError, match=r"line 2, column 'when': .* is not a time; .* --time"):
        read("when,y", [cell] * 5, range(5))


def test_text_that_is_no_date_is_passed_over(read):
    assert (
        read("code,y", [f"north-{place}" for place in range(10, 15)], range(5)).roles.time is None
    )


def test_a_year_of_two_digits_that_may_come_first_is_refused(read):
    days = pd.date_range("2023-12-25", periods=14).strftime("%y/%m/%d")
    with pytest.raises(ValueError, match="'23/12/25' seems to begin with its year"):
        read("date,y", days, range(14))
    with pytest.raises(ValueError, match="day first or the month first"):
        read("date,y", ["01/02/23", "02/02/23", "03/02/23"], range(3))


@pytest.mark.parametrize("months", [range(1, 13), ["Jan", "FEBRUARY", "mar", "apr", "may", "jun"]])
def test_years_and_months_in_columns_of_their_own_are_read_together(read, months):
    months = list(months)
    file = read("year,Month,sales", [2023] * len(months), months, range(len(months)))
    assert file.roles.time == "Month"
    assert file.frequency.freqstr == "MS"
    assert file.panel.index[0] == ("sales", pd.Timestamp("2023-01-01"))
    last = f"2023-{len(months):02}"
    assert file.notes == [f"times: year and Month are read together, as {last}"]


def test_a_month_that_is_none_is_refused_with_its_line(read):
    with pytest.raises(ValueError, match="line 3, column 'month': '13' is no month; write 1 to 12"):
        read("year,month,sales", [2023] * 4, [1, 13, 2, 3], range(4))


def test_year_and_month_beside_dates_stay_what_they_are(read):
    days = [f"2024-01-0{day}" for day in range(1, 6)]
    file = read("date,year,month,y", days, [2024] * 5, [1] * 5, range(5), targets=["y"])
    assert file.roles.time == "date"
    assert file.roles.unused == ["year", "month"]
    file = read("ts,year,month,y", SECONDS, [2024] * 12, [1] * 12, range(12), targets=["y"])
    assert file.roles.time == "ts"


def test_a_country_may_be_named_na_and_a_row_has_to_name_its_own(read):
    days = [f"2024-01-0{day}" for day in range(1, 6)] * 2
    file = read("country,date,y", ["NA"] * 5 + ["DE"] * 5, days, range(10))
    assert file.labels == ["NA", "DE"]

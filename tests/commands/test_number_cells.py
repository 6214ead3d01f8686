"""Numbers are read as people write them; where a sign has two meanings, the one taken is said."""

from decimal import Decimal

import pandas as pd
import pytest

from klforecast.commands.roles import Asked
from klforecast.commands.series_file import read_series

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
GERMAN_DAYS = ["01.01.2024", "02.01.2024", "03.01.2024", "04.01.2024"]


@pytest.fixture
def read(tmp_path):
    def of(cells, days=DAYS, separator=";", **asked):
        rows = [f"{day}{separator}{cell}" for day, cell in zip(days, cells, strict=False)]
        path = tmp_path / "file.csv"
        path.write_text("\n".join([f"date{separator}y", *rows]), encoding="utf-8")
        file = read_series(path, Asked(**asked), 2)
        return file.panel["y"].tolist(), [note for note in file.notes if note[:5] != "times"]

    return of


BETWEEN = (
    "y: the {0} of {1} is read as one between thousands ({2}); pass --decimal {3} if it stands before "
    "the decimals"
)
BEFORE = "y: the {0} of {1} is read as one before the decimals; pass --thousands {2} if it separates thousands"


@pytest.mark.parametrize("days", [DAYS, GERMAN_DAYS])
def test_groups_of_three_digits_beside_small_whole_numbers_are_thousands(read, days):
    values, notes = read(["911", "1.103", "-1.167.000", "12"], days)
    assert values == [911, 1103, -1167000, 12]
    assert notes == ["numbers are read with a comma before the decimals"]
    values, notes = read(["911", "1.103", "1.167", "12"], days)
    assert values == [911, 1103, 1167, 12]
    assert notes == [BETWEEN.format("point", "1.103", "1103", ".")]
    values, notes = read(["911", "1,103", "1,167", "12"], days)
    assert values == [911, 1103, 1167, 12]
    assert notes == [BETWEEN.format("comma", "1,103", "1103", ",")]


def test_numbers_that_all_have_three_digits_behind_a_sign_are_read_as_is_usual_and_said(read):
    cells = ["1.100", "1.200", "0", "1.300"]
    assert read(cells) == ([1.1, 1.2, 0, 1.3], [BEFORE.format("point", "1.100", ".")])
    assert read(cells, GERMAN_DAYS) == (
        [1100, 1200, 0, 1300],
        [BETWEEN.format("point", "1.100", "1100", ".")],
    )
    commas = [cell.replace(".", ",") for cell in cells]
    assert read(commas) == ([1.1, 1.2, 0, 1.3], [BEFORE.format("comma", "1,100", ",")])


@pytest.mark.parametrize("cells", [["911", "1.103", "1.5"], ["1500", "1.103"], ["911", "0.103"]])
def test_a_number_that_has_no_groups_tells_that_the_sign_stands_before_decimals(read, cells):
    assert read([*cells, "2", "2"][:4])[0][:2] == [float(cell) for cell in cells[:2]]


def test_another_column_tells_what_the_sign_of_a_column_is(tmp_path):
    path = tmp_path / "file.csv"
    for price, wanted in (("1,5", 1103), ("1.5", 1.103)):
        rows = [f"{day};1.103;{price}" for day in DAYS]
        path.write_text("\n".join(["date;y;price", *rows]))
        file = read_series(path, Asked(targets=["y"]), 2)
        assert file.panel["y"].tolist() == [wanted] * 4


def test_options_settle_what_a_sign_is(read):
    cells = ["911", "1.103", "1.167", "12"]
    assert read(cells, decimal=".") == ([911, 1.103, 1.167, 12], [])
    assert read(cells, thousands=".") == ([911, 1103, 1167, 12], [])
    quoted = ['"1,103"', '"1,167"', '"1,5"', "12"]
    assert read(quoted, separator=",", decimal=",")[0] == [1.103, 1.167, 1.5, 12]
    assert read(quoted[:2] + quoted[3:], separator=",", thousands=",")[0] == [1103, 1167, 12]


def test_options_that_name_no_signs_are_refused(call, tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("\n".join(["date,y", *(f"{day},1" for day in DAYS)]))
    for command in (["forecast", "--horizon", 2], ["backtest", "--horizon", 2], ["detect"]):
        call_it = [command[0], path, *command[1:]]
        said = call(*call_it, "--decimal", ";")
        assert said.exit_code == 2
        assert "--decimal ;: pass , or ." in said.stderr
        said = call(*call_it, "--decimal", ",", "--thousands", ",")
        assert "--decimal and --thousands are both ','; pass different signs" in said.stderr


def test_points_between_thousands_are_read_where_commas_stand_before_decimals(read):
    assert read(["1.234,5", "-1.234.567", "2,25"])[0] == [1234.5, -1234567.0, 2.25]
    assert read(["1,234.5", "-1,234,567", "2.25"])[0] == [1234.5, -1234567.0, 2.25]


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "\u2009", " ", "'", "\u2019"])
def test_apostrophes_and_spaces_between_thousands_are_read(read, space):
    assert read([f"1{space}520,74", f"-1{space}520{space}000", "2"])[0] == [1520.74, -1520000, 2]
    assert read([f"1{space}520.74", "2"] * 2)[0] == [1520.74, 2] * 2


def test_columns_without_a_value_need_no_signs(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("\n".join(["date,y,x", *(f"{day},1,NA" for day in DAYS)]))
    for decimal in (None, ","):
        file = read_series(path, Asked(targets=["y"], covariates=["x"], decimal=decimal), 2)
        assert file.panel["y"].tolist() == [1] * 4


def test_decimal_numbers_of_parquet_have_no_signs(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "file.parquet"
    numbers = [Decimal("911"), Decimal("1.103"), Decimal("1.167"), Decimal("12")]
    pd.DataFrame({"date": pd.to_datetime(DAYS), "y": numbers}).to_parquet(path)
    file = read_series(path, Asked(), 2)
    assert file.panel["y"].tolist() == [911, 1.103, 1.167, 12]


def test_a_point_in_numbers_with_decimal_commas_is_refused_where_it_groups_nothing(read):
    with pytest.raises(ValueError, match=r"line 3, column 'y': '2\.5' is not a number"):
        read(["1,5", "2.5", "3,5"], targets=["y"])


@pytest.mark.parametrize("mark", ["#N/A", ".", "NA", "n/a", "-", "?", "NULL"])
def test_marks_of_missing_values_are_read_as_such(read, mark):
    assert read(["1", "2", mark, "4"])[0][2] != 2

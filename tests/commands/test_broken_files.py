"""Every error is a sentence about the file: where, what, and what to do; exit code 2, no traceback."""

import gzip

import pytest

DAYS = [f"2024-01-{day:02},{day}" for day in range(1, 20)]


def with_line(place, line, header="date,sales"):
    """A file of nineteen days in which the given line is another one."""
    rows = [header, *DAYS]
    rows[place - 1] = line
    return "\n".join(rows)


BROKEN = {
    "empty": ("", "is empty; pass a file with a line of column names and rows"),
    "no rows": ("date,sales\n", "has a line of column names (date, sales) but no rows"),
    "no header": ("2024-01-01,1\n2024-01-02,2\n", "holds values (2024-01-01, 1), not names"),
    "ragged": (
        with_line(7, "2024-01-06,1,5"),
        "line 7 has 3 fields, and the line of column names has 2",
    ),
    "short line": (with_line(9, "2024-01-08"), "line 9 has 1 fields"),
    "quote": (
        with_line(5, '2024-01-04,"4'),
        "cannot be read: unexpected end of data; check its quotes",
    ),
    "double column": (with_line(1, "sales,sales"), "more than one column 'sales'"),
    "word": (
        with_line(8, "2024-01-07,many"),
        "line 8, column 'sales': 'many' is not a number; write a number",
    ),
    "categories": (
        with_line(8, "2024-01-07,closed"),
        "'closed' is not a number; write a number, categories as columns of 0 and 1",
    ),
    "unit": (
        with_line(8, "2024-01-07,7 kg"),
        "'7 kg' is not a number; write a number without a unit",
    ),
    "thousands": (
        with_line(8, '2024-01-07,"1,234"'),
        "line 8, column 'sales': '1,234' is not a number; write it without separators of thousands, as 1234",
    ),
    "decimal comma": (with_line(8, '2024-01-07,"1,5"'), "write it with a point, as 1.5"),
    "infinite": (with_line(8, "2024-01-07,inf"), "line 8, column 'sales': the value is infinite"),
    "bad date": (with_line(8, "2024-02-31,7"), "line 8, column 'date': '2024-02-31' is not a time"),
    "no date": (with_line(8, ",7"), "line 8, column 'date': there is no time"),
    "double time": (
        with_line(8, "2024-01-06,7"),
        "line 8 repeats the time 2024-01-06 00:00:00 of series sales (line 7; 1 such row)",
    ),
    "day or month": (
        "date,sales\n01/02/2024,1\n02/02/2024,2\n03/02/2024,4\n",
        "'01/02/2024' and all other dates can be read with the day first or the month first",
    ),
    "mixed order": (
        "date,sales\n13/02/2024,1\n02/14/2024,2\n15/02/2024,4\n",
        "line 3, column 'date': '02/14/2024' has day and month the other way round",
    ),
    "no regular step": (
        "date,sales\n2024-01-01,1\n2024-01-02 07:13,2\n2024-03-05,4\n2024-07-09 01:01,3\n",
        "follow no regular step: those of series sales start with",
    ),
    "too short": (
        "date,sales\n2024-01-01,1\n2024-01-02,2\n",
        "no series of file.csv has 3 values (the longest has 2)",
    ),
    "no values": (
        "date,sales\n2024-01-01,\n2024-01-02,\n2024-01-03,\n",
        "column 'sales' of file.csv holds no value; name another one",
    ),
    "no numbers": (
        "date,kind\n2024-01-01,a\n2024-01-02,b\n",
        "no column of file.csv holds numbers to forecast (date, kind)",
    ),
    "amounts with a unit": (
        "date,paid\n2024-01-01,1.520 €\n2024-01-02,12 €\n2024-01-03,9 €\n",
        "line 2, column 'paid': '1.520 €' is not a number (3 such cells); write a number without a unit",
    ),
    "minus behind": (
        "date,paid\n2024-01-01,15.5-\n2024-01-02,2-\n2024-01-03,3-\n",
        "line 2, column 'paid': '15.5-' is not a number (3 such cells); write it with its sign in front",
    ),
    "minus of typographers": (
        "date,paid\n2024-01-01,\u22121.5\n2024-01-02,\u22122.5\n2024-01-03,3\n",
        "write the minus of the keyboard, as -1.5",
    ),
    "percent": (
        "date,rate\n2024-01-01,15.2%\n2024-01-02,12%\n2024-01-03,9%\n",
        "line 2, column 'rate': '15.2%' is not a number (3 such cells)",
    ),
    "which column": (
        "date,cold,warm\n2024-01-01,1,2\n2024-01-02,1,2\n",
        "several columns of numbers (cold, warm); name the one to forecast with --target cold",
    ),
    "no time": (
        "shop,sales\na,1\na,2\n",
        "no column of file.csv holds times that can be read (shop, sales)",
    ),
    "numbers apart": (
        "t,sales\n10,1\n20,2\n30,4\n40,3\n",
        "are numbers with gaps (10, 20, 30, 40)",
    ),
    "unnamed series": (
        "date,shop,sales\n2024-01-01,a,1\n2024-01-01,,2\n2024-01-02,a,3\n",
        "line 3, column 'shop': the row names no series",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_in_a_sentence_about_it(case, call, tmp_path):
    text, wanted = BROKEN[case]
    path = tmp_path / "file.csv"
    path.write_text(text)
    result = call("forecast", path, "--horizon", 2)
    said = " ".join(result.stderr.split())
    assert result.exit_code == 2, result.output
    assert said.startswith("Error: ")
    assert "file.csv" in said
    assert wanted in said
    assert "Traceback" not in result.output
    assert not result.stdout


def test_files_that_are_no_text_are_refused_in_a_sentence(call, tmp_path):
    whole = gzip.compress("\n".join(["date,sales", *DAYS]).encode())
    cases = {
        "cut.csv.gz": (whole[:-20], "it may be damaged or cut off"),
        "no.csv.gz": (b"date,sales\n", "it may be damaged or cut off"),
        "latin.csv": (
            "date,sales\n2024-01-01,1\n2024-01-02,ä".encode("latin-1"),
            "line 3: byte 0xe4 is not UTF-8",
        ),
        "binary.csv": (b"\x00\x01", "holds binary data"),
        "file.zip": (b"PK", "is an archive; unpack it and pass the file in it"),
        "book.xlsx": (b"PK", "is a spreadsheet; save it as CSV"),
    }
    for name, (content, wanted) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        result = call("forecast", path, "--horizon", 2)
        assert result.exit_code == 2
        assert name in result.stderr
        assert wanted in result.stderr, result.stderr
    assert "there is no such file" in call("backtest", tmp_path / "z.csv", "--horizon", 2).stderr
    assert "is a folder" in call("backtest", tmp_path, "--horizon", 2).stderr


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--target", "profit"], "file.csv has no column 'profit' (--target); it has date, sales"),
        (["--target", "sales", "--covariate", "sales"], "named by --target and by --covariate"),
        (["--freq", "daily"], "freq='daily' is no step that pandas knows"),
        (["--freq", "MS"], "times that are not on the grid of step MS"),
        (["--level", "80", "--level", "180"], "level=180.0; pass percentages"),
        (["--level", "0.9"], "--level 0.9 was given; levels are per cent, pass 90"),
        (["--freq", "W"], "--freq W stands for weeks of Sundays"),
        (["--tz", "Berlin"], "--tz Berlin: there is no such time zone; pass one such as Europe/"),
        (["--out", "forecast.txt"], "--out forecast.txt: the name has to end in .csv"),
        (["--plot", "no/such/folder/a.png"], "there is no folder no/such/folder; make it first"),
        (["--future", "x.csv"], "--future holds covariates; name their columns with --covariate"),
    ],
)
def test_options_that_do_not_fit_the_file_are_refused_in_a_sentence(
    options, wanted, call, tmp_path
):
    path = tmp_path / "file.csv"
    path.write_text("\n".join(["date,sales", *DAYS]))
    result = call("forecast", path, "--horizon", 2, *options)
    assert result.exit_code == 2
    assert wanted in " ".join(result.stderr.split())
    assert [kept.name for kept in tmp_path.iterdir()] == ["file.csv"]


def test_a_backtest_that_does_not_fit_the_file_says_what_would(call, tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("\n".join(["date,sales", *DAYS]))
    said = call("backtest", path, "--horizon", 4, "--windows", 8).stderr
    assert "8 windows of 4 steps take 34 rows, and the longest series (sales) has 19" in said
    said = call("backtest", path, "--horizon", 2, "--windows", 2, "--series", "north").stderr
    assert "file.csv has no series 'north'; it has sales" in said

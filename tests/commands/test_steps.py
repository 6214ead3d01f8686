"""Steps of the calendar are named in right words, and what breaks them by its time."""

import pandas as pd
import pytest

from klforecast.commands.roles import Asked
from klforecast.commands.series_file import read_series
from klforecast.commands.wording import opening
from klforecast.estimators.plots.style import step_name

FIFTEENTHS = [f"{month:%Y-%m}-15" for month in pd.date_range("2018-01-01", periods=60, freq="MS")]


@pytest.fixture
def file(tmp_path):
    def of(times, values=None):
        path = tmp_path / "file.csv"
        values = [place % 12 + place % 5 for place in range(len(times))]
        rows = [f"{time},{value}" for time, value in zip(times, values, strict=True)]
        path.write_text("\n".join(["date,y", *rows]))
        return path

    return of


def test_rows_of_one_day_of_each_month_are_forecast_tested_and_judged(call, file, tmp_path):
    plot = tmp_path / "plot.png"
    for command in (
        ["forecast", "--horizon", 3],
        ["backtest", "--horizon", 3, "--windows", 2],
        ["detect"],
    ):
        result = call(command[0], file(FIFTEENTHS), *command[1:], "--plot", plot)
        assert result.exit_code == 0, result.output
        assert "60 rows, a row a month; time" in result.stdout


def test_a_shop_that_is_closed_on_sundays_gets_no_forecast_of_one(call, file, tmp_path):
    days = pd.date_range("2024-01-01", periods=90)
    days = days[days.dayofweek < 6]
    out = tmp_path / "out.csv"
    result = call("forecast", file(days.strftime("%Y-%m-%d")), "--horizon", 14, "--out", out)
    assert result.exit_code == 0, result.output
    assert "a row an open day (Mon-Sat); time" in result.stdout
    assert "missing in" not in result.stdout
    ahead = pd.read_csv(out, parse_dates=["date"])["date"]
    assert len(ahead) == 14
    assert set(ahead.dt.dayofweek) == {*range(6)}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("100ms", "a row every 100 milliseconds (100ms)"),
        ("h", "a row an hour (h)"),
        ("4h", "a row every 4 hours (4h)"),
        ("bh", "a row a business hour (bh)"),
        ("SMS", "a row every half month (SMS-15)"),
        ("W-MON", "a row a week (W-MON)"),
    ],
)
def test_a_step_is_named_in_right_words(step, words, file):
    times = pd.date_range("2024-01-01", periods=30, freq=step)
    assert words in opening(read_series(file([time.isoformat() for time in times]), Asked(), 2))


@pytest.mark.parametrize(
    "offset",
    [pd.DateOffset(months=1), pd.DateOffset(days=1, hours=2), pd.offsets.Easter()],
)
def test_every_offset_has_a_name(offset):
    assert step_name(pd.date_range("2024-01-15", periods=4, freq=offset)) in {"month", "step"}


def test_one_missing_row_is_one_row(file):
    days = [f"2024-01-{day:02}" for day in range(1, 20) if day != 7]
    notes = read_series(file(days), Asked(), 2).notes
    assert notes == [
        "1 row missing in 1 series (step D), the first at 2024-01-07 of y; filled as missing values by "
        "the forecaster"
    ]


@pytest.mark.parametrize(
    ("times", "place"),
    [
        (pd.date_range("2024-01-01", periods=20, freq="W-MON"), 7),
        (pd.date_range("2024-01-01", periods=20, freq="MS"), 9),
        (pd.date_range("2024-01-01", periods=20, freq="h"), 4),
        (pd.DatetimeIndex(FIFTEENTHS), 20),
    ],
)
def test_the_first_time_that_breaks_the_step_is_named_with_its_neighbours(times, place, file, call):
    shifted = times.to_series().reset_index(drop=True)
    shifted[place] += (times[1] - times[0]) / 7
    said = " ".join(call("forecast", file(shifted), "--horizon", 2).stderr.split())
    assert (
        f"that of series y is broken by {shifted[place]}, which comes after {shifted[place - 1]} and "
        f"before {shifted[place + 1]}"
    ) in said


def test_a_time_far_ahead_of_all_others_is_named(file, call):
    days = [f"2024-01-{day:02}" for day in range(1, 29)]
    said = " ".join(call("forecast", file([*days, "2204-01-29"]), "--horizon", 2).stderr.split())
    assert "is broken by 2204-01-29 00:00:00, which comes after 2024-01-28 00:00:00;" in said


def test_a_series_that_is_off_the_step_of_the_longest_one_is_named(call, tmp_path):
    path = tmp_path / "file.csv"
    rows = [
        f"{shop},{day:%Y-%m-%d},{place % 7}"
        for shop, freq, n in (("a", "W-MON", 30), ("b", "W-THU", 20))
        for place, day in enumerate(pd.date_range("2021-01-01", periods=n, freq=freq))
    ]
    path.write_text("\n".join(["shop,date,y", *rows]))
    said = call("forecast", path, "--horizon", 2).stderr
    assert "series b has times that are not on the grid of step W-MON" in said


def test_weeks_of_mondays_are_not_those_of_freq_w(file, call):
    weeks = pd.date_range("2024-01-01", periods=20, freq="W-MON").strftime("%Y-%m-%d")
    said = " ".join(call("forecast", file(weeks), "--horizon", 2, "--freq", "W").stderr.split())
    assert "--freq W stands for weeks of Sundays, and these times are those of --freq W-MON" in said


def test_what_is_warned_of_the_held_out_test_is_said_to_be_of_it(file, call):
    days = pd.date_range("2024-01-01", periods=70).strftime("%Y-%m-%d")
    said = " ".join(call("forecast", file(days), "--horizon", 14).stdout.split())
    assert "in the test on held-out rows: horizon=14 is too long for 28 rows" in said
    assert said.count("too long") == 1

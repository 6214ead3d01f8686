"""Times with offsets from UTC, and those of clocks that change, come back as what they are."""

import pandas as pd
import pytest

from klforecast.commands.roles import Asked
from klforecast.commands.series_file import read_series

SPRING = pd.date_range("2024-03-28", periods=96, freq="h", tz="Europe/Berlin")
AUTUMN = pd.date_range("2024-10-25", periods=96, freq="h", tz="Europe/Berlin")
CONSTANT = pd.date_range("2024-03-28", periods=96, freq="h", tz="+02:00")


@pytest.fixture
def file(tmp_path):
    def of(times, name="file.csv"):
        path = tmp_path / name
        rows = [f"{time},{place % 24}" for place, time in enumerate(times)]
        path.write_text("\n".join(["time,load", *rows]))
        return path

    return of


def isoformat(times):
    return [time.isoformat() for time in times]


def local(times):
    return list(times.strftime("%Y-%m-%d %H:%M"))


def written(call, tmp_path, path, *options):
    out = tmp_path / "out.csv"
    result = call("forecast", path, "--horizon", 2, "--out", out, *options)
    assert result.exit_code == 0, result.output
    return pd.read_csv(out)["time"].tolist(), result


@pytest.mark.parametrize(
    ("times", "options", "wanted"),
    [
        (isoformat(SPRING), (), SPRING[-1:].tz_convert("UTC")),
        (isoformat(SPRING), ("--tz", "Europe/Berlin"), SPRING[-1:]),
        (isoformat(CONSTANT), (), CONSTANT[-1:]),
        (local(SPRING), ("--tz", "Europe/Berlin"), SPRING[-1:]),
        (local(AUTUMN), ("--tz", "Europe/Berlin"), AUTUMN[-1:]),
        (local(AUTUMN)[::-1], ("--tz", "Europe/Berlin"), AUTUMN[-1:]),
    ],
)
def test_forecasts_are_written_with_the_offset_of_the_file(
    times, options, wanted, call, file, tmp_path
):
    ahead = wanted.append(wanted + pd.Timedelta("1h")) + pd.Timedelta("1h")
    found, _ = written(call, tmp_path, file(times), *options)
    assert found == [str(time) for time in ahead]


def test_every_command_shows_the_offset_in_its_table_and_its_picture(call, file, tmp_path):
    path, page, out = file(isoformat(SPRING)), tmp_path / "page.html", tmp_path / "rows.csv"
    for command in (
        ["forecast", "--horizon", 2],
        ["backtest", "--horizon", 2, "--windows", 2, "--by", "cutoff"],
        ["detect"],
    ):
        result = call(command[0], path, *command[1:], "--html", page, "--out", out)
        assert result.exit_code == 0, result.output
        assert "times are written by UTC; --tz names a zone" in " ".join(result.stdout.split())
        assert "(UTC)" in page.read_text(encoding="utf-8")
        rows = pd.read_csv(out)
        times = rows["time"].tolist() + (rows["cutoff"].tolist() if "cutoff" in rows else [])
        assert all(time.endswith("+00:00") for time in times)
        if command[0] != "detect":
            assert "+00:00" in result.stdout


def test_times_of_a_zone_in_parquet_are_written_by_its_clocks(call, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "file.parquet"
    pd.DataFrame({"time": SPRING, "load": range(96)}).to_parquet(path)
    found, _ = written(call, tmp_path, path)
    assert found == [str(SPRING[-1] + pd.Timedelta(hours=step)) for step in (1, 2)]


def test_days_keep_their_dates_whatever_the_zone(file):
    days = pd.date_range("2024-03-25", periods=15, freq="D", tz="Europe/Berlin")
    for times, zone in ((isoformat(days), None), (days.strftime("%Y-%m-%d"), "Europe/Berlin")):
        read = read_series(file(times), Asked(zone=zone), 2)
        assert list(read.panel.index.get_level_values(1)) == list(days.tz_localize(None))
        assert read.clock is None


def test_an_hour_that_comes_twice_in_autumn_is_recognized(call, file):
    said = " ".join(call("forecast", file(local(AUTUMN)), "--horizon", 2).stderr.split())
    assert "line 53 repeats the time 2024-10-27 02:00:00 of series load, as clocks do" in said
    assert "name their zone, as --tz Europe/Berlin" in said
    other_day = local(AUTUMN.tz_localize(None) + pd.Timedelta("1D"))
    assert "--tz" not in call("forecast", file(other_day), "--horizon", 2).stderr


def test_a_time_that_no_clock_of_the_zone_showed_is_refused(call, file):
    times = local(pd.date_range("2024-03-30", periods=48, freq="h"))
    said = call("forecast", file(times), "--horizon", 2, "--tz", "Europe/Berlin").stderr
    assert "line 28: clocks in Europe/Berlin did not show 2024-03-31 02:00:00" in said


def test_a_time_without_the_offset_that_others_have_is_refused(call, file):
    times = isoformat(CONSTANT)
    times[3] = "2024-03-28T03:00:00"
    said = call("forecast", file(times), "--horizon", 2).stderr
    assert "line 5, column 'time': the time has no offset from UTC, as others have" in said


def test_covariates_ahead_are_put_on_the_clock_of_the_series(call, tmp_path):
    path, future = tmp_path / "file.csv", tmp_path / "future.csv"
    rows = [f"{time},{place % 24},{place % 5}" for place, time in enumerate(isoformat(SPRING))]
    path.write_text("\n".join(["time,load,x", *rows]))
    ahead = pd.date_range(SPRING[-1], periods=3, freq="h")[1:]
    options = ("--target", "load", "--covariate", "x", "--future", future, "--horizon", 2)
    for times in (isoformat(ahead), isoformat(ahead.tz_convert("America/New_York"))):
        future.write_text("\n".join(["time,x", *(f"{time},1" for time in times)]))
        assert call("forecast", path, *options).exit_code == 0
    future.write_text("\n".join(["time,x", *(f"{time},1" for time in local(ahead))]))
    assert (
        "have no offset from UTC, and those of the series have"
        in call("forecast", path, *options).stderr
    )

"""The commands on whole files: what they say, and that they write what was asked for and nothing else."""

import re
from importlib import metadata

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster, backtest
from klforecast.estimators.covariates.holidays import holiday_columns


@pytest.fixture
def path(shops, tmp_path):
    file = tmp_path / "shops.csv"
    shops.to_csv(file, index=False)
    return file


@pytest.fixture
def panel(shops):
    indexed = shops.assign(date=pd.to_datetime(shops["date"])).set_index(["shop", "date"])
    return indexed[["sales"]]


def test_forecasts_of_a_file_are_those_of_the_forecaster(call, path, panel, tmp_path):
    out = tmp_path / "forecast.csv"
    result = call(
        "forecast", path, "--horizon", 7, "--target", "sales", "--level", 90, "--out", out
    )
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out, parse_dates=["date"])
    forecaster = KLMemoryForecaster(horizon=7).fit(panel)
    wanted = forecaster.predict()
    bounds = forecaster.predict_interval(coverage=0.9)["sales"][0.9]
    assert list(found) == ["shop", "date", "forecast", "lo-90", "hi-90"]
    assert found.set_index(["shop", "date"]).index.equals(wanted.index)
    np.testing.assert_allclose(found["forecast"], wanted["sales"], rtol=1e-12)
    np.testing.assert_allclose(found[["lo-90", "hi-90"]], bounds, rtol=1e-9)


def test_the_terminal_says_series_cycles_and_the_error_to_expect(call, path, panel):
    result = call("forecast", path, "--horizon", 7, "--target", "sales")
    said = " ".join(result.stdout.split())
    assert "2 series, 220 rows, a row a day (D); time 'date', series 'shop', target 'sales'" in said
    assert "not used: price; name columns that help with --covariate" in said
    assert "cycles found: 7 days" in said
    tested = backtest(
        KLMemoryForecaster(horizon=7),
        panel,
        horizon=7,
        n_windows=4,
        levels=(0.025, 0.1, 0.9, 0.975),
    )
    naive = backtest("seasonal-naive", panel, horizon=7, n_windows=4, season=7)
    for label in ("north", "south"):
        ours, plain = (t.scores("series").loc[label, "mae"] for t in (tested, naive))
        assert re.search(rf"{label} .*{ours:.4g} +{plain:.4g}", result.stdout)
    assert f"MASE {tested.scores()['mase'][0]:.4g}" in said
    assert f"80 % intervals held {100 * tested.scores()['coverage_80'][0]:.0f} %" in said
    assert "and -" not in said
    assert "--out forecast.csv writes the rows" in said


def test_nothing_is_written_that_was_not_asked_for(call, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("forecast", path, "--horizon", 7, "--target", "sales").exit_code == 0
    assert (
        call("backtest", path, "--horizon", 7, "--windows", 2, "--target", "sales").exit_code == 0
    )
    assert [kept.name for kept in tmp_path.iterdir()] == ["shops.csv"]


def test_covariates_of_a_file_are_those_of_the_forecaster(call, path, shops, panel, tmp_path):
    future, out = tmp_path / "future.csv", tmp_path / "forecast.csv"
    ahead = pd.concat(
        pd.DataFrame(
            {
                "date": pd.date_range(last, periods=8)[1:],
                "shop": shop,
                "price": np.linspace(1, 2, 7),
            }
        )
        for shop, last in shops.groupby("shop")["date"].max().items()
    )
    ahead.to_csv(future, index=False)
    arguments = ["--target", "sales", "--covariate", "price", "--future", future, "--out", out]
    result = call("forecast", path, "--horizon", 7, *arguments)
    assert result.exit_code == 0, result.output
    X = shops.set_index(panel.index)[["price"]]
    forecaster = KLMemoryForecaster(horizon=7).fit(panel, X)
    wanted = forecaster.predict(X=ahead.set_index(["shop", "date"]))
    assert forecaster.effects_ is not None
    np.testing.assert_allclose(pd.read_csv(out)["forecast"], wanted["sales"], rtol=1e-9)


def test_holidays_of_a_country_are_those_of_the_forecaster(call, tmp_path):
    pytest.importorskip("holidays", reason="holidays need pip install 'klforecast[holidays]'")
    days = pd.date_range("2022-01-01", "2024-04-28")
    closed = holiday_columns("FR", days)[:, 0]
    y = pd.Series(50 - 40 * closed + np.random.default_rng(0).normal(size=len(days)), days)
    path, out = tmp_path / "closed.csv", tmp_path / "forecast.csv"
    y.rename_axis("date").to_frame("visits").reset_index().to_csv(path, index=False)
    arguments = ["--horizon", 14, "--holidays", "FR"]
    result = call("forecast", path, *arguments, "--out", out)
    assert result.exit_code == 0, result.output
    wanted = KLMemoryForecaster(14, calendar_features=["holidays:FR"]).fit(y).predict()
    np.testing.assert_allclose(pd.read_csv(out)["forecast"], wanted, rtol=1e-9)
    assert wanted["2024-05-01"] < 30
    assert call("backtest", path, *arguments, "--windows", 2).exit_code == 0
    refused = call("forecast", path, "--horizon", 14, "--holidays", "Utopia")
    assert refused.exit_code == 2
    assert "knows no such place" in refused.output


def test_a_page_stands_alone_and_escapes_names(call, shops, tmp_path):
    path, page, plot = tmp_path / "a&b.csv", tmp_path / "page.html", tmp_path / "plot.svg"
    evil = "<script>alert(1)</script> $x$"
    shops.replace({"shop": {"north": evil}}).to_csv(path, index=False)
    for command in (["forecast", "--plot", plot], ["backtest", "--windows", 2]):
        arguments = ["--horizon", 7, "--target", "sales", "--html", page]
        result = call(command[0], path, *command[1:], *arguments)
        assert result.exit_code == 0, result.output
        text = page.read_text()
        assert text.startswith("<!DOCTYPE html>")
        assert "a&amp;b.csv" in text
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; $x$" in text
        assert "<svg" in text
        assert not re.search(r"(src|href)=\"http", text)
    assert plot.read_text().count("<svg") == 1


def test_a_backtest_of_a_file_is_that_of_the_forecaster(call, path, panel, tmp_path):
    out, plot = tmp_path / "rows.csv", tmp_path / "plot.png"
    arguments = ["--horizon", 7, "--windows", 3, "--step", 5, "--target", "sales", "--by", "step"]
    result = call("backtest", path, *arguments, "--out", out, "--plot", plot)
    assert result.exit_code == 0, result.output
    rows = pd.read_csv(out)
    models = {
        "klforecast": KLMemoryForecaster(horizon=7),
        "seasonal naive": "seasonal-naive",
        "Theta": "theta",
    }
    for name, forecaster in models.items():
        wanted = backtest(forecaster, panel, horizon=7, n_windows=3, step=5, season=7)
        found = rows[rows["model"] == name]
        np.testing.assert_allclose(found["forecast"], wanted.forecasts["forecast"], rtol=1e-12)
        mae, mase = wanted.scores()[["mae", "mase"]].iloc[0]
        assert re.search(rf"{name} +{mae:.4g} +{mase:.4g} ", result.stdout)
    assert "3 windows of 7 days, 5 days apart" in result.stdout
    assert len(re.findall(r"^ *Theta +\d ", result.stdout, re.MULTILINE)) == 7
    assert plot.stat().st_size > 1000


def test_series_too_short_for_a_backtest_are_left_out_and_named(call, shops, tmp_path):
    path = tmp_path / "shops.csv"
    shops[:150].to_csv(path, index=False)
    result = call("backtest", path, "--horizon", 14, "--windows", 4, "--target", "sales")
    assert result.exit_code == 0, result.output
    assert "1 series left out, fewer than 58 rows: south" in " ".join(result.stdout.split())


def test_a_short_file_is_forecast_and_says_what_could_not_be_tested(call, tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("year,y\n2019,1\n2020,2\n2021,4\n2022,3\n")
    result = call("forecast", path, "--horizon", 4)
    said = " ".join(result.stdout.split())
    assert result.exit_code == 0, result.output
    assert "horizon=4 is too long for 4 rows" in said
    assert "expected error not measured: it takes 12 rows of one series to hold 4 out" in said
    assert "2026" in said


def test_years_are_shown_as_they_are_written(call, tmp_path):
    file = tmp_path / "file.csv"
    file.write_text("\n".join(["year,y", *(f"{year},{year % 7}" for year in range(1980, 2010))]))
    said = call("forecast", file, "--horizon", 2).stdout
    assert re.search(r"^ 2010 +\S+", said, re.MULTILINE)


def test_no_score_of_a_backtest_is_torn_in_a_terminal_of_80_columns(call, path):
    said = call("backtest", path, "--target", "sales", "--horizon", 7, "--windows", 3).stdout
    assert re.search(r"^ klforecast( +[\d.]+( %)?){7} *$", said, re.MULTILINE)
    assert re.search(r"^ seasonal naive( +[\d.e-]+( %)?){7} *$", said, re.MULTILINE)


def test_the_version_is_that_of_the_package(call):
    assert call("--version").stdout.strip() == f"klforecast {metadata.version('klforecast')}"


def test_values_that_are_read_as_usual_are_named(call, tmp_path):
    days = pd.date_range("2024-01-01", periods=200, freq="D")
    sales = 100 + 15 * np.sin(2 * np.pi * np.arange(200) / 7)
    sales += np.random.default_rng(0).normal(0, 4, 200)
    sales[[50, 90, 120, 150]] = 900
    file = tmp_path / "sales.csv"
    pd.DataFrame({"day": days, "sales": sales.round(1)}).to_csv(file, index=False)
    result = call("forecast", file, "--horizon", 14)
    said = re.sub(r"\s+", " ", result.output)
    assert (
        "4 values far from usual or stuck, read as usual: the newest ones 2024-03-31 900 as" in said
    )
    page = tmp_path / "page.html"
    assert call("forecast", file, "--horizon", 14, "--html", page).exit_code == 0
    assert "4 values far from usual or stuck" in page.read_text(encoding="utf-8")

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from klforecast import KLMemoryForecaster, LongForecaster

pl = pytest.importorskip("polars")


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    """Two shops with a weekly cycle, of unequal length, rows in disorder."""
    rng = np.random.default_rng(5)
    parts = []
    for name, n in {"south": 120, "north": 150}.items():
        t = np.arange(n)
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": name,
                    "ds": pd.date_range("2024-01-01", periods=n, freq="D"),
                    "y": 20 + 5 * np.sin(2 * np.pi * t / 7) + rng.normal(size=n),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def panel(sales) -> pd.DataFrame:
    return sales.set_index(["unique_id", "ds"])


@pytest.mark.parametrize(
    ("open_in_south", "open_in_north", "forecast"),
    [(6, 6, 6), (5, 6, 6), (6, 5, 6), (6, 7, 7), (5, 7, 7), (5, 5, 5)],
)
def test_days_are_those_on_which_any_series_has_rows(sales, open_in_south, open_in_north, forecast):
    last = sales["unique_id"].map({"south": open_in_south, "north": open_in_north})
    known = sales[sales["ds"].dt.dayofweek < last]
    if open_in_south == open_in_north:
        found = LongForecaster().forecast(known, h=14)
    else:
        with pytest.warns(UserWarning, match="rows missing in 1 series"):
            found = LongForecaster().forecast(known, h=14)
    assert set(found["ds"].dt.dayofweek) == {*range(forecast)}


def test_forecasts_and_intervals_are_those_of_the_forecaster_on_the_panel(sales, panel):
    shuffled = sales.sample(frac=1, random_state=0)
    shuffled = pd.concat([sales[:1], shuffled.drop(index=0)])
    found = LongForecaster().forecast(shuffled, h=7, level=[80, 95])
    forecaster = KLMemoryForecaster(horizon=7).fit(panel)
    wanted = forecaster.predict()
    assert list(found) == [
        "unique_id",
        "ds",
        "KLMemoryForecaster",
        *(f"KLMemoryForecaster-{end}-{level}" for level in (80, 95) for end in ("lo", "hi")),
    ]
    assert found["unique_id"].tolist() == ["south"] * 7 + ["north"] * 7
    np.testing.assert_array_equal(found["KLMemoryForecaster"], wanted["y"])
    np.testing.assert_array_equal(found["ds"], wanted.index.get_level_values(1))
    bounds = forecaster.predict_interval(coverage=[0.8, 0.95])["y"]
    np.testing.assert_allclose(found["KLMemoryForecaster-hi-95"], bounds[0.95, "upper"])
    np.testing.assert_allclose(found["KLMemoryForecaster-lo-80"], bounds[0.8, "lower"])


def test_fit_and_predict_are_forecast(sales):
    model = LongForecaster(KLMemoryForecaster(horizon=7))
    pd.testing.assert_frame_equal(model.fit(sales).predict(5), model.forecast(sales, 5))
    assert model.freq_.freqstr == "D"
    assert not model.forecaster.is_fitted


def test_one_series_is_forecast_as_a_plain_series(sales):
    alone = sales[sales["unique_id"] == "north"]
    found = LongForecaster().forecast(alone, h=7)
    wanted = KLMemoryForecaster(horizon=7).fit(alone.set_index("ds")["y"]).predict()
    np.testing.assert_array_equal(found["KLMemoryForecaster"], wanted)
    assert found["unique_id"].unique().tolist() == ["north"]


def test_named_columns_keep_their_names(sales):
    named = sales.rename(columns={"unique_id": "shop", "ds": "day", "y": "sales"})
    names = {"id_col": "shop", "time_col": "day", "target_col": "sales"}
    found = LongForecaster().forecast(named, 7, **names)
    assert list(found) == ["shop", "day", "KLMemoryForecaster"]
    crossed = LongForecaster().cross_validation(named, 7, **names)
    assert list(crossed) == ["shop", "day", "cutoff", "sales", "KLMemoryForecaster"]
    in_index = named.set_index("shop")
    pd.testing.assert_frame_equal(LongForecaster().forecast(in_index, 7, **names), found)


@pytest.mark.parametrize("shops", [["south", "north"], ["north"]])
def test_cross_validation_is_fit_once_and_then_move_on(sales, shops):
    chosen = sales[sales["unique_id"].isin(shops)]
    model = KLMemoryForecaster(horizon=7)
    found = LongForecaster(model).cross_validation(chosen, 7, n_windows=2, step_size=3, level=[80])
    for shop in shops:
        rows = found[found["unique_id"] == shop]
        truth = chosen[chosen["unique_id"] == shop]
        assert rows["cutoff"].unique().tolist() == truth["ds"].iloc[[-11, -8]].tolist()
        np.testing.assert_array_equal(rows["y"], [*truth["y"][-10:-3], *truth["y"][-7:]])
        np.testing.assert_array_equal(rows["ds"], [*truth["ds"][-10:-3], *truth["ds"][-7:]])
    to_end = chosen.groupby("unique_id").cumcount(ascending=False)
    known = LongForecaster(model).forecast(chosen[to_end >= 10], 7, level=[80])
    first = found[
        found["ds"]
        <= found["cutoff"].groupby(found["unique_id"]).transform("min") + pd.Timedelta("7D")
    ]
    first = first[first["cutoff"] == first.groupby("unique_id")["cutoff"].transform("min")]
    for name in list(known)[2:]:
        np.testing.assert_allclose(first[name], known[name], rtol=1e-9)


def test_polars_frames_give_polars_frames_with_the_same_values(sales):
    table = pl.DataFrame({name: sales[name].to_list() for name in sales})
    for call in (
        lambda df: LongForecaster().forecast(df, 7, level=[80]),
        lambda df: LongForecaster().cross_validation(df, 7, n_windows=2, level=[90]),
    ):
        found, wanted = call(table), call(sales)
        assert isinstance(found, pl.DataFrame)
        assert found.columns == list(wanted)
        for name in wanted:
            assert found[name].to_list() == wanted[name].tolist()
    dates = table.with_columns(pl.col("ds").cast(pl.Date))
    assert LongForecaster().forecast(dates, 7).schema["ds"] == pl.Date


def test_missing_rows_are_missing_values_and_a_warning_counts_them(sales, panel):
    holes = sales.drop(index=[3, 4, 200])
    with pytest.warns(
        UserWarning, match=r"3 rows missing in 2 series \(step D\), the first at 2024-01-04"
    ):
        found = LongForecaster().forecast(holes, h=7)
    filled = panel.copy()
    filled.iloc[[3, 4, 200]] = np.nan
    wanted = KLMemoryForecaster(horizon=7).fit(filled).predict()
    np.testing.assert_array_equal(found["KLMemoryForecaster"], wanted["y"])


def test_covariates_come_in_further_columns_and_their_future_in_X_df(sales, panel):
    rng = np.random.default_rng(1)
    with_price = sales.assign(price=rng.uniform(1, 2, len(sales)))
    with_price["y"] -= 8 * with_price["price"]
    days = with_price.groupby("unique_id", sort=False)["ds"].max()
    future = pd.concat(
        pd.DataFrame(
            {
                "unique_id": shop,
                "ds": pd.date_range(last + pd.Timedelta("1D"), periods=7),
                "price": rng.uniform(1, 2, 7),
            }
        )
        for shop, last in days.items()
    )
    found = LongForecaster().forecast(with_price, 7, X_df=future)
    indexed = with_price.set_index(["unique_id", "ds"])
    forecaster = KLMemoryForecaster(horizon=7).fit(indexed[["y"]], indexed[["price"]])
    wanted = forecaster.predict(X=future.set_index(["unique_id", "ds"]))
    assert forecaster.effects_ is not None
    np.testing.assert_array_equal(found["KLMemoryForecaster"], wanted["y"])
    model = LongForecaster(KLMemoryForecaster(horizon=7)).fit(with_price)
    with pytest.raises(ValueError, match=r"predict needs \['price'\] .* pass them in X_df"):
        model.predict(7)
    past = LongForecaster(KLMemoryForecaster(horizon=7, past_covariates=["price"]))
    assert len(past.forecast(with_price, 7)) == 14


def test_whole_numbers_are_times_too(sales):
    numbered = sales.assign(ds=sales.groupby("unique_id").cumcount() + 1)
    found = LongForecaster(freq=1).forecast(numbered, 2)
    assert found["ds"].tolist() == [121, 122, 151, 152]
    with pytest.raises(ValueError, match="freq='D', but times are whole numbers"):
        LongForecaster(freq="D").forecast(numbered, 2)
    with pytest.raises(ValueError, match=r"numbers with gaps .* renumber them"):
        LongForecaster().forecast(numbered.assign(ds=numbered["ds"] * 10), 2)


REFUSED = [
    (lambda df: df.drop(columns="y"), ValueError, "df has no column 'y'; it has"),
    (lambda df: pd.concat([df, df[-1:]]), ValueError, "more than one row for unique_id 'north' at"),
    (lambda df: df.assign(y="a"), TypeError, "column 'y' of df holds .* needs numbers"),
    (lambda df: df.assign(ds="soon"), TypeError, "column 'ds' .* such as 'soon'; pass dates"),
    (lambda df: df.assign(ds=df["ds"].where(df.index != 2)), ValueError, "row 2 of df has no 'ds'"),
    (lambda df: df.assign(kind="a"), TypeError, "column 'kind' of df"),
    (lambda df: df[:0], ValueError, "df has no row"),
    (lambda df: df["y"].to_numpy(), TypeError, "df is a ndarray; pass a DataFrame"),
    (lambda df: pl.LazyFrame({"y": [1.0]}), TypeError, r"after its collect\(\)"),
    (
        lambda df: df.assign(ds=df["ds"] + pd.to_timedelta((df.index == 5) * 1, "h")),
        ValueError,
        "not on the grid of step D from 2024-01-01 .* 2024-01-06 01:00:00",
    ),
]


@pytest.mark.parametrize(("change", "kind", "message"), REFUSED)
def test_frames_that_cannot_be_used_are_refused_in_a_sentence(sales, change, kind, message):
    with pytest.raises(kind, match=message):
        LongForecaster().forecast(change(sales), 7)


def test_calls_that_cannot_be_made_are_refused_in_a_sentence(sales):
    with pytest.raises(NotFittedError, match=r"call fit\(df\) or forecast\(df, h\)"):
        LongForecaster().predict(7)
    with pytest.raises(ValueError, match="level=150; pass percentages"):
        LongForecaster().forecast(sales, 7, level=[150])
    with pytest.raises(ValueError, match="freq='daily' is no step that pandas knows"):
        LongForecaster(freq="daily").forecast(sales, 7)
    with pytest.raises(ValueError, match="series 'south' of y has 120 rows"):
        LongForecaster().cross_validation(sales, 7, n_windows=200)
    zoned = pl.DataFrame({name: sales[name].to_list() for name in sales}).with_columns(
        pl.col("ds").dt.replace_time_zone("UTC")
    )
    with pytest.raises(TypeError, match="column 'ds' of df has the time zone UTC"):
        LongForecaster().forecast(zoned, 7)


def test_without_narwhals_the_message_says_what_to_install(sales, monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals.stable.v1", None)
    with pytest.raises(ImportError, match=r"pip install 'klforecast\[frames\]'"):
        LongForecaster().forecast(pl.DataFrame({"y": [1.0]}), 7)

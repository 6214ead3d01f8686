"""What cannot be used is refused in a sentence of our own, which says what came and what to pass."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sktime.datasets import load_airline
from sktime.forecasting.base import ForecastingHorizon

from klforecast import (
    KLMemoryForecaster,
    LongForecaster,
    SpectralFeatures,
    SpectralPanelFeatures,
    SpectralSSMClassifier,
    SpectralSSMRegressor,
)

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=80)
DAYS = pd.date_range("2024-01-01", periods=80)
COUNTED, DATED = pd.Series(VALUES), pd.Series(VALUES, DAYS)
HOURS = pd.Series(VALUES, pd.date_range("2024-01-01", periods=80, freq="h", tz="UTC"))
MONTHS = pd.Series(VALUES, pd.period_range("2000-01", periods=80, freq="M"))
X = pd.DataFrame({"x": RNG.normal(size=90)})


def make(**settings):
    return KLMemoryForecaster(**{"horizon": 4, "period": 1} | settings)


HORIZONS = {
    "dates for integers": (COUNTED, DAYS[:2], "fh is a DatetimeIndex .*but y has an integer index"),
    "integers for dates": (
        DATED,
        ForecastingHorizon([100], is_relative=False),
        "fh is an integer index, but y has a DatetimeIndex without time zone",
    ),
    "periods for dates": (DATED, MONTHS.index[:2], "fh is a PeriodIndex of frequency 'M', but y"),
    "dates for periods": (MONTHS, DAYS[:2], "but y has a PeriodIndex of frequency 'M'"),
    "no zone for a zone": (HOURS, DAYS[:2], "without time zone, but y has a DatetimeIndex in UTC"),
    "differences for integers": (COUNTED, pd.to_timedelta(["1D"]), "fh holds differences of time"),
    "differences for periods": (MONTHS, pd.to_timedelta(["1D"]), "fh holds differences of time"),
    "flags": (COUNTED, [True], r"fh holds values of the type bool \(True\); pass steps"),
    "words": (COUNTED, "3", r"fh holds values of the type str \(3\)"),
    "halves": (COUNTED, [1.5], r"type float64 \(1.5\)"),
    "nothing": (COUNTED, [], "fh is empty; pass steps such as"),
    "None": (COUNTED, [None], "type object"),
    "a missing stamp": (DATED, pd.DatetimeIndex([pd.NaT]), "fh holds 1 missing values"),
    "twice": (COUNTED, [1, 1], "fh holds 1 twice"),
    "a billion steps": (COUNTED, [10**9], "fh reaches some 1000000000 steps ahead, and 80 rows"),
    "up to a billion": (COUNTED, 10**9, "ask for at most 10000 steps"),
    "the year 2261": (DATED, pd.DatetimeIndex(["2261-01-01"]), "some 86484 steps ahead"),
    "beyond int64": (
        COUNTED.set_axis(pd.RangeIndex(2**63 - 90, 2**63 - 10)),
        [50],
        "beyond the integers that an index can hold",
    ),
}


@pytest.mark.parametrize("case", HORIZONS)
def test_a_horizon_of_another_kind_is_refused(case, state_of):
    y, fh, message = HORIZONS[case]
    forecaster = make().fit(y)
    before = state_of(forecaster)
    for call in (forecaster.predict, forecaster.predict_interval):
        with pytest.raises((TypeError, ValueError), match=message):
            call(fh)
    assert state_of(forecaster) == before


@pytest.mark.parametrize(
    ("y", "fh"),
    [
        (COUNTED, [0, 1]),
        (COUNTED, ForecastingHorizon([50, 81], is_relative=False)),
        (DATED, DAYS[70:72]),
        (DATED, pd.to_timedelta(["-1D", "1D"])),
        (MONTHS, MONTHS.index[-1:]),
    ],
)
def test_steps_up_to_the_cutoff_are_refused_as_in_sample(y, fh):
    with pytest.raises(NotImplementedError, match=r"at or before the last row of y .*in-sample"):
        make().fit(y).predict(fh)


def test_without_fh_one_horizon_is_forecast():
    for y in (COUNTED, DATED, MONTHS):
        forecaster = make().fit(y)
        pd.testing.assert_series_equal(forecaster.predict(), forecaster.predict(range(1, 5)))
    forecaster = make().fit(DATED, fh=[2])
    assert len(forecaster.predict()) == 1


def test_one_stamp_is_a_horizon():
    forecaster = make().fit(DATED)
    day = DAYS[-1] + pd.Timedelta("3D")
    for fh in (day, [day], pd.Timedelta("3D")):
        pd.testing.assert_series_equal(forecaster.predict(fh), forecaster.predict([3]))


SETTINGS = {
    "random_state": ["a", 1.5, -1, np.random.default_rng(0), 2**40, True],
    "device": ["gpu", "cuda:99", "meta", 3, None],
    "callbacks": [3, "x", [3], [object()], [("name", 3)]],
    "linear_core": [COUNTED, "yes", None, 1],
    "memory": [["history"], COUNTED],
    "encoder": [None, np.array(["linear"])],
    "horizon": [COUNTED, 10**9],
    "period": [10**9],
    "memory_depth": [10**9],
    "input_length": [10**6],
    "n_components": [10**6],
    "memory_tokens": [10**6],
    "patch_length": [10**6],
    "lr": [1e300],
    "past_covariates": [[["x"]], "x", {"x"}],
    "calendar_features": [[["day"]], COUNTED],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in SETTINGS.items() for value in values]
)
def test_settings_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=rf"^{name}.*; pass ") as error:
        make(**{name: value}).fit(DATED, X=X[:80].set_axis(DAYS))
    assert len(str(error.value)) < 500
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "sizes", [{"n_layers": 10**6}, {"d_model": 10**8, "n_heads": 1}, {"d_ff": 10**9}]
)
def test_networks_far_too_large_for_the_data_are_not_made(sizes):
    with pytest.raises(
        ValueError, match=r"weights; with 80 rows of 1 channels pass .*at most 7e\+07"
    ):
        make(encoder="transformer", **sizes).fit(COUNTED)


@pytest.mark.parametrize(
    "sizes",
    [{"n_layers": 10**6}, {"d_model": 10**9}, {"n_modes": 10**9}, {"n_estimators": 10**6}],
)
def test_networks_far_too_large_for_the_series_are_not_made(sizes):
    with pytest.raises(
        ValueError,
        match=r"some \de\+\d\d weights; with 8 series of 1 channels and 80 steps in all pass sizes",
    ):
        SpectralSSMClassifier("gradient", **sizes).fit(VALUES.reshape(8, 10), [0, 1] * 4)


@pytest.mark.parametrize(
    "kind", [SpectralSSMClassifier, SpectralSSMRegressor, SpectralFeatures, SpectralPanelFeatures]
)
def test_more_filters_than_a_computer_holds_are_not_drawn(kind):
    with pytest.raises(ValueError, match="n_filters=1000000000 is far too many; pass at most 1000"):
        kind(n_filters=10**9).fit(VALUES.reshape(8, 10), [0, 1] * 4)


def test_devices_that_are_not_here_are_refused_by_the_classifiers_too():
    with pytest.raises(ValueError, match="device is 'gpu'; pass one of 'auto', 'cpu'"):
        SpectralSSMClassifier(device="gpu").fit(VALUES.reshape(8, 10), [0, 1] * 4)


def test_a_flag_of_update_is_a_flag():
    with pytest.raises(TypeError, match=r"update_params is .*; pass True or False"):
        make().fit(COUNTED).update(COUNTED[:1], update_params=COUNTED)


def missing_stamp(index):
    stamps = index.to_list()
    stamps[3] = pd.NaT
    return pd.DatetimeIndex(stamps)


def named(name):
    index = pd.MultiIndex.from_arrays(
        [["a"] * 80 + [name] * 80, [*range(80)] * 2], names=["site", "time"]
    )
    return pd.DataFrame({"y": np.tile(VALUES, 2)}, index)


LONG = pd.DataFrame({"unique_id": ["a"] * 80, "ds": DAYS, "y": VALUES})
ROWS = {
    "a missing stamp": (
        DATED.set_axis(missing_stamp(DAYS)),
        r"1 rows of y have no stamp \(NaT\), the first at position 3; drop them.*y\[y.index.notna\(\)\]",
    ),
    "a series without a name": (
        named(None),
        r"80 rows of y name no series \(index level 'site' is missing\), the first at position 80",
    ),
    "a series named NaN": (named(np.nan), "80 rows of y name no series"),
    "differences of time": (
        COUNTED.set_axis(pd.to_timedelta(range(80), "D")),
        r"indexed by timedelta.*add the start.*pd.Timestamp",
    ),
    "dates as words": (
        DATED.set_axis(DAYS.astype(str)),
        r"indexed by (str|object) such as '2024-01-01'.*y.index = pd.to_datetime\(y.index\)",
    ),
    "dates as objects": (
        DATED.set_axis(pd.Index(list(DAYS.date), dtype=object)),
        r"y.index = pd.to_datetime\(y.index\)",
    ),
    "halves": (COUNTED.set_axis(np.arange(80) / 2), r"number the rows.*y.reset_index\(drop=True\)"),
    "a long frame": (
        LONG,
        r'dates of y stand in its column \'ds\'.*y.set_index\(\["unique_id", "ds"\]\)',
    ),
    "a long frame of words": (
        LONG.assign(ds=LONG.ds.astype(str)),
        r'y.set_index\(\["unique_id", "ds"\]\)',
    ),
    "a column of dates": (
        LONG[["ds", "y"]].rename(columns={"ds": "date"}),
        r'y.set_index\("date"\)',
    ),
    "None": (None, "y is None of type NoneType; pass a pandas Series or DataFrame"),
    "a list": ([1, 2, 3], r"y is \[1, 2, 3\] of type list; pass a pandas"),
    "a word": ("x", "y is 'x' of type str; pass a pandas"),
    "four axes": (np.ones((2, 2, 2, 2)), "of type ndarray; pass a pandas"),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_are_none_are_refused_in_a_sentence(case):
    y, message = ROWS[case]
    with pytest.raises((TypeError, ValueError), match=message) as error:
        make().fit(y)
    assert len(str(error.value)) < 500


def test_advice_for_a_long_frame_works():
    assert len(make().fit(LONG.set_index(["unique_id", "ds"])).predict()) == 4


def test_a_table_of_polars_with_dates_is_told_to_become_one_with_an_index():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"date": DAYS.to_pydatetime().tolist(), "y": VALUES})
    with pytest.raises(
        TypeError, match=r"\['date'\] of y.*y.to_pandas\(\).set_index\(\['date'\]\)"
    ):
        make().fit(table)


COVARIATES = {
    "dates for integers": pd.date_range("2024", periods=10),
    "differences": pd.to_timedelta(range(10), "D"),
    "periods": pd.period_range("2024", periods=10, freq="D"),
    "words": list("abcdefghij"),
}


@pytest.mark.parametrize("case", COVARIATES)
def test_rows_of_X_with_another_kind_of_index_are_refused(case):
    y = 0.1 * COUNTED + X["x"][:80]
    forecaster = make().fit(y, X=X[:80])
    ahead = X[80:].set_axis(COVARIATES[case])
    with pytest.raises(TypeError, match=r"X (has|is indexed by) "):
        forecaster.predict([1], X=ahead)
    if case in ("dates for integers", "periods"):
        with pytest.raises(TypeError, match=r"X has .*, but y has an integer index; pass X with"):
            forecaster.update(y[:10], X=ahead)
        with pytest.raises(TypeError, match="but y has an integer index"):
            make().fit(y[:10], X=ahead)


def test_unsigned_stamps_are_counted_like_signed_ones():
    y = COUNTED.set_axis(np.arange(80, dtype=np.uint64))
    forecast = make().fit(y).predict([1, 2])
    assert forecast.index.tolist() == [80, 81]
    np.testing.assert_array_equal(forecast, make().fit(COUNTED).predict([1, 2]))


@pytest.mark.parametrize("value", [0.0, 3.0, 1e300])
def test_a_constant_column_has_no_effect(value):
    constant = 0 * X + value
    forecaster = make().fit(COUNTED, X=constant[:80])
    assert forecaster.effects_ is None
    expected = make().fit(COUNTED).predict()
    pd.testing.assert_series_equal(forecaster.predict(X=constant[80:]), expected)


def test_columns_of_X_without_numbers_are_refused():
    with pytest.raises(
        ValueError, match=r"X has missing values in the columns \['x'\] at 80 stamps"
    ):
        make().fit(COUNTED, X=np.nan * X[:80])
    with pytest.raises(TypeError, match="column 'x' of X has the non-numeric"):
        make().fit(COUNTED, X=X[:80].astype(object))
    with pytest.raises(ValueError, match="X has no column; pass at least one, or X=None"):
        make().fit(COUNTED, X=X[[]][:80])


def test_components_of_no_history_are_told_to_have_no_effect():
    with pytest.warns(UserWarning, match=r"n_components=2 has no effect: .*reaches back 16 steps"):
        KLMemoryForecaster(12, n_components=2, period=1).fit(load_airline()[:60])


def test_components_without_a_share_are_told_to_have_no_effect():
    season = np.sin(np.arange(48) * np.pi / 6)
    rows = {f"{level:02}": pd.DataFrame({"y": level + season}) for level in range(20)}
    panel = pd.concat(rows, names=["series", "month"])
    forecasts = []
    for n_components in (1, 4):
        forecaster = KLMemoryForecaster(horizon=12, period=12, n_components=n_components)
        with pytest.warns(UserWarning, match=rf"n_components={n_components} has no effect: no map"):
            forecaster.fit(panel)
        assert forecaster.summary().components == 0
        forecasts.append(forecaster.predict())
    pd.testing.assert_frame_equal(*forecasts)


def test_searches_of_scikit_learn_are_told_which_one_to_use():
    message = re.compile("sktime's ForecastingGridSearchCV")
    with pytest.raises(TypeError, match=message):
        GridSearchCV(make(), {"period": [1]}).fit(COUNTED.to_frame(), COUNTED)


def test_infinite_covariates_are_not_to_be_marked_as_missing():
    index = pd.date_range("2024-01-01", periods=60)
    X = pd.DataFrame({"price": np.arange(60.0)}, index)
    X.iloc[5] = np.inf
    with pytest.raises(
        ValueError, match=r"X has 1 values that are not finite.*known numbers in their"
    ):
        KLMemoryForecaster(3).fit(pd.Series(np.arange(60.0), index), X=X)


def test_dates_of_rows_with_dates_are_another_column():
    index = pd.date_range("2024-01-01", periods=60)
    X = pd.DataFrame({"price": np.arange(60.0), "ordered": index}, index)
    with pytest.raises(TypeError, match="column 'ordered' of X has the non-numeric"):
        KLMemoryForecaster(3).fit(pd.Series(np.arange(60.0), index), X=X)


def test_columns_of_one_name_are_named():
    y = pd.DataFrame(np.ones((60, 3)), columns=["a", "b", "a"])
    with pytest.raises(TypeError, match="y has more than one column with the name 'a'; give each"):
        KLMemoryForecaster(3).fit(y)


CONTAINERS = {
    "frames": (
        [pd.DataFrame(RNG.normal(size=(30, 2))) for _ in range(6)],
        "a list of frames, whose",
    ),
    "unequal": ([RNG.normal(size=20 + n) for n in range(6)], "a list of series of unequal lengths"),
    "unequal rows": (
        [RNG.normal(size=20 + n).tolist() for n in range(6)],
        "a list of series of unequal lengths",
    ),
    "unequal channels": (
        [[[1.0] * 20, [2.0] * (20 + n)] for n in range(6)],
        "a list of series of unequal lengths",
    ),
    "nested": (
        pd.DataFrame({"x": [pd.Series(RNG.normal(size=20)) for _ in range(6)]}),
        "a frame of series in its cells",
    ),
    "indexed": (
        pd.DataFrame(
            {"x": RNG.normal(size=120)}, pd.MultiIndex.from_product([range(6), range(20)])
        ),
        "a frame indexed by series and time",
    ),
}


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize(
    ("estimator", "of_panels"),
    [
        (SpectralSSMClassifier(n_filters=32), "SpectralSSMPanelClassifier"),
        (SpectralSSMRegressor(n_filters=32), "SpectralSSMPanelRegressor"),
        (SpectralFeatures(n_filters=32), "SpectralPanelFeatures"),
    ],
)
def test_containers_of_sktime_are_for_the_estimators_of_panels(estimator, of_panels, kind):
    given, said = CONTAINERS[kind]
    with pytest.raises(TypeError, match=f"X is {said}.*fill .*or pass X to {of_panels}"):
        estimator.fit(given, np.tile([0, 1], 3))


def test_series_whose_squares_are_zero_are_refused():
    X = 1e-200 * RNG.normal(size=(8, 30))
    with pytest.raises(ValueError, match=r"no value of X is larger than .*e-200.*rescale"):
        SpectralSSMClassifier(n_filters=32).fit(X, np.tile([0, 1], 4))


def test_a_file_in_no_folder_is_refused_by_the_name_of_the_folder(tmp_path):
    forecaster = KLMemoryForecaster(4).fit(COUNTED)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none' for m\.safetensors"):
        forecaster.save(tmp_path / "none" / "m.safetensors")


@pytest.mark.parametrize("h", [0, 2.0])
def test_a_long_frame_is_forecast_for_a_whole_number_of_steps(h):
    df = pd.DataFrame({"unique_id": "a", "ds": DAYS, "y": VALUES})
    with pytest.raises((ValueError, TypeError), match=r"^h "):
        LongForecaster(KLMemoryForecaster(4)).fit(df).predict(h)


def test_quarters_written_on_months_are_warned_of():
    months = pd.period_range("2000-01", periods=120, freq="M")
    y = pd.Series(np.where(np.arange(120) % 3 == 1, 50.0 + np.arange(120), np.nan), months)
    with pytest.warns(UserWarning, match=r"y has values 3 rows apart alone.*y\.dropna\(\)"):
        KLMemoryForecaster(6).fit(y)
    panel = pd.concat({"a": y, "b": y, "c": y.interpolate().bfill()}, names=["shop", "month"])
    with pytest.warns(
        UserWarning, match="series 'a' of y and 1 other series have values 3 rows apart"
    ):
        KLMemoryForecaster(6).fit(panel.to_frame("y"))

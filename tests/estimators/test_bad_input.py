"""Every input that cannot be used is refused in one clear sentence, before anything changes."""

import warnings

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster


def make(**settings):
    return KLMemoryForecaster(**{"horizon": 6, "memory_depth": 30, "period": 24} | settings)


def with_value(y, value):
    y = y.copy()
    y.iloc[17, 1] = value
    return y


BAD_ROWS = {
    "no rows": (lambda y: y[:0], r"y has 0 rows and 2 columns; pass a series with at least two"),
    "no columns": (lambda y: y[[]], r"y has 100 rows and 0 columns"),
    "one row": (lambda y: y[:1], r"y has 1 row; at least 2 are needed"),
    "infinite": (
        lambda y: with_value(y, -np.inf),
        r"1 values that are not finite, the first \(infinite\) at 2024-01-01 17:00:00 in column "
        r"'heat'; mark them as missing.*replace",
    ),
    "no value": (
        lambda y: y.assign(heat=np.nan),
        r"column 'heat' of .*y \(1 in all\) has no value",
    ),
    "duplicate stamp": (
        lambda y: pd.concat([y[:10], y[9:]]),
        r"more than one row for 1 stamps: 2024-01-01 09:00:00; keep one row",
    ),
    "unsorted": (
        lambda y: y.iloc[[0, 1, 3, 2, *range(4, 100)]],
        r"not sorted by time: 2024-01-01 02:00:00 stands after 2024-01-01 03:00:00; pass y.sort",
    ),
    "gap": (
        lambda y: y.drop(y.index[[4, 50]]),
        r"no row for 2 stamps .*2024-01-01 04:00:00, 2024-01-03 02:00:00; add.*asfreq\('h'\)",
    ),
    "no step": (
        lambda y: y[:4].set_axis(
            pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-05 07:00", "2024-02-03 11:00"])
        ),
        r"has no regular step.*resample",
    ),
    "words": (lambda y: y.assign(heat="warm"), r"column 'heat' of y has the non-numeric.*to_num"),
    "categories": (
        lambda y: y.assign(heat=pd.Categorical(["a", "b"] * 50)),
        r"column 'heat' .* categorical type category",
    ),
    "complex": (lambda y: y.astype({"heat": complex}), r"column 'heat' .* type complex128"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_rows_that_cannot_be_learned_from_are_refused(case, hourly, state_of):
    spoil, message = BAD_ROWS[case]
    for forecaster in (make(), make().fit(hourly)):
        before = state_of(forecaster)
        with pytest.raises((ValueError, TypeError), match=message):
            forecaster.fit(spoil(hourly[:100]))
        assert state_of(forecaster) == before


@pytest.mark.parametrize(
    "case", [case for case in BAD_ROWS if case not in ("no rows", "one row", "no value")]
)
def test_rows_that_cannot_be_taken_in_are_refused(case, hourly, state_of):
    spoil, _ = BAD_ROWS[case]
    forecaster = make().fit(hourly[:100])
    before = state_of(forecaster)
    new = spoil(hourly[:100])
    new = new.set_axis(new.index + pd.Timedelta("100h"))
    with pytest.raises((ValueError, TypeError)):
        forecaster.update(new)
    assert state_of(forecaster) == before


@pytest.mark.parametrize("case", ["infinite", "no value", "duplicate stamp", "gap", "unsorted"])
def test_the_series_of_a_panel_that_is_bad_is_named(case, hourly):
    spoil, _ = BAD_ROWS[case]
    panel = pd.concat({"a": hourly[:100], "b": spoil(hourly[:100])}, names=["site"])
    with pytest.raises(ValueError, match="series 'b' of y"):
        make().fit(panel)


BAD_PARAMETERS = {
    "horizon": [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError)],
    "input_length": [(0, ValueError), ("long", TypeError)],
    "memory_depth": [(-1, ValueError)],
    "period": [(0, ValueError)],
    "n_components": [(0, ValueError), (1.0, TypeError)],
    "memory": [("long", ValueError)],
    "encoder": [("lstn", ValueError)],
    "token_mixer": [("sum", ValueError)],
    "dropout": [(1.0, ValueError), (-0.1, ValueError), (None, TypeError)],
    "validation_fraction": [(1.0, ValueError)],
    "lr": [(0, ValueError), (np.nan, ValueError)],
    "batch_size": [(0, ValueError)],
    "max_epochs": [(-1, ValueError)],
    "patience": [(0, ValueError)],
    "d_model": [(0, ValueError)],
    "d_ff": [(0, ValueError), (1.5, TypeError)],
    "lr_schedule": [("linear", ValueError)],
    "weight_decay": [(-0.1, ValueError), ("none", TypeError)],
    "loss": [("huber", ValueError)],
}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [(name, *case) for name, cases in BAD_PARAMETERS.items() for case in cases],
)
def test_parameters_out_of_range_are_refused_by_name(name, value, error, hourly):
    with pytest.raises(error, match=rf"{name} is .*; pass "):
        make(**{name: value}).fit(hourly[:100])


def test_parameters_that_contradict_each_other_are_refused(hourly):
    with pytest.raises(ValueError, match=r"memory_depth=30 is less than input_length=40"):
        make(input_length=40).fit(hourly)
    with pytest.raises(ValueError, match=r"memory='trajectory'.*pass another encoder"):
        make(memory="trajectory").fit(hourly)
    with pytest.raises(ValueError, match=r"d_model=10 cannot be shared among n_heads=4"):
        make(encoder="transformer", d_model=10).fit(hourly)


def test_other_columns_than_those_of_fit_are_refused(hourly):
    forecaster = make().fit(hourly[:300])
    new = hourly[300:310]
    for columns in (["heat", "load"], ["load"]):
        with pytest.raises(ValueError, match=r"columns .* fitted on \['load', 'heat'\]; pass the"):
            forecaster.update(new[columns])
        with pytest.raises(ValueError, match=r"columns .* fitted on \['load', 'heat'\]; pass the"):
            forecaster.predict_windows(hourly[columns], [300])
    with pytest.raises(ValueError, match="y has 1 channels, but the net was made for 2"):
        forecaster.predict_windows(hourly["load"].to_numpy(), [300])


def test_new_rows_that_leave_a_gap_are_refused_with_the_missing_stamps(hourly):
    forecaster = make().fit(hourly[:300])
    with pytest.raises(ValueError, match=r"known and new rows together.*no row for 2 stamps"):
        forecaster.update(hourly[302:310])


def test_new_rows_with_another_kind_of_index_are_refused(hourly):
    forecaster = make().fit(hourly[:300])
    new = hourly[300:310]
    for index in (range(300, 310), new.index.tz_localize("UTC"), new.index.to_period("h")):
        with pytest.raises(TypeError, match="the known rows a DatetimeIndex without time zone"):
            forecaster.update(new.set_axis(index))


def test_series_that_fit_has_not_seen_are_refused(panel):
    forecaster = make().fit(panel)
    with pytest.raises(
        ValueError, match="1 series that fit has not seen, the first one series 'd'"
    ):
        forecaster.update(pd.concat({"d": panel.loc["a"]}, names=["site"]))


def test_cutoffs_outside_the_series_are_refused(hourly):
    forecaster = make().fit(hourly[:300])
    for cutoffs in ([0], [401], [5, -1]):
        with pytest.raises(ValueError, match=r"must lie in 1 \.\. 400"):
            forecaster.predict_windows(hourly, cutoffs)
    for cutoffs in ([1.5], 300, [[300]]):
        with pytest.raises(TypeError, match="pass a list of integer positions"):
            forecaster.predict_windows(hourly, cutoffs)


def test_many_series_have_no_windows_of_one(panel, hourly):
    with pytest.raises(ValueError, match=r"forecasts one series, but .* fitted on 3"):
        make().fit(panel).predict_windows(hourly, [300])


def test_steps_at_or_before_the_cutoff_are_not_forecast(hourly):
    forecaster = make().fit(hourly[:300])
    with pytest.raises(NotImplementedError, match="in-sample"):
        forecaster.predict(fh=[0, 1])


def test_stamps_off_the_grid_are_not_forecast(hourly):
    forecaster = make().fit(hourly[:300])
    with pytest.raises(ValueError, match="not on the grid"):
        forecaster.predict(fh=hourly.index[[300]] + pd.Timedelta("30min"))


# --- what is repaired, with a warning that says to what


def test_a_series_shorter_than_its_window_shrinks_it(hourly):
    with pytest.warns(UserWarning, match=r"memory_depth=30 is more than the data allow; .*is used"):
        forecaster = make(horizon=3).fit(hourly[:20])
    assert forecaster.memory_depth_ < 20
    assert np.isfinite(forecaster.predict(fh=range(1, 10))).all(axis=None)


@pytest.mark.parametrize("rows", [2, 3, 4, 7])
def test_even_two_rows_give_a_forecast(hourly, rows):
    with pytest.warns(UserWarning, match="horizon=6 is too long"):
        forecaster = KLMemoryForecaster(horizon=6).fit(hourly[:rows])
    assert np.isfinite(forecaster.predict(fh=range(1, 10))).all(axis=None)


def test_more_components_than_there_are_are_reduced(hourly):
    with pytest.warns(UserWarning, match=r"n_components=500 is more than the data allow; n_comp"):
        forecaster = make(n_components=500, input_length=30, memory_depth=90).fit(hourly)
    assert forecaster.n_components_ < 500


@pytest.mark.parametrize("value", [0.0, 7.5, -1e6])
def test_a_constant_series_is_continued_without_a_warning(value):
    index = pd.date_range("2024-01-01", periods=200, freq="h")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forecast = (
            KLMemoryForecaster(horizon=6).fit(pd.Series(value, index)).predict(fh=range(1, 9))
        )
    np.testing.assert_allclose(forecast, value, rtol=1e-9)


def test_a_constant_channel_beside_a_moving_one_is_continued(hourly):
    forecast = make().fit(hourly.assign(flat=3.0)[:300]).predict(fh=range(1, 7))
    np.testing.assert_allclose(forecast["flat"], 3.0, rtol=1e-9)

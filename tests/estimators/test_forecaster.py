import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sktime.forecasting.base import ForecastingHorizon
from sktime.transformations.series.boxcox import LogTransformer

from klforecast.estimators.forecaster import KLMemoryForecaster

HORIZON = 12


def make(**settings):
    defaults = {"horizon": HORIZON, "input_length": 24, "memory_depth": 48, "period": 24}
    return KLMemoryForecaster(**defaults | settings)


@pytest.fixture(scope="module")
def fitted(hourly):
    return make().fit(hourly[:300])


@pytest.fixture(scope="module")
def core_alone(hourly):
    return make(local_experts=False).fit(hourly[:300])


def weights_of(forecaster):
    return {name: tensor.clone() for name, tensor in forecaster.net_.module_.state_dict().items()}


def same_weights(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


def nearly_same_weights(left, right):
    return left.keys() == right.keys() and all(
        torch.allclose(left[n], right[n], rtol=1e-5, atol=1e-6) for n in left
    )


# --- what can be asked for


@pytest.mark.parametrize("fh", [[1], [3], [2, 5], [5, 2], [12], list(range(1, 13))])
def test_any_subset_of_the_horizon_is_cut_from_the_same_forecast(fitted, fh):
    whole = fitted.predict(fh=range(1, HORIZON + 1))
    part = fitted.predict(fh=fh)
    assert part.index.equals(whole.index[np.sort(fh) - 1])
    np.testing.assert_array_equal(part, whole.iloc[np.sort(fh) - 1])


def test_relative_absolute_and_delta_horizons_mean_the_same(fitted, hourly):
    relative = fitted.predict(fh=[2, 7])
    stamps = hourly.index[[301, 306]]
    for fh in (
        ForecastingHorizon(stamps, is_relative=False),
        ForecastingHorizon(pd.to_timedelta([2, 7], unit="h"), is_relative=True),
    ):
        pd.testing.assert_frame_equal(fitted.predict(fh=fh), relative)


def test_beyond_the_horizon_the_core_reads_its_own_forecasts(core_alone, hourly):
    far = core_alone.predict(fh=range(1, 3 * HORIZON))
    rows = hourly[:300].to_numpy()
    for _ in range(3):
        rows = np.concatenate([rows, core_alone.predict_windows(rows, [len(rows)])[0]])
    np.testing.assert_allclose(far, rows[300:-1], rtol=1e-10)


def test_fh_in_fit_changes_nothing_but_the_default_of_predict(fitted, hourly):
    early = make().fit(hourly[:300], fh=[1, 20])
    pd.testing.assert_frame_equal(early.predict(), fitted.predict(fh=[1, 20]), check_exact=True)


INDICES = {
    "integers": pd.RangeIndex(5, 305),
    "hours": pd.date_range("2024-01-01", periods=300, freq="h"),
    "hours without freq": pd.DatetimeIndex(
        list(pd.date_range("2024-01-01", periods=300, freq="h"))
    ),
    "time zone": pd.date_range("2024-03-30", periods=300, freq="h", tz="Europe/Berlin"),
    "days of a time zone": pd.date_range("2024-01-01", periods=300, freq="D", tz="Europe/Berlin"),
    "business days": pd.date_range("2020-01-01", periods=300, freq="B"),
    "month starts": pd.date_range("1990-01-01", periods=300, freq="MS"),
    "month ends": pd.date_range("1990-01-31", periods=300, freq="ME"),
    "two hours": pd.date_range("2024-01-01", periods=300, freq="2h"),
    "periods": pd.period_range("1990-01", periods=300, freq="M"),
}


@pytest.mark.parametrize("kind", INDICES)
def test_the_kind_of_index_changes_the_stamps_and_not_the_forecast(fitted, hourly, kind):
    index = INDICES[kind]
    forecaster = make().fit(hourly[:300].set_axis(index))
    forecast = forecaster.predict(fh=[1, 2, 14])
    np.testing.assert_array_equal(forecast, fitted.predict(fh=[1, 2, 14]))
    expected = ForecastingHorizon([1, 2, 14]).to_absolute_index(forecaster.cutoff)
    assert forecast.index.equals(expected)
    assert type(forecast.index) is type(expected)


@pytest.mark.parametrize("kind", INDICES)
def test_after_one_new_row_the_stamps_go_on(hourly, kind):
    index = INDICES[kind]
    y = hourly[:300].set_axis(index)
    forecaster = make().fit(y[:-1])
    # One row alone does not tell the step of its index.
    last = pd.DataFrame(y[-1:].to_numpy(), index=type(index)(index[-1:]), columns=y.columns)
    forecaster.update(last, update_params=False)
    assert (
        forecaster.predict(fh=[1]).index[0]
        == (ForecastingHorizon([2]).to_absolute_index(make().fit(y[:-1]).cutoff)[0])
    )


def test_columns_names_and_containers_come_back_as_they_went_in(hourly):
    y = hourly["load"][:200].rename_axis("when")
    series = make().fit(y).predict(fh=[1, 2])
    assert isinstance(series, pd.Series)
    assert (series.name, series.index.name) == ("load", "when")
    array = make().fit(y.to_numpy()).predict(fh=[1, 2])
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array.ravel(), series)
    counts = make().fit(y.round().astype("Int64")).predict(fh=[1])
    assert counts.dtype == np.float64


def test_rows_of_an_array_follow_the_known_rows(hourly):
    values = hourly.to_numpy()
    forecaster = make().fit(values[:300])
    forecaster.update(values[300:310], update_params=False)
    assert forecaster.cutoff[0] == 309
    np.testing.assert_array_equal(
        forecaster.predict(fh=range(1, HORIZON + 1)), forecaster.predict_windows(values, [310])[0]
    )


# --- many cutoffs at once


def test_predict_and_predict_windows_agree_bit_for_bit(fitted, hourly):
    windows = fitted.predict_windows(hourly[:300], [300])
    np.testing.assert_array_equal(windows[0], fitted.predict(fh=range(1, HORIZON + 1)))
    assert windows.dtype == np.float64


def test_windows_of_arrays_and_frames_are_the_same(fitted, hourly):
    cutoffs = [100, 50, 400]
    np.testing.assert_array_equal(
        fitted.predict_windows(hourly, cutoffs),
        fitted.predict_windows(hourly.to_numpy(), np.array(cutoffs)),
    )
    assert fitted.predict_windows(hourly, []).shape == (0, HORIZON, 2)


def test_before_an_early_cutoff_the_core_reads_the_first_cycle_again(core_alone, hourly):
    early = core_alone.predict_windows(hourly, [30])
    repeated = pd.concat([hourly[:24], hourly[:24], hourly[:30]]).to_numpy()[-48:]
    np.testing.assert_allclose(early, core_alone.predict_windows(repeated, [48]), rtol=1e-12)


def test_a_horizon_that_was_shortened_is_reached_by_recursion(hourly):
    with pytest.warns(UserWarning, match=r"horizon=12 is too long for 30 rows.* 10 steps"):
        forecaster = make(memory_depth=None, input_length=None).fit(hourly[:30])
    assert forecaster.horizon_ == 10
    assert forecaster.predict_windows(hourly[:30], [30]).shape == (1, 12, 2)


def test_units_come_back_whatever_they_are(core_alone, hourly):
    factor, shift = np.array([1e3, -2e-4]), np.array([-5.0, 7.0])
    other = make(local_experts=False).fit(hourly[:300] * factor + shift)
    np.testing.assert_allclose(
        other.predict(fh=range(1, 13)),
        core_alone.predict(fh=range(1, 13)) * factor + shift,
        rtol=1e-6,
    )


def test_a_unit_that_is_a_factor_comes_back_from_local_experts_too(fitted, hourly):
    # Their logarithms and seasonal factors know where zero is, and which side is up.
    other = make().fit(hourly[:300] * 1000)
    np.testing.assert_allclose(
        other.predict(fh=range(1, 13)), fitted.predict(fh=range(1, 13)) * 1000, rtol=1e-5
    )


def test_a_wave_without_noise_is_continued():
    wave = np.sin(2 * np.pi * np.arange(300) / 24)
    forecast = make().fit(pd.Series(wave[:250])).predict(fh=range(1, 13))
    np.testing.assert_allclose(forecast, wave[250:262], atol=0.1)


# --- panels and hierarchies


def test_a_panel_has_one_net_and_each_series_its_own_cutoff(panel):
    forecaster = make().fit(panel)
    forecast = forecaster.predict(fh=[1, 13])
    assert forecast.index.names == ["site", "time"]
    for site in "abc":
        last = panel.loc[site].index[-1]
        assert list(forecast.loc[site].index) == [last + pd.Timedelta(f"{n}h") for n in (1, 13)]
    assert set(forecaster.scalers_) == {("a",), ("b",), ("c",)}


def test_one_stamp_lies_at_different_steps_for_series_with_different_cutoffs(panel):
    forecaster = make().fit(panel)
    last = panel.loc["a"].index[-1]
    stamp = last + pd.Timedelta("2h")
    forecast = forecaster.predict(
        fh=ForecastingHorizon(pd.DatetimeIndex([stamp]), is_relative=False)
    )
    for site in "abc":
        steps = int((stamp - panel.loc[site].index[-1]) / pd.Timedelta("1h"))
        alone = forecaster.predict(fh=[steps]).loc[site]
        pd.testing.assert_frame_equal(forecast.loc[site], alone, check_freq=False)


def test_rows_of_a_panel_may_come_interleaved(panel):
    shuffled = panel.sort_index(level="time", kind="stable")
    # sktime wants the rows sorted by series; ours must not depend on how they were stored.
    np.testing.assert_array_equal(
        make().fit(panel).predict(fh=[1, 2]), make().fit(shuffled.sort_index()).predict(fh=[1, 2])
    )


def test_a_hierarchy_is_forecast_like_the_panel_of_its_leaves(panel):
    hierarchy = pd.concat({"north": panel}, names=["region"])
    forecast = make().fit(hierarchy).predict(fh=[1, 2])
    assert forecast.index.names == ["region", "site", "time"]
    np.testing.assert_array_equal(forecast, make().fit(panel).predict(fh=[1, 2]))


def test_a_series_of_a_panel_counts_by_its_change_and_not_by_its_size(hourly):
    steady = hourly.iloc[:300]
    # The same series on a level that wanders far: its deviation is larger, its changes are not.
    wandering = steady + 100 * np.sin(np.arange(300) / 100)[:, None]
    panel = pd.concat({"steady": steady, "wandering": wandering}, names=["series"])
    forecaster = make().fit(panel)
    assert forecaster.scale_lag_ == HORIZON
    assert make().fit(steady).scale_lag_ is None
    units = {key: scaler.scale for key, scaler in forecaster.scalers_.items()}
    change = np.sqrt((steady.diff(HORIZON) ** 2).mean())
    np.testing.assert_allclose(units["steady",], change, rtol=1e-10)
    assert units["wandering",][0] < wandering["load"].std() / 2


def test_the_other_series_matter_through_the_weights_only(panel):
    forecaster = make().fit(panel)
    before = forecaster.predict(fh=[1, 2])
    more = pd.concat({"b": panel.loc["a"][250:260].pipe(lambda rows: 3 * rows)}, names=["site"])
    forecaster.update(more.rename_axis(["site", "time"]), update_params=False)
    after = forecaster.predict(fh=[1, 2])
    for site in "ac":
        np.testing.assert_array_equal(after.loc[site], before.loc[site])
    assert after.loc["b"].index[0] > before.loc["b"].index[0]
    assert forecaster.cutoff[0] == panel.loc["a"].index[-1]


def test_a_container_of_many_series_is_taken_in_any_form(panel):
    frames = [panel.loc[site].reset_index(drop=True) for site in "abc"]
    forecasts = make().fit(frames).predict(fh=[1])
    assert len(forecasts) == 3
    equal = np.stack([frame[:80].to_numpy().T for frame in frames])
    forecaster = make(input_length=8, memory_depth=16).fit(equal)
    forecaster.update(equal[:, :, :5], update_params=False)
    assert forecaster.cutoff[0] == 84


# --- new rows


def test_new_rows_move_the_context_and_nothing_else(fitted, hourly):
    forecaster = make().fit(hourly[:300])
    before, scaler = weights_of(forecaster), forecaster.scalers_[()]
    forecaster.update(hourly[300:317], update_params=False)
    assert same_weights(weights_of(forecaster), before)
    assert forecaster.scalers_[()] is scaler
    np.testing.assert_array_equal(
        forecaster.predict(fh=range(1, 13)), fitted.predict_windows(hourly, [317])[0]
    )


def test_learning_from_new_rows_equals_a_fit_to_all_rows(hourly):
    updated = make().fit(hourly[:300]).update(hourly[300:350])
    anew = make().fit(hourly[:350])
    assert nearly_same_weights(weights_of(updated), weights_of(anew))
    np.testing.assert_allclose(updated.predict(fh=[1, 5]), anew.predict(fh=[1, 5]), rtol=1e-9)


def test_rows_that_were_taken_in_before_are_learned_by_the_next_update(hourly):
    forecaster = make().fit(hourly[:300]).update(hourly[300:320], update_params=False)
    forecaster.update(hourly[320:350], update_params=True)
    assert nearly_same_weights(weights_of(forecaster), weights_of(make().fit(hourly[:350])))


def test_rows_given_twice_count_once_and_the_later_value_counts(fitted, hourly):
    forecaster = make().fit(hourly[:300])
    corrected = hourly[:310].copy()
    corrected.iloc[295] += 1
    forecaster.update(corrected[290:310], update_params=False)
    np.testing.assert_array_equal(
        forecaster.predict(fh=range(1, 13)), fitted.predict_windows(corrected, [310])[0]
    )


def test_a_cutoff_moved_back_reads_nothing_later(fitted, hourly):
    forecaster = make().fit(hourly[:300])
    forecaster.update(hourly[100:120], update_params=False)
    forecast = forecaster.predict(fh=range(1, 13))
    assert forecast.index[0] == hourly.index[120]
    np.testing.assert_array_equal(forecast, fitted.predict_windows(hourly, [120])[0])


def test_update_predict_gives_the_forecasts_of_the_frozen_model(fitted, hourly):
    from sktime.split import SlidingWindowSplitter

    cv = SlidingWindowSplitter(fh=[1], window_length=10, step_length=5)
    rolled = fitted.update_predict(hourly[300:350], cv, update_params=False)
    cutoffs = np.arange(310, 350, 5)
    expected = fitted.predict_windows(hourly, cutoffs)[:, 0]
    np.testing.assert_allclose(rolled.loc[hourly.index[cutoffs]], expected, rtol=1e-12)
    assert fitted.cutoff[0] == hourly.index[299]


# --- pretraining


def test_fit_reads_pretrained_weights_and_does_not_change_them(panel, hourly):
    forecaster = make().pretrain(panel)
    weights = weights_of(forecaster)
    forecaster.fit(hourly[:200])
    assert same_weights(weights_of(forecaster), weights)
    first = forecaster.predict(fh=[1, 2])
    forecaster.update(hourly[200:220], update_params=True)
    assert same_weights(weights_of(forecaster), weights)
    np.testing.assert_array_equal(forecaster.fit(hourly[:200]).predict(fh=[1, 2]), first)
    np.testing.assert_array_equal(forecaster.fit_predict(hourly[:200], fh=[1, 2]), first)


def test_pretrained_weights_survive_clone_and_pickle(panel, hourly):
    forecaster = make().pretrain(panel)
    expected = make().pretrain(panel).fit(hourly[:200]).predict(fh=[1])
    for copy in (forecaster.clone(), pickle.loads(pickle.dumps(forecaster))):
        assert copy.state == "pretrained"
        np.testing.assert_array_equal(copy.fit(hourly[:200]).predict(fh=[1]), expected)


def test_a_second_pretraining_learns_from_both_panels(panel):
    parts = panel.loc[["a"]], panel.loc[["b", "c"]]
    twice = make().pretrain(parts[0]).pretrain(parts[1])
    assert same_weights(weights_of(twice), weights_of(make().pretrain(panel)))


def test_pretraining_after_a_mere_fit_starts_from_nothing(panel, hourly):
    forecaster = make().fit(hourly[:200]).pretrain(panel)
    assert same_weights(weights_of(forecaster), weights_of(make().pretrain(panel)))
    assert same_weights(weights_of(forecaster.clone().fit(hourly[:90])), weights_of(forecaster))


def test_a_series_with_other_channels_than_the_pretrained_ones_is_refused(panel, hourly):
    forecaster = make().pretrain(panel)
    with pytest.raises(ValueError, match="y has 1 channels, but the net was made for 2"):
        forecaster.fit(hourly[["load"]])
    assert forecaster.state == "pretrained"


# --- what is left behind


def test_a_pickle_is_not_much_larger_than_the_rows_the_weights_and_the_scores(fitted):
    weights = sum(t.numel() * 8 for t in fitted.net_.module_.state_dict().values())
    scores = fitted.calibration_.scores.numel() * 4
    assert len(pickle.dumps(fitted)) < weights + scores + 300 * 2 * 8 + 40_000


def test_what_was_chosen_from_the_data_is_reported(hourly):
    forecaster = KLMemoryForecaster(horizon=12).fit(hourly)
    params = forecaster.get_fitted_params(deep=False)
    for name in ("horizon", "memory_depth", "input_length", "period", "n_components"):
        assert isinstance(params[name], int), name
    assert params["period"] == 24


@pytest.mark.filterwarnings("ignore:The default of config ``remember_data``:FutureWarning")
def test_it_works_inside_an_sktime_pipeline(hourly):
    pipeline = LogTransformer() * make()
    forecast = pipeline.fit(hourly[:300]).predict(fh=[1, 2])
    expected = np.exp(make().fit(np.log(hourly[:300])).predict(fh=[1, 2]))
    np.testing.assert_allclose(forecast, expected)

import numpy as np
import pandas as pd
import pytest
import torch
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.reconcile import ReconcilerForecaster
from sktime.forecasting.trend import TrendForecaster
from sktime.transformations.hierarchical.aggregate import Aggregator
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from klforecast import KLMemoryForecaster, ReconciledForecaster
from klforecast.estimators.hierarchies.held_out import choose_windows
from klforecast.estimators.hierarchies.nodes import TOTAL
from klforecast.estimators.hierarchies.reconciling import METHODS
from klforecast.ops.reconciliation import fit_projection, reconcile
from klforecast.ops.shrunk_covariance import shrunk_covariance

STEPS = range(1, 7)

# Those of sktime warn of a default that will change.
pytestmark = pytest.mark.filterwarnings("ignore:The default of config ``remember_data``")


def light():
    return KLMemoryForecaster(6, local_experts=False)


@pytest.fixture(scope="module")
def fitted(shops):
    return ReconciledForecaster(light(), n_paths=4000, random_state=0).fit(shops)


def gap_of_total(forecast):
    """Largest difference of the total and the sum of the bottom series, by what is left of the index."""
    labels = [forecast.index.get_level_values(name) for name in ("region", "shop")]
    whole = (labels[0] == TOTAL) & (labels[1] == TOTAL)
    bottom = (labels[0] != TOTAL) & (labels[1] != TOTAL)
    rest = [name for name in forecast.index.names if name not in ("region", "shop")]
    sums = forecast[bottom].groupby(level=rest).sum()
    gap = sums.to_numpy() - forecast[whole].groupby(level=rest).sum().to_numpy()
    return np.abs(gap).max() / np.abs(sums.to_numpy()).max()


@pytest.mark.parametrize("method", METHODS)
def test_forecasts_of_every_method_add_up(method, shops):
    forecast = ReconciledForecaster(light(), method=method).fit(shops).predict(STEPS)
    assert len(forecast) == 6 * (6 + 3)
    assert gap_of_total(forecast) < 1e-12


def test_the_forecast_is_the_projection_of_base_forecasts_by_held_out_errors(fitted, shops):
    y = Aggregator().fit_transform(shops)
    windows = choose_windows(60, 6)
    assert windows == (6, 2, 6)
    nodes, errors = fitted.nodes_, []
    for left in windows.left:
        month = y.index.get_level_values(-1)
        months = month.unique()
        known = y[month <= months[-left - 1]]
        if not errors:
            base = light().fit(known)
        else:
            base.update(known, update_params=False)
        made = base.predict(STEPS)
        gap = (y.loc[made.index] - made)["sales"].unstack()
        errors.append(gap.loc[nodes.keys].to_numpy().T)
    covariance = shrunk_covariance(torch.tensor(np.concatenate(errors)))
    base = light().fit(y).predict(STEPS)["sales"].unstack().loc[nodes.keys].to_numpy()
    expected = reconcile(
        fit_projection(nodes.hierarchy, covariance), nodes.hierarchy, torch.tensor(base)
    )
    found = fitted.predict(STEPS)["sales"].unstack().loc[nodes.keys].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.filterwarnings("ignore:Found elements in the index of X named '__total'")
@pytest.mark.parametrize("method", ["bu", "ols", "wls_str"])
def test_without_errors_to_weigh_it_is_what_sktime_makes_of_the_same_forecasts(method, shops):
    base = NaiveForecaster("last")
    ours = ReconciledForecaster(base, method=method).fit(shops).predict([1, 2, 3])
    theirs = ReconcilerForecaster(base, method=method).fit(shops).predict([1, 2, 3])
    pd.testing.assert_frame_equal(ours.sort_index(), theirs.sort_index(), check_names=False)


def test_top_down_shares_are_those_of_the_past(shops):
    forecast = ReconciledForecaster(light(), method="td_share").fit(shops).predict([1])["sales"]
    means = shops["sales"].groupby(level=[0, 1]).mean()
    shares = forecast / forecast.loc[(TOTAL, TOTAL)].iloc[0]
    for key, mean in means.items():
        assert shares.loc[key].iloc[0] == pytest.approx(mean / means.sum())


def test_every_path_adds_up_and_has_the_quantiles_of_the_intervals(fitted):
    paths = fitted.simulate(STEPS, n_paths=4000, random_state=1)
    assert gap_of_total(paths) < 1e-12
    spread = paths["sales"].groupby(level=[1, 2, 3], sort=False).quantile([0.1, 0.9]).unstack()
    quantiles = fitted.predict_quantiles(STEPS, alpha=[0.1, 0.9])["sales"]
    width = quantiles[0.9] - quantiles[0.1]
    off = (spread.loc[quantiles.index].to_numpy() - quantiles.to_numpy()) / width.to_numpy()[
        :, None
    ]
    assert np.abs(off).max() < 0.08


def test_paths_repeat_with_their_seed_and_intervals_without_one(shops):
    forecaster = ReconciledForecaster(light(), n_paths=50).fit(shops)
    first, second = (forecaster.simulate([1], n_paths=5, random_state=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    first, second = (forecaster.predict_interval([1]) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_totals_vary_as_much_as_nodes_that_have_their_errors_in_common(shops):
    """Twice the same series has a total of twice the spread, not of its root."""
    one = shops.xs(("n", "a"))
    twins = pd.concat({("n", "a"): one, ("n", "b"): one}, names=["region", "shop"])
    forecaster = ReconciledForecaster(light(), random_state=0).fit(twins)
    wide = forecaster.predict_interval([1], coverage=0.8).to_numpy()
    width = wide[:, 1] - wide[:, 0]
    assert width[0] == pytest.approx(2 * width[1], rel=1e-6)


@pytest.mark.parametrize("return_totals", [True, False])
def test_totals_come_back_where_they_are_asked_for(return_totals, shops):
    forecaster = ReconciledForecaster(light(), method="bu", return_totals=return_totals).fit(shops)
    for forecast in (forecaster.predict([1]), forecaster.predict_interval([1])):
        assert len(forecast) == (9 if return_totals else 6)


def test_totals_that_are_passed_change_nothing(fitted, shops):
    given = ReconciledForecaster(light()).fit(Aggregator().fit_transform(shops))
    forecast = fitted.predict(STEPS).sort_index()
    pd.testing.assert_frame_equal(given.predict(STEPS).sort_index(), forecast)


def test_crossed_totals_add_up_both_ways(shops):
    forecast = ReconciledForecaster(light(), crossed=True).fit(shops).predict([1])["sales"]
    kinds = forecast.loc[TOTAL].drop(TOTAL, level=0)
    assert list(kinds.index.get_level_values(0)) == ["a", "b"]
    assert kinds.sum() + forecast.loc[("n", "c")].sum() == pytest.approx(
        forecast.loc[(TOTAL, TOTAL)].sum()
    )


def test_labels_that_are_numbers_come_back_as_they_are(fitted, shops):
    numbers = {"n": 1, "s": 2, "w": 3, "a": 10, "b": 11, "c": 12}
    forecast = ReconciledForecaster(light()).fit(shops.rename(index=numbers)).predict([1])["sales"]
    assert forecast.index[0][:2] == (TOTAL, TOTAL)
    expected = fitted.predict([1])["sales"]
    for name in [("n", "b"), ("w", "a")]:
        found = forecast[forecast.index.droplevel(-1) == tuple(numbers[part] for part in name)]
        assert found.iloc[0] == pytest.approx(expected.loc[name].iloc[0])


def test_channels_are_reconciled_each_by_itself(fitted, shops):
    both = shops.assign(visits=3 * shops["sales"].to_numpy()[::-1])
    forecast = ReconciledForecaster(light()).fit(both).predict(STEPS)
    assert gap_of_total(forecast[["visits"]]) < 1e-12
    assert forecast.shape == (54, 2)


def test_series_above_zero_are_not_forecast_below_it():
    rng = np.random.default_rng(1)
    days = pd.RangeIndex(60)
    rare = (rng.random(60) < 0.1) * 1.0
    parts = {"a": rare, "b": rare[::-1].copy(), "c": 50 - np.arange(60) * 0.8}
    y = pd.concat(
        {key: pd.DataFrame({"y": v}, days) for key, v in parts.items()}, names=["id", "t"]
    )
    forecaster = ReconciledForecaster(TrendForecaster(), method="ols").fit(y)
    plain = TrendForecaster().fit(y.loc["c"]).predict([10])
    forecast = forecaster.predict([10])["y"]
    assert plain.to_numpy().min() < 0
    assert (forecast >= 0).all()
    assert forecast.loc[TOTAL].iloc[0] == pytest.approx(forecast.drop(TOTAL, level=0).sum())


def test_new_rows_of_the_bottom_series_move_all_nodes_on(shops):
    month = shops.index.get_level_values(-1)
    first, rest = shops[month <= "2019-06"], shops[month > "2019-06"]
    forecaster = ReconciledForecaster(light()).fit(first).update(rest, update_params=False)
    assert forecaster.cutoff[0] == pd.Period("2019-12", "M")
    forecast = forecaster.predict([1])
    assert gap_of_total(forecast) < 1e-12
    assert set(forecast.index.get_level_values(-1)) == {pd.Period("2020-01", "M")}


def test_a_single_series_is_forecast_as_it_is(shops):
    y = shops.xs(("n", "a"))["sales"]
    forecast = ReconciledForecaster(light()).fit(y).predict(STEPS)
    pd.testing.assert_series_equal(forecast, light().fit(y).predict(STEPS))


def test_covariates_of_the_bottom_series_reach_the_totals(shops):
    rng = np.random.default_rng(2)
    campaign = (rng.random(66) < 0.3) * 1.0
    months = pd.period_range("2015-01", periods=66, freq="M")
    keys = shops.index.droplevel(-1).unique()
    X = pd.concat(
        {key: pd.DataFrame({"campaign": campaign}, months) for key in keys}, names=shops.index.names
    )
    y = shops["sales"] * (1 + X["campaign"].reindex(shops.index))
    future = X[X.index.get_level_values(-1) > "2019-12"]
    forecaster = ReconciledForecaster(light()).fit(y.to_frame(), X=X.loc[shops.index])
    forecast = forecaster.predict(STEPS, X=future)
    total = forecast.iloc[:, 0].loc[(TOTAL, TOTAL)].to_numpy()
    on = campaign[60:] > 0
    assert on.any()
    assert total[on].min() > 1.3 * total[~on].max()
    assert gap_of_total(forecast) < 1e-12


def test_a_file_without_code_holds_it(fitted, tmp_path):
    fitted.save(tmp_path / "shops.safetensors")
    again = ReconciledForecaster.load(tmp_path / "shops.safetensors")
    pd.testing.assert_frame_equal(again.predict(STEPS), fitted.predict(STEPS))
    pd.testing.assert_frame_equal(again.predict_interval(STEPS), fitted.predict_interval(STEPS))


def test_a_forecaster_without_quantiles_has_forecasts_and_no_intervals(shops):
    base = NaiveForecaster("last")
    base.set_tags(**{"capability:pred_int": False})
    forecaster = ReconciledForecaster(base, method="ols").fit(shops)
    assert gap_of_total(forecaster.predict([1])) < 1e-12


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"method": "mint"}, "method"),
        ({"forecaster": 3}, "pass a forecaster of sktime, or None"),
        ({"n_paths": 1}, "n_paths"),
        ({"crossed": 1}, "crossed"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(parameters, said, shops):
    with pytest.raises((TypeError, ValueError), match=said):
        ReconciledForecaster(**({"forecaster": light()} | parameters)).fit(shops)


def test_rows_of_a_series_that_fit_has_not_seen_are_refused(fitted, shops):
    before = fitted.predict([1])
    new = shops.rename(index={"w": "x"}, level=0)
    with pytest.raises(ValueError, match=r"\('x', 'a'\) was not in y of fit"):
        fitted.update(new)
    pd.testing.assert_frame_equal(fitted.predict([1]), before)


@pytest.mark.filterwarnings("ignore:.*is too long for:UserWarning")
@pytest.mark.filterwarnings("ignore:.*more than the data allow:UserWarning")
@pytest.mark.filterwarnings("ignore:X has no row at .* steps between those of fh:UserWarning")
@pytest.mark.filterwarnings("ignore:column .* of X runs from:UserWarning")
@pytest.mark.filterwarnings("ignore:Sorting by default when concatenating all DatetimeIndex")
@pytest.mark.filterwarnings("ignore::klforecast.exceptions.NumericalWarning")
@parametrize_with_checks([ReconciledForecaster])
def test_sktime_finds_nothing_to_object_to(obj, test_name):
    if test_name == "test_fh_not_passed_error_handling":
        pytest.skip("sktime wants a ValueError of predict() without fh; it forecasts one horizon")
    check_estimator(obj, tests_to_run=test_name, raise_exceptions=True, verbose=False)

import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.studies.interval_drift import panels
from klforecast.exceptions import KLForecastError
from klforecast.ops.adaptive_levels import GRID

LINEAR = {"horizon": 6, "input_length": 12, "memory_depth": 36, "period": 12, "random_state": 0}
TINY = {"encoder": "transformer", "d_model": 4, "n_layers": 1, "n_heads": 1, "max_epochs": 1}
FH = [1, 3, 6, 9]
ALPHA = [0.9, 0.1, 0.5, 0.01]


@pytest.fixture(scope="module")
def forecaster(hourly):
    return KLMemoryForecaster(**LINEAR).fit(hourly[:300])


@pytest.fixture(scope="module")
def of_panel(panel):
    return KLMemoryForecaster(**LINEAR).fit(panel)


def noisy(rows, seed=0, size=1.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"y": 5 * np.sin(np.arange(rows) * np.pi / 6) + size * rng.standard_normal(rows)}
    )


def check_layout(frame, columns, point):
    assert frame.columns.tolist() == [(name, level) for name in columns for level in ALPHA]
    pd.testing.assert_index_equal(frame.index, point.index)
    assert np.isfinite(frame.to_numpy()).all()


def test_quantiles_have_the_rows_of_the_forecast_and_a_column_for_channel_and_level(forecaster):
    frame = forecaster.predict_quantiles(fh=FH, alpha=ALPHA)
    check_layout(frame, ["load", "heat"], forecaster.predict(fh=FH))


def test_quantiles_of_a_panel_have_its_index_levels(of_panel):
    point = of_panel.predict(fh=FH)
    frame = of_panel.predict_quantiles(fh=FH, alpha=ALPHA)
    check_layout(frame, ["load", "heat"], point)
    interval = of_panel.predict_interval(fh=FH, coverage=0.9)
    assert (interval["load", 0.9, "lower"] < interval["load", 0.9, "upper"]).all()


@pytest.mark.parametrize("fixture", ["forecaster", "of_panel"])
def test_quantiles_do_not_cross(fixture, request):
    fitted = request.getfixturevalue(fixture)
    levels = np.linspace(0.002, 0.998, 60).tolist()
    frame = fitted.predict_quantiles(fh=range(1, 20), alpha=levels)
    for name in ("load", "heat"):
        assert (np.diff(frame[name].to_numpy(), axis=1) >= 0).all()


def test_windows_have_the_quantiles_of_predict(forecaster, hourly):
    frame = forecaster.predict_quantiles(fh=range(1, 7), alpha=ALPHA)
    windows = forecaster.predict_windows(hourly, [250, 300], alpha=ALPHA)
    assert windows.shape == (2, 6, 2, 4)
    np.testing.assert_allclose(windows[1].reshape(6, -1), frame, rtol=1e-9)


def test_quantiles_of_a_window_read_nothing_after_its_cutoff(forecaster, hourly):
    changed = hourly.copy()
    changed.iloc[310:] = 1e6
    clean = forecaster.predict_windows(hourly, [310, 390], alpha=ALPHA)
    np.testing.assert_array_equal(
        forecaster.predict_windows(changed, [310, 390], alpha=ALPHA)[0], clean[0]
    )


def test_quantiles_come_in_the_units_of_the_data(hourly):
    small = KLMemoryForecaster(**LINEAR).fit(hourly[:300])
    large = KLMemoryForecaster(**LINEAR).fit(1000 * hourly[:300] + 7)
    np.testing.assert_allclose(
        large.predict_quantiles(fh=FH, alpha=ALPHA),
        1000 * small.predict_quantiles(fh=FH, alpha=ALPHA) + 7,
        rtol=1e-6,
    )


def test_intervals_of_a_steady_series_cover_what_they_say():
    y = noisy(3000)
    fitted = KLMemoryForecaster(horizon=12, period=12).fit(y[:2000])
    cutoffs = np.arange(2000, 2989)
    truth = y.to_numpy()[cutoffs[:, None] + np.arange(12)]
    quantiles = fitted.predict_windows(y, cutoffs, alpha=[0.025, 0.1, 0.9, 0.975])
    lowest, low, high, highest = np.moveaxis(quantiles, -1, 0)
    assert abs(((low <= truth) & (truth <= high)).mean() - 0.8) < 0.03
    assert abs(((lowest <= truth) & (truth <= highest)).mean() - 0.95) < 0.03


def test_a_wild_past_widens_the_interval_where_that_helped_out_of_fold():
    y = noisy(2400)
    spells = np.where(np.arange(2400) // 200 % 2 == 0, 0.3, 3.0)
    noise = np.random.default_rng(1).standard_normal(2400)
    y["y"] = 5 * np.sin(np.arange(2400) * np.pi / 6) + spells * noise
    fitted = KLMemoryForecaster(6, period=12, memory_depth=48, local_experts=False).fit(y[:2000])
    calm, wild = np.diff(fitted.predict_windows(y, [2150, 2350], alpha=[0.1, 0.9]))[:, 0, 0, 0]
    assert calm < 0.5 * wild


def test_rows_that_are_told_by_their_phase_have_its_quantiles():
    # Clouds of each hour are drawn anew: nothing but the hour says how bright it will be.
    hours = np.arange(24 * 120)
    sun = np.maximum(0, np.sin((hours + 0.5) * np.pi / 12))
    clouds = np.random.default_rng(0).random(len(hours)) ** 3
    y = pd.DataFrame({"y": sun * clouds})
    fitted = KLMemoryForecaster(48, period=24).fit(y[: 24 * 100])
    assert (fitted.calibration_.phase_shares > 0.4).all()
    cutoffs = np.arange(24 * 100, 24 * 118, 7)
    found = fitted.predict_windows(y, cutoffs, alpha=[0.1, 0.5, 0.9])[:, :, 0]
    at = cutoffs[:, None] + np.arange(48)
    truth, night = y["y"].to_numpy()[at], sun[at] == 0
    asleep = np.isin(at % 24, np.arange(13, 23))
    assert np.abs(found[asleep]).max() < 0.05
    assert abs((truth <= found[..., 2])[~night].mean() - 0.9) < 0.04
    # The law is skewed, and so is its median: the mean of clouds is 1/4, their median 1/8.
    assert np.median(found[..., 1][~night] / sun[at][~night]) == pytest.approx(1 / 8, abs=0.06)


def test_limits_that_the_newest_rows_passed_too_often_are_read_further_out():
    y = next(panels("growth", 1))
    fitted = KLMemoryForecaster(24).fit(y[:773])
    levels = fitted._pool.levels
    assert (levels[GRID > 0.5] >= GRID[GRID > 0.5]).all()
    assert (levels[GRID < 0.5] <= GRID[GRID < 0.5]).all()
    assert levels[GRID == 0.5] == 0.5
    cutoffs = np.arange(773, 943, 24)
    truth = y.to_numpy()[cutoffs[:, None] + np.arange(24)]

    def coverage():
        low, high = np.moveaxis(fitted.predict_windows(y, cutoffs, alpha=[0.1, 0.9]), -1, 0)
        return ((low <= truth) & (truth <= high)).mean()

    after = coverage()
    fitted._pool = fitted._pool._replace(levels=None)
    assert after > coverage() + 0.03


def test_the_interval_beyond_the_horizon_is_no_narrower_than_at_its_end(forecaster):
    frame = forecaster.predict_interval(fh=range(6, 40), coverage=0.8)
    width = frame["load", 0.8, "upper"] - frame["load", 0.8, "lower"]
    assert (width.diff()[1:] >= -1e-12).all()


def test_every_way_to_ask_leaves_the_forecaster_as_it_was(forecaster, hourly, state_of):
    before = state_of(forecaster)
    forecaster.predict_quantiles(fh=FH, alpha=ALPHA)
    forecaster.predict_var(fh=FH)
    forecaster.predict_windows(hourly, [300], alpha=ALPHA)
    after = state_of(forecaster)
    changed = {path for path in before if before[path] != after.get(path)}
    assert not {path for path in changed if "_fh" not in path}


def test_the_variance_is_that_of_the_quantiles(forecaster):
    levels = ((np.arange(100) + 0.5) / 100).tolist()
    quantiles = forecaster.predict_quantiles(fh=FH, alpha=levels)["heat"]
    np.testing.assert_allclose(
        forecaster.predict_var(fh=FH)["heat"], quantiles.var(axis=1, ddof=0), rtol=1e-9
    )


def test_covariances_over_time_are_refused(forecaster):
    with pytest.raises(NotImplementedError, match="cov=False"):
        forecaster.predict_var(fh=FH, cov=True)


@pytest.mark.parametrize("fixture", ["forecaster", "of_panel"])
def test_the_distribution_has_the_quantiles_of_the_forecast(fixture, request):
    pytest.importorskip("skpro")
    fitted = request.getfixturevalue(fixture)
    distribution = fitted.predict_proba(fh=FH)
    wanted = fitted.predict_quantiles(fh=FH, alpha=[0.255, 0.745])
    for level in (0.255, 0.745):
        found = distribution.ppf(level - 0.001)
        np.testing.assert_allclose(found, wanted.xs(level, axis=1, level=1), rtol=1e-6)


@pytest.mark.parametrize("alpha", [[0.0, 0.5], [1.2], [np.nan], 0.5])
def test_levels_outside_of_the_unit_interval_are_refused(forecaster, hourly, alpha):
    with pytest.raises(ValueError, match="between 0 and 1"):
        forecaster.predict_windows(hourly, [300], alpha=alpha)


@pytest.mark.parametrize("linear_core", [True, False])
def test_the_transformer_has_intervals_from_its_validation_part(hourly, linear_core):
    fitted = KLMemoryForecaster(**LINEAR | TINY, linear_core=linear_core).fit(hourly[:300])
    frame = fitted.predict_quantiles(fh=FH, alpha=[0.1, 0.9])
    assert (frame["load", 0.1] < frame["load", 0.9]).all()
    # 60 rows validate: 55 windows, fewer than the out-of-fold windows of the core.
    assert len(fitted.calibration_.scores) <= 2 * 55


@pytest.mark.filterwarnings("ignore:.*is too long for:UserWarning")
@pytest.mark.filterwarnings("ignore:.*more than the data allow:UserWarning")
@pytest.mark.parametrize("rows", [2, 3, 5, 9, 20])
def test_the_shortest_series_have_finite_intervals(rows):
    fitted = KLMemoryForecaster(horizon=3).fit(noisy(rows))
    frame = fitted.predict_quantiles(fh=[1, 5], alpha=[0.025, 0.975])
    assert np.isfinite(frame.to_numpy()).all()
    assert (frame["y", 0.025] <= frame["y", 0.975]).all()


def test_a_short_series_of_a_panel_is_not_taken_for_calm():
    # Noise of many sizes, so that the scale helps.
    sizes = dict(zip("abcdefgh", [0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0], strict=True))
    series = {name: noisy(400, seed, sizes[name]) for seed, name in enumerate(sizes)}
    # 30 rows are continued by their own first cycle, which repeats without noise.
    panel = pd.concat(series | {"short": noisy(30, 9)}, names=["site", "time"])
    fitted = KLMemoryForecaster(horizon=6, period=12, memory_depth=240).fit(panel)
    assert fitted.calibration_.scale.exponents.any()
    frame = fitted.predict_interval(fh=[1], coverage=0.8)["y", 0.8]
    width = (frame["upper"] - frame["lower"]).droplevel(1)
    assert width["short"] > 0.7 * width["e"]


def test_without_errors_out_of_fold_there_is_one_clear_error(hourly):
    fitted = KLMemoryForecaster(**LINEAR).fit(hourly[:300])
    fitted.calibration_ = None
    with pytest.raises(KLForecastError, match="no errors out of fold"):
        fitted.predict_interval(fh=FH)
    fitted.update(hourly[300:320], update_params=False).predict(fh=FH)


class TestUpdate:
    @pytest.fixture
    def fitted(self):
        return KLMemoryForecaster(**LINEAR).fit(noisy(600))

    def new_rows(self, rows, size):
        calm, wild = noisy(600 + rows), noisy(600 + rows, size=size)
        return pd.concat([calm[:600], wild[600:]])[600:]

    def test_rows_move_the_levels_and_not_the_weights(self, fitted, state_of):
        before = state_of(fitted.net_)
        fitted.update(self.new_rows(30, 1.0), update_params=False)
        assert state_of(fitted.net_) == before
        assert not torch.equal(fitted._interval_levels.levels[()][0], GRID)

    def test_levels_wait_for_a_whole_horizon_after_the_fit(self, fitted):
        new = self.new_rows(6, 5.0)
        fitted.update(new[:5], update_params=False)
        assert torch.equal(fitted._interval_levels.levels[()][0], GRID)
        fitted.update(new[5:], update_params=False)
        assert not torch.equal(fitted._interval_levels.levels[()][0], GRID)

    def test_rows_one_by_one_move_the_levels_as_all_at_once(self, fitted):
        new, twin = self.new_rows(20, 2.0), pickle.loads(pickle.dumps(fitted))
        fitted.update(new, update_params=False)
        for row in range(20):
            twin.update(new[row : row + 1], update_params=False)
        torch.testing.assert_close(
            fitted._interval_levels.levels[()], twin._interval_levels.levels[()]
        )

    def test_rows_that_are_passed_twice_count_once(self, fitted):
        new = self.new_rows(30, 2.0)
        once = fitted.update(new, update_params=False)._interval_levels.levels[()]
        assert torch.equal(
            fitted.update(new[-12:], update_params=False)._interval_levels.levels[()], once
        )

    def test_intervals_widen_when_errors_grow(self, fitted):
        before = fitted.predict_windows(noisy(600), [600], alpha=[0.1, 0.9])
        fitted.update(self.new_rows(120, 4.0), update_params=False)
        after = fitted.predict_windows(noisy(600), [600], alpha=[0.1, 0.9])
        assert (np.diff(after) > 1.2 * np.diff(before)).all()

    @pytest.mark.parametrize("share", [0.6, 1.0])
    def test_the_quantiles_of_local_experts_follow_too(self, fitted, share):
        fitted._pool.share[:] = share
        before = fitted.predict_windows(noisy(600), [600], alpha=[0.1, 0.9])
        fitted.update(self.new_rows(120, 4.0), update_params=False)
        after = fitted.predict_windows(noisy(600), [600], alpha=[0.1, 0.9])
        assert (np.diff(after) > 1.2 * np.diff(before)).all()

    def test_levels_follow_the_errors_of_what_is_forecast(self, fitted):
        twin = pickle.loads(pickle.dumps(fitted))
        fitted._pool.share[:], twin._pool.share[:] = 0.0, 1.0
        model = twin._pool.model
        wide = model._replace(
            laws=np.array([[1.0, 0.0, 0.0, 0.0]]),
            errors=model.errors._replace(ratio=3 * model.errors.ratio),
        )
        twin._pool = twin._pool._replace(model=wide)
        for one in (fitted, twin):
            one.update(self.new_rows(120, 1.0), update_params=False)
        core, local = (one._interval_levels.levels[()][0] for one in (fitted, twin))
        # Too few lie beyond limits that are thrice as wide, whatever the core's would have held.
        assert local[-5] < min(core[-5], 0.88)
        assert local[4] > max(core[4], 0.12)

    def test_many_rows_at_once_move_the_levels_nearly_as_far_as_in_parts(self, fitted):
        new, twin = self.new_rows(300, 2.0), pickle.loads(pickle.dumps(fitted))
        fitted.update(new, update_params=False)
        for start in range(0, 300, 50):
            twin.update(new[start : start + 50], update_params=False)
        torch.testing.assert_close(
            fitted._interval_levels.levels[()], twin._interval_levels.levels[()], atol=0.02, rtol=0
        )

    def test_learning_online_renews_the_scores_and_keeps_the_levels(self, fitted):
        new, twin = self.new_rows(60, 4.0), pickle.loads(pickle.dumps(fitted))
        twin.update(new, update_params=False)
        before = fitted.calibration_.scores
        fitted.update(new, update_params=True)
        assert torch.equal(fitted._interval_levels.levels[()], twin._interval_levels.levels[()])
        assert not torch.equal(fitted.calibration_.scores, before)

    def test_a_new_fit_starts_the_levels_anew(self, fitted):
        rows = noisy(600)
        rows.iloc[-1] += 1  # a known row that is replaced takes a new fit
        fitted.update(self.new_rows(60, 4.0), update_params=False)
        fitted.update(rows[-1:], update_params=True)
        assert torch.equal(fitted._interval_levels.levels[()][0], GRID)

    def test_each_series_of_a_panel_has_levels_of_its_own(self):
        parts = {"calm": noisy(640), "wild": noisy(640, 1)}
        known = pd.concat({k: rows[:600] for k, rows in parts.items()}, names=["site", "time"])
        parts["wild"] *= 5
        new = pd.concat({k: rows[600:] for k, rows in parts.items()}, names=["site", "time"])
        fitted = KLMemoryForecaster(**LINEAR).fit(known).update(new, update_params=False)
        calm, wild = (fitted._interval_levels.levels[key,][0] for key in ("calm", "wild"))
        assert wild[-3] - wild[2] > calm[-3] - calm[2]

    def test_an_update_that_fails_leaves_the_levels(self, fitted):
        before = fitted._interval_levels
        with pytest.raises(ValueError, match="no row for 20 stamps"):
            fitted.update(self.new_rows(60, 4.0)[20:], update_params=False)
        assert fitted._interval_levels is before


def test_what_pretraining_left_over_makes_the_intervals_of_a_series(panel, hourly):
    pretrained = KLMemoryForecaster(**LINEAR).pretrain(panel)
    fitted = pretrained.clone().fit(hourly[:200])
    torch.testing.assert_close(fitted.calibration_.scores, pretrained.calibration_.scores)
    frame = fitted.predict_interval(fh=FH, coverage=0.8)
    assert (frame["load", 0.8, "lower"] < frame["load", 0.8, "upper"]).all()


def test_ends_of_intervals_that_no_float_holds_are_the_last_ones_that_are():
    rng = np.random.default_rng(0)
    y = pd.Series(1e307 * (10 + 5 * rng.normal(size=60)).clip(-17, 17))
    y[::7] = np.nan
    forecaster = KLMemoryForecaster(horizon=3, period=1).fit(y)
    interval = forecaster.predict_interval(fh=[1, 2, 30], coverage=[0.5, 0.99]).to_numpy()
    assert np.isfinite(interval).all()
    assert interval.max() == np.finfo(float).max
    assert (np.diff(interval[:, [2, 0, 1, 3]], axis=1) >= 0).all()
    windows = forecaster.predict_windows(y.to_frame(), [20, 50], alpha=[0.005, 0.995])
    assert np.isfinite(windows).all()
    with pytest.raises(ValueError, match=r"error of the forecasts holds values .*squares overflow"):
        forecaster.predict_var(fh=[1])

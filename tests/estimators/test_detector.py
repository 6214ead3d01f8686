"""False alarms at the stated rate, what is found, which rows count as known, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom, binom

from klforecast.estimators.detector import KLMemoryDetector
from klforecast.evaluation.studies.false_alarms import FITTED, ROWS, WORLDS

RATE = 0.02
SERIES = 6


@pytest.fixture(scope="module")
def hourly():
    rng = np.random.default_rng(0)
    values = 50 + 10 * np.sin(np.arange(480) * 2 * np.pi / 24) + rng.normal(size=480)
    return pd.Series(values, pd.date_range("2024-01-01", periods=480, freq="h"), name="load")


@pytest.mark.parametrize("world", ["noise", "season and noise", "random walk", "GARCH(1, 1)"])
def test_false_alarms_are_no_more_than_stated(world):
    rng = np.random.default_rng(5)
    known, new = [], []
    for _ in range(SERIES):
        y = pd.Series(WORLDS[world](rng, ROWS))
        detector = KLMemoryDetector(RATE).fit(y[:FITTED])
        known.append(detector.verdicts(y[:FITTED]))
        new.append(detector.verdicts(y[FITTED:]))
        cycle = detector.cycles_[()]
    known, new = pd.concat(known), pd.concat(new)
    judged = int(known["p_value"].notna().sum())
    assert (known["kind"] == "outlier").sum() <= binom.ppf(0.999, judged, RATE)
    # New rows share a limit that so many references leave uncertain.
    references = judged
    most = betabinom.ppf(0.999, len(new), RATE * references, (1 - RATE) * references)
    assert (new["kind"] == "outlier").sum() <= most
    for said in (known, new):
        cycles = int(said["p_value"].notna().sum()) // cycle
        assert said["kind"].str.startswith("shift").sum() <= binom.ppf(0.999, cycles, RATE)


def test_a_spike_and_a_change_of_level_are_found_where_they_are():
    # Some thirty cycles of references are what a change of level takes.
    rng = np.random.default_rng(3)
    longer = 50 + 10 * np.sin(np.arange(1440) * 2 * np.pi / 24) + rng.normal(size=1440)
    y = pd.Series(longer, pd.date_range("2024-01-01", periods=len(longer), freq="h"))
    y.iloc[450] += 9
    y.iloc[1100:] += 8
    found = KLMemoryDetector().fit(y).detections(y)
    assert y.index[450] in set(found["time"][found["kind"] == "outlier"])
    shifts = found["time"][found["kind"] == "shift up"]
    assert (abs(shifts - y.index[1100]) <= pd.Timedelta(hours=12)).any()


def test_a_forecast_reads_no_later_row(hourly):
    changed = hourly.copy()
    changed.iloc[400:] += 100
    # At such a rate no row is taken out of the past of others, which is decided among all rows.
    one, other = (
        KLMemoryDetector(1e-12, cycle=24).fit(y).series_[()].errors.expected[:400]
        for y in (hourly, changed)
    )
    np.testing.assert_array_equal(one, other)


def test_known_rows_keep_their_verdicts_when_new_ones_follow(hourly):
    detector = KLMemoryDetector().fit(hourly[:400])
    p = detector.verdicts(hourly)["p_value"]
    pd.testing.assert_series_equal(p[:400], detector.verdicts(hourly[:400])["p_value"])
    pd.testing.assert_series_equal(p[400:], detector.verdicts(hourly[400:])["p_value"])


def test_missing_values_are_no_outliers(hourly):
    y = hourly.copy()
    y.iloc[300:310] = np.nan
    said = KLMemoryDetector().fit(y).verdicts(y)
    assert said["p_value"].iloc[300:310].isna().all()
    assert (said["kind"].iloc[300:310] == "").all()


def test_a_series_of_a_panel_is_judged_as_if_alone(hourly):
    panel = pd.concat({"a": hourly, "b": hourly[::-1].set_axis(hourly.index)}).to_frame()
    detector = KLMemoryDetector().fit(panel)
    alone = KLMemoryDetector().fit(hourly.to_frame())
    together = detector.verdicts(panel)
    pd.testing.assert_frame_equal(
        together.loc["a"], alone.verdicts(hourly.to_frame()), check_freq=False
    )
    assert len(detector.transform(panel)) == len(panel)


def test_four_channels_have_no_more_false_alarms_than_one():
    y = pd.DataFrame(np.random.default_rng(1).normal(size=(600, 4)))
    said = KLMemoryDetector(0.05).fit(y).verdicts(y)
    judged = int(said["p_value"].notna().sum())
    assert (said["p_value"] < 0.05).sum() <= binom.ppf(0.999, judged, 0.05)


def test_events_choose_what_is_returned_and_the_task(hourly):
    y = hourly.copy()
    y.iloc[200] += 9
    outliers = KLMemoryDetector(events="outliers")
    shifts = KLMemoryDetector(events="shifts")
    assert outliers.get_tag("task") == "anomaly_detection"
    assert shifts.get_tag("task") == "change_point_detection"
    assert 200 in outliers.fit_predict(y)["ilocs"].to_numpy()
    assert 200 not in shifts.fit_predict(y)["ilocs"].to_numpy()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"false_alarm_rate": 0}, "false_alarm_rate is 0"),
        ({"events": "all"}, "events is 'all'"),
        ({"cycle": 100}, "cycle=100 takes 600 rows"),
        ({"random_state": -1}, "random_state is -1"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(hourly, settings, message):
    with pytest.raises(ValueError, match=message):
        KLMemoryDetector(**settings).fit(hourly)


def test_a_failed_fit_leaves_the_detector_as_it_was(hourly):
    detector = KLMemoryDetector().fit(hourly)
    before = detector.verdicts(hourly)
    with pytest.raises(ValueError, match="pass 18 at least"):
        detector.fit(hourly[:10])
    pd.testing.assert_frame_equal(detector.verdicts(hourly), before)


def test_a_series_that_was_not_in_fit_is_named(hourly):
    detector = KLMemoryDetector().fit(pd.concat({"a": hourly}).to_frame())
    with pytest.raises(ValueError, match="series 'b' of X was not in fit"):
        detector.verdicts(pd.concat({"b": hourly}).to_frame())


def test_rows_with_other_columns_are_no_rows_of_an_update(hourly):
    detector = KLMemoryDetector().fit(hourly[:400])
    before = detector.verdicts(hourly)
    with pytest.raises(ValueError, match=r"X has the columns \[0\], .* fitted on \['load'\]"):
        detector.update(hourly[400:].rename(None))
    pd.testing.assert_frame_equal(detector.verdicts(hourly), before)


def test_refused_rows_are_called_as_the_argument_is(hourly):
    with pytest.raises(ValueError, match=r"X has 1 values that are not finite.* with X\.replace"):
        KLMemoryDetector().fit(hourly.replace({hourly.iloc[3]: np.inf}))
    with pytest.raises(ValueError, match="the rows of X are not sorted"):
        KLMemoryDetector().fit(hourly[::-1])
    with pytest.raises(ValueError, match="X has 2 channels, but the net was made for 1"):
        KLMemoryDetector().fit(hourly[:100]).verdicts(pd.DataFrame({"a": hourly, "b": hourly}))

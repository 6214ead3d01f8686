import numpy as np
import pytest

from klforecast.evaluation.suites.scores import LEVELS, Forecast, ScoreSums, seasonal_error

N_LEVELS = len(LEVELS)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    truth = rng.normal(10, 3, (7, 2))
    point = rng.normal(10, 3, (7, 2))
    quantiles = np.sort(rng.normal(10, 3, (7, 2, N_LEVELS)), axis=-1)
    return truth, Forecast(point, quantiles), np.array([2.0, 0.5])


def scores(*added) -> dict:
    sums = ScoreSums()
    for truth, forecast, scale in added:
        sums.add(truth, forecast, scale)
    return sums.result()


def test_the_scores_are_those_of_their_definitions_value_by_value(drawn):
    truth, forecast, scale = drawn
    n, scaled, median, absolute, size, smape, inside = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    losses = dict.fromkeys(range(1, N_LEVELS - 1), 0.0)
    for (t, c), y in np.ndenumerate(truth):
        f, q = forecast.point[t, c], forecast.quantiles[t, c]
        n += 1
        scaled += abs(y - f) / scale[c]
        median += abs(y - q[5]) / scale[c]
        absolute += abs(y - f)
        size += abs(y)
        smape += 200 * abs(y - f) / (abs(y) + abs(f))
        inside += q[1] <= y <= q[-2]
        for level in losses:
            p = LEVELS[level]
            losses[level] += 2 * (p * (y - q[level]) if y >= q[level] else (1 - p) * (q[level] - y))
    found = scores(drawn)
    assert found["mase"] == pytest.approx(scaled / n)
    assert found["mase_median"] == pytest.approx(median / n)
    assert found["nd"] == pytest.approx(absolute / size)
    assert found["smape"] == pytest.approx(smape / n)
    assert found["coverage_80"] == pytest.approx(inside / n)
    assert found["crps"] == pytest.approx(np.mean(list(losses.values())) / size)


def test_one_point_at_every_level_has_the_normalised_deviation_for_its_crps(drawn):
    truth, forecast, scale = drawn
    everywhere = np.repeat(forecast.point[..., None], N_LEVELS, axis=-1)
    found = scores((truth, Forecast(forecast.point, everywhere), scale))
    assert found["crps"] == pytest.approx(found["nd"])
    assert found["mase_median"] == pytest.approx(found["mase"])


def test_a_missing_value_of_the_truth_counts_nowhere(drawn):
    truth, forecast, scale = drawn
    holed = truth.copy()
    holed[2:4] = np.nan
    kept = np.r_[0:2, 4:7]
    without = Forecast(forecast.point[kept], forecast.quantiles[kept])
    assert scores((holed, forecast, scale)) == pytest.approx(scores((truth[kept], without, scale)))


def test_a_channel_whose_past_repeats_itself_is_left_out_of_the_mase_alone(drawn):
    truth, forecast, _ = drawn
    found = scores((truth, forecast, np.array([2.0, 0.0])))
    first = Forecast(forecast.point[:, :1], forecast.quantiles[:, :1])
    alone = scores((truth[:, :1], first, np.array([2.0])))
    assert found["mase"] == pytest.approx(alone["mase"])
    assert found["nd"] == scores(drawn)["nd"]


def test_a_model_of_points_has_no_crps(drawn):
    truth, forecast, scale = drawn
    found = scores((truth, Forecast(forecast.point, None), scale))
    assert found["mase"] == scores(drawn)["mase"]
    assert [name for name, score in found.items() if score is None] == [
        "mase_median",
        "crps",
        "coverage_80",
        "coverage_90",
    ]


def test_forecasts_of_another_shape_or_with_nan_are_refused(drawn):
    truth, forecast, scale = drawn
    with pytest.raises(ValueError, match=r"shape \(6, 2\), wanted \(7, 2\)"):
        scores((truth, Forecast(forecast.point[1:], None), scale))
    with pytest.raises(ValueError, match=r"quantiles have shape \(7, 2, 9\)"):
        scores((truth, Forecast(forecast.point, forecast.quantiles[..., :9]), scale))
    broken = forecast.point.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="2 of 14 forecast values are NaN"):
        scores((truth, Forecast(broken, None), scale))


def test_the_seasonal_error_falls_back_to_one_step_in_a_past_of_one_season():
    past = np.arange(12.0)[:, None] ** 2
    assert seasonal_error(past, 12) == seasonal_error(past, 1)
    assert seasonal_error(past, 11) == 121


def test_the_seasonal_error_leaves_out_changes_that_are_not_known():
    past = np.array([1.0, np.nan, 2.0, 4.0])[:, None]
    assert seasonal_error(past, 1) == 2.0
    assert np.isnan(seasonal_error(np.full((4, 1), np.nan), 1))

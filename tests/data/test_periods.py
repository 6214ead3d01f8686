import numpy as np
import pandas as pd
import pytest

from klforecast.data import find_periods, load
from klforecast.data.periods import calendar_periods


def autoregression(n: int, coefficient: float, rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(size=n)
    for i in range(1, n):
        values[i] += coefficient * values[i - 1]
    return values


def smooth_noise(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    lags = np.arange(-4 * width, 4 * width + 1)
    kernel = np.exp(-0.5 * (lags / width) ** 2)
    return np.convolve(rng.normal(size=n + 8 * width), kernel, "valid")


@pytest.mark.parametrize(
    ("freq", "periods"),
    [
        ("h", (24, 168)),
        ("15min", (96, 672)),
        ("10min", (144, 1008)),
        ("30min", (48, 336)),
        ("D", (7, 365)),
        ("B", (5, 261)),
        ("W-TUE", (52,)),
        ("7D", (52,)),
        ("MS", (12,)),
        ("3MS", (4,)),
        ("QE-DEC", (4,)),
        ("min", (60, 1440, 10080)),
        ("YE", ()),
        ("5h", ()),
        (None, ()),
    ],
)
def test_the_calendar_of_a_frequency(freq, periods):
    assert calendar_periods(freq) == periods


@pytest.mark.parametrize("period", [3, 5, 7, 30, 97])
@pytest.mark.parametrize("n_cycles", [6, 40])
def test_a_noisy_cycle_is_found_without_a_calendar(period, n_cycles):
    time = np.arange(n_cycles * period)
    noise = np.random.default_rng(period).normal(size=len(time))
    series = np.sin(2 * np.pi * time / period) + 0.2 * noise
    found = find_periods(series[:, None])[0]
    assert abs(found - period) <= (0 if n_cycles == 40 else 1)


def test_a_cycle_on_a_steep_trend_is_found():
    time = np.arange(120.0)
    series = np.sin(2 * np.pi * time / 12) + 3 * time
    assert find_periods(series[:, None]) == (12,)


def test_a_cycle_on_a_random_walk_is_found():
    rng = np.random.default_rng(1)
    time = np.arange(480)
    series = 3 * np.sin(2 * np.pi * time / 12) + rng.normal(size=480).cumsum()
    assert find_periods(series[:, None])[0] == 12


def test_one_outlier_does_not_hide_a_cycle():
    time = np.arange(300)
    series = np.sin(2 * np.pi * time / 10) + 0.1 * np.random.default_rng(0).normal(size=300)
    series[150] = -9999.0
    assert find_periods(series[:, None])[0] == 10


def test_a_day_and_a_week_are_found_strongest_first():
    time = np.arange(24 * 7 * 12)
    day, week = np.sin(2 * np.pi * time / 24), np.sin(2 * np.pi * time / 168)
    noise = 0.3 * np.random.default_rng(0).normal(size=len(time))
    assert find_periods((day + 0.5 * week + noise)[:, None], "h") == (24, 168)
    assert find_periods((0.5 * day + week + noise)[:, None], "h") == (168, 24)
    assert find_periods((day + 0.5 * week + noise)[:, None], "h", max_periods=1) == (24,)


@pytest.mark.parametrize(("period", "n_cycles"), [(24, 40), (52.18, 10)])
def test_a_growing_cycle_is_one_period_and_not_its_multiples_and_neighbours(period, n_cycles):
    time = np.arange(int(n_cycles * period))
    size = np.exp(2 * time / len(time))
    noise = 0.1 * np.random.default_rng(0).normal(size=len(time))
    assert find_periods((size * np.sin(2 * np.pi * time / period) + noise)[:, None]) == (
        int(period),
    )


@pytest.mark.parametrize("years", [18, 20])
def test_months_of_four_and_of_five_weekends_are_no_period_beside_the_year(years):
    days = pd.date_range("1969-01-01", periods=round(365.25 * years), freq="D")
    year = 1 + 0.04 * np.sin(2 * np.pi * days.dayofyear / 365.25)
    daily = pd.Series(np.where(days.dayofweek < 5, 1.05, 0.8) * year, days)
    months = daily.resample("MS").mean()[:-1]
    assert find_periods(months.to_numpy()[:, None], "MS") == (12,)


def test_two_cycles_are_enough_for_a_period_of_the_calendar():
    airline = load("airline").frame
    assert find_periods(airline.to_numpy()[:24], airline.index.freq) == (12,)
    assert find_periods(airline.to_numpy()[:24]) == ()


@pytest.mark.parametrize("n", [30, 300, 3000])
@pytest.mark.parametrize(
    "draw",
    [
        lambda n, rng: rng.normal(size=n),
        lambda n, rng: rng.normal(size=n).cumsum(),
        lambda n, rng: rng.normal(size=n).cumsum().cumsum(),
        lambda n, rng: autoregression(n, 0.9, rng),
        lambda n, rng: autoregression(n, -0.5, rng),
        lambda n, rng: smooth_noise(n, 5, rng),
    ],
    ids=["white", "random walk", "twice integrated", "AR 0.9", "AR -0.5", "smooth"],
)
def test_noise_of_any_colour_seldom_shows_a_period(draw, n):
    rng = np.random.default_rng(0)
    false_alarms = [find_periods(draw(n, rng)[:, None], "h") != () for _ in range(40)]
    assert np.mean(false_alarms) <= 0.05


@pytest.mark.parametrize("n", range(12))
def test_a_series_of_a_few_rows_has_no_period_and_no_warning(n):
    assert find_periods(np.random.default_rng(n).normal(size=(n, 2)), "h") == ()


@pytest.mark.parametrize("level", [0.0, 7.0, 1e9])
def test_a_constant_series_has_no_period(level):
    assert find_periods(np.full((500, 3), level), "h") == ()


@pytest.mark.parametrize(("slope", "level"), [(1.0, 0.0), (-3.0, 0.0), (0.1, 1e9)])
def test_a_straight_line_has_no_period_and_neither_has_its_rounding(slope, level):
    assert find_periods(level + slope * np.arange(500.0)[:, None], "h") == ()


def test_a_constant_channel_does_not_hide_the_cycle_of_another():
    time = np.arange(240)
    series = np.stack([np.full(240, 3.0), np.sin(2 * np.pi * time / 24)], axis=1)
    assert find_periods(series) == (24,)


def test_a_million_rows_are_searched():
    time = np.arange(1_000_000)
    series = np.sin(2 * np.pi * time / 1440) + np.random.default_rng(0).normal(size=len(time))
    assert find_periods(series[:, None], "min")[0] == 1440


def test_unusable_series_are_refused():
    with pytest.raises(ValueError, match=r"\(time, channels\), got \(9,\)"):
        find_periods(np.zeros(9))
    with pytest.raises(ValueError, match="series holds 1 NaN or infinite values"):
        find_periods(np.array([[0.0], [np.nan], [1.0], [2.0]]))


@pytest.mark.parametrize(
    ("name", "freq", "periods"),
    [
        ("ETTh1", "h", (24, 168)),
        ("ETTh1", None, (24,)),
        ("ETTm1", "15min", (96, 672)),
        ("Weather", None, (144,)),
        ("Exchange", None, ()),
        ("VicElec", "30min", (48, 336)),
    ],
)
def test_known_periods_of_real_series_are_found_in_their_training_part(
    load_real, name, freq, periods
):
    data = load_real(name)
    rows = data.frame.drop(columns=list(data.covariates)).iloc[: data.borders.train_end]
    assert find_periods(rows.to_numpy(), freq) == periods


@pytest.mark.parametrize("freq", [None, "h"])
def test_a_cycle_that_rests_for_half_of_its_time_is_found(freq):
    # Sunlight: the median is that of the nights, and by day nothing is near it.
    time = np.arange(1500)
    rests = np.maximum(0, np.sin(2 * np.pi * time / 24))
    assert find_periods(rests[:, None], freq) == (24,)

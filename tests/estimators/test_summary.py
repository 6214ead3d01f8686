"""A summary says what was fitted."""

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from sktime.exceptions import NotFittedError

from klforecast import KLMemoryForecaster


@pytest.fixture(scope="module")
def airline():
    return KLMemoryForecaster(horizon=12).fit(load_airline())


def test_shares_of_the_experts_are_those_of_the_mixture_largest_first(airline):
    shares = list(airline.summary().experts.values())
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert max(shares) == pytest.approx(airline.net_.module_.mixture.weights.mean((0, 1)).max())


def test_local_experts_have_the_share_that_they_are_given(airline):
    near, far = airline.summary().local_share
    assert [near, far] == airline._pool.share[0, 0].tolist()
    without = KLMemoryForecaster(horizon=12, local_experts=False).fit(load_airline())
    assert without.summary().local_share == (0, 0)


def test_a_memory_is_in_use_only_where_the_past_has_components(airline):
    assert airline.summary().components == airline.net_.module_.modes.shape[1] > 0
    without = KLMemoryForecaster(horizon=12, memory="none").fit(load_airline()).summary()
    assert without.components == 0
    assert "memory         not in use" in str(without)


def test_covariates_without_effect_are_not_named():
    generator = np.random.default_rng(0)
    X = pd.DataFrame(generator.uniform(-1, 1, (300, 2)), columns=["heat", "noise"])
    y = pd.DataFrame({"load": 5 * X["heat"] + 0.1 * generator.standard_normal(300)})
    summary = KLMemoryForecaster(horizon=6).fit(y, X=X).summary()
    assert summary.covariates == ("heat",)


def test_the_expected_error_is_that_of_rows_to_come():
    generator = np.random.default_rng(0)
    cycle = np.sin(np.arange(3000) * np.pi / 6)
    y = pd.DataFrame({"a": 100 * cycle + 10 * generator.standard_normal(3000)})
    forecaster = KLMemoryForecaster(horizon=12).fit(y[:2000])
    cutoffs = np.arange(2000, 2988)
    forecasts = forecaster.predict_windows(y, cutoffs)
    truth = y.to_numpy()[cutoffs[:, None] + np.arange(12)]
    expected = forecaster.summary().expected_error["a"]
    assert expected == pytest.approx(np.abs(truth - forecasts).mean(), rel=0.1)


def test_rows_of_a_panel_are_counted_together():
    noise = np.random.default_rng(0).standard_normal((200, 2))
    panel = pd.concat(
        {
            name: pd.DataFrame(noise, columns=["a", "b"]).iloc[:rows]
            for name, rows in zip("xy", (200, 150), strict=True)
        },
        names=["series", "time"],
    )
    summary = KLMemoryForecaster(horizon=6).fit(panel).summary()
    assert (summary.series, summary.channels, summary.rows) == (2, 2, 350)
    assert list(summary.expected_error) == ["a", "b"]


def test_a_trained_encoder_is_named_with_its_core():
    forecaster = KLMemoryForecaster(horizon=12, encoder="patchtst", max_epochs=1, d_model=8)
    summary = forecaster.fit(load_airline()).summary()
    assert summary.encoder == "patchtst"
    assert summary.experts
    assert summary.local_share == (0, 0)


def test_before_fit_there_is_nothing_to_say():
    with pytest.raises(NotFittedError):
        KLMemoryForecaster().summary()


def test_a_verbose_fit_prints_its_summary_and_a_quiet_one_nothing(capsys):
    y = load_airline()
    KLMemoryForecaster(horizon=12).fit(y)
    assert capsys.readouterr().out == ""
    forecaster = KLMemoryForecaster(horizon=12, verbose=1).fit(y)
    assert capsys.readouterr().out == f"{forecaster.summary()}\n"

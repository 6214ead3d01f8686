import numpy as np
import pytest

from klforecast.evaluation.demo import leading_modes, run_demo


@pytest.fixture(scope="module")
def demo():
    return run_demo(24)


def test_the_held_out_months_are_the_last_ones(demo):
    assert (len(demo.known), len(demo.truth)) == (120, 24)
    assert demo.known.index[-1] + 1 == demo.truth.index[0]
    assert demo.truth.iloc[-1] == 432


def test_errors_are_those_of_the_forecasts(demo):
    for forecast in demo.forecasts:
        gap = np.abs(forecast.values - demo.truth.to_numpy())
        assert forecast.mae == pytest.approx(gap.mean())
        naive = np.abs(demo.known.to_numpy()[12:] - demo.known.to_numpy()[:-12]).mean()
        assert forecast.mase == pytest.approx(gap.mean() / naive)


def test_modes_are_orthonormal_and_of_falling_share(demo):
    assert demo.modes @ demo.modes.T == pytest.approx(np.eye(4), abs=1e-10)
    assert (np.diff(demo.shares) <= 0).all()


def test_a_pure_cycle_has_two_modes():
    _, shares = leading_modes(np.cos(np.arange(200) * np.pi / 6), window=24)
    assert shares == pytest.approx([0.5, 0.5, 0, 0], abs=0.02)

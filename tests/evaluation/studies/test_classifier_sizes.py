import numpy as np
import pytest

from klforecast.evaluation.studies import classifier_sizes
from klforecast.evaluation.studies.classifier_sizes import CASES, Case, Waves, measure, render_table


def by_definition(waves, values, label):
    """Mean over all starts of the likelihood of the observed values, against that of noise alone."""
    end = int(np.flatnonzero(~np.isnan(values).all(axis=0)).max()) + 1
    wave = waves._wave(label, end)
    likelihoods = []
    for start in range(end - len(wave) + 1):
        heard = np.zeros((len(values), end))
        heard[:, start : start + len(wave)] = waves._gains[:, None] * wave
        seen = values[:, :end]
        likelihoods.append(np.exp(np.nansum(seen * heard - heard**2 / 2 + 0 * seen)))
    return np.log(np.sum(likelihoods))


@pytest.mark.parametrize(
    "case", [Case(), Case(channels=3, sounding=2, missing=0.3), Case(lengths=(30, 60))]
)
def test_the_best_rule_is_the_likelihood_of_all_starts(case):
    waves = Waves(case, seed=0)
    X = waves.draw(np.arange(3), case.lengths)
    for values in X:
        wanted = [by_definition(waves, values, label) for label in range(3)]
        np.testing.assert_allclose(waves._log_likelihoods(values), wanted)
    assert waves.best(X).shape == (3,)


@pytest.mark.parametrize(("energy", "low", "high"), [(0.0, 0.2, 0.5), (100.0, 0.99, 1.0)])
def test_the_best_rule_is_right_as_often_as_the_wave_is_loud(energy, low, high):
    labels = np.arange(300) % 3
    waves = Waves(Case(energy=energy), seed=1)
    assert low <= (waves.best(waves.draw(labels, (100, 100))) == labels).mean() <= high


def test_a_row_says_what_a_case_costs_and_knows(monkeypatch):
    case = Case((20, 20, 20), 30, (40, 60), (60, 80), energy=60, settings={"n_filters": 32})
    monkeypatch.setitem(CASES, "small", case)
    row = measure("small", seed=0)
    assert row["fit_cpu_seconds"] > 0
    assert 1 / 3 < row["accuracy"] <= row["best_accuracy"] + 0.05
    table = render_table([row]).splitlines()
    assert table[0].startswith("| case | fit s |")
    assert table[2].startswith("| small | ")


def test_every_case_has_series_of_every_class():
    assert all(min(case.train) > 0 for case in CASES.values())
    assert len(classifier_sizes._PERIODS) == 3

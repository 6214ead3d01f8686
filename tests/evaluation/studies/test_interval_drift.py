import numpy as np

from klforecast.evaluation.studies.interval_drift import KINDS, coverage, main, panels


def test_the_coverage_counts_what_lies_between_the_limits():
    truth = np.array([0.0, 1.5, 3.0])[:, None, None]
    limits = np.array([-1.0, -2.0, -4.0, 1.0, 2.0, 4.0])
    found = np.concatenate([limits, np.zeros(40)]) * np.ones((3, 1, 1, 1))
    within_80, within_90, within_95, crps = coverage(truth, found)
    np.testing.assert_allclose([within_80, within_90, within_95], [100 / 3, 200 / 3, 100])
    assert crps == np.abs(truth).mean()


def test_every_kind_is_a_panel_of_its_own_that_a_seed_repeats():
    for kind in KINDS:
        first, second = panels(kind, 2)
        again = next(panels(kind, 1))
        assert np.isfinite(first).all(axis=None)
        assert not first.equals(second)
        assert first.equals(again)


def test_the_table_has_a_line_for_each_kind(capsys):
    main(["--kinds", "AR", "--horizons", "24", "--panels", "1", "--every", "80"])
    assert "AR" in capsys.readouterr().out

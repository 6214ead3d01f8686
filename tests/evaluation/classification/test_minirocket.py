import numpy as np
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from klforecast.evaluation.classification.minirocket import left_out_scores


def test_scores_left_out_are_those_of_the_ridge_on_all_other_rows():
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(12, 30)), rng.choice([-1.0, 1.0], (12, 2))
    found = left_out_scores(rows, targets, alpha=3.0)
    for place in range(12):
        others = np.arange(12) != place
        ridge = Ridge(alpha=3.0).fit(rows[others], targets[others])
        assert_allclose(found[place], ridge.predict(rows[place][None])[0], atol=1e-10)

import numpy as np
import pandas as pd
import pytest

from klforecast.evaluation.figures import as_svg, critical_difference
from klforecast.evaluation.ranks import rank_models


def scores(*columns):
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: level + 1e-3 * rng.standard_normal(12) for name, level in columns})


def test_ranks_run_from_best_to_worst_and_ties_share_theirs():
    frame = pd.DataFrame({"b": [2.0, 2.0, 2.0], "a": [1.0, 1.0, 2.0], "c": [3.0, 3.0, 9.0]})
    ranking = rank_models(frame)
    assert list(ranking.average.index) == ["a", "b", "c"]
    assert ranking.average["a"] == pytest.approx((1 + 1 + 1.5) / 3)


def test_the_critical_difference_is_demsars():
    # Demsar (2006), section 3.2.2: four classifiers on 14 data sets, q = 2.569, CD = 1.25.
    rng = np.random.default_rng(0)
    ranking = rank_models(pd.DataFrame(rng.standard_normal((14, 4))))
    assert ranking.critical_difference == pytest.approx(1.25, abs=0.005)


def test_models_that_are_all_alike_are_one_clique():
    rng = np.random.default_rng(3)
    ranking = rank_models(pd.DataFrame(rng.standard_normal((9, 5)), columns=list("abcde")))
    assert ranking.friedman_p > 0.05
    assert [sorted(clique) for clique in ranking.cliques] == [list("abcde")]


def test_cliques_are_the_largest_groups_within_the_critical_difference():
    ranking = rank_models(scores(("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)))
    # 12 cells, 5 models: CD = 1.76, so neighbours are joined and no others.
    assert ranking.critical_difference == pytest.approx(1.76, abs=0.01)
    assert ranking.cliques == [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"]]


def test_two_models_are_not_ranked():
    assert rank_models(scores(("a", 1), ("b", 2))) is None


def test_the_diagram_names_every_model_and_its_rank():
    svg = as_svg(critical_difference(rank_models(scores(("a", 1), ("b", 2), ("klmemory", 3)))))
    assert svg.startswith("<svg")
    assert all(text in svg for text in ("a  1.00", "b  2.00", "klmemory  3.00"))

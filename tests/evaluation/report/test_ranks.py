import numpy as np
import pandas as pd
import pytest

from klforecast.evaluation.report.figures import as_svg, critical_difference
from klforecast.evaluation.report.ranks import rank_models


def scores(*columns, n_cells=8):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {name: level + 1e-3 * rng.standard_normal(n_cells) for name, level in columns}
    )


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


def test_without_a_difference_in_the_friedman_test_all_models_are_one_clique():
    ranks = [[8, 1, 4, 5, 2, 6, 3, 7], [7, 1, 2, 5, 4, 6, 8, 3], [8, 1, 6, 5, 4, 7, 2, 3]]
    ranking = rank_models(pd.DataFrame(ranks, columns=list("abcdefgh")))
    assert ranking.friedman_p > 0.05
    assert ranking.average["a"] - ranking.average["b"] > ranking.critical_difference
    assert [sorted(clique) for clique in ranking.cliques] == [list("abcdefgh")]


def test_cliques_are_the_largest_groups_within_the_critical_difference():
    ranking = rank_models(scores(("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)))
    # 8 cells, 5 models: CD = 2.16, so three in a row are joined and no more.
    assert ranking.critical_difference == pytest.approx(2.16, abs=0.01)
    assert ranking.cliques == [["a", "b", "c"], ["b", "c", "d"], ["c", "d", "e"]]


def test_two_models_are_not_ranked():
    assert rank_models(scores(("a", 1), ("b", 2))) is None


def test_the_diagram_names_every_model_and_its_rank():
    svg = as_svg(critical_difference(rank_models(scores(("a", 1), ("b", 2), ("klmemory", 3)))))
    assert svg.startswith("<svg")
    assert all(text in svg for text in ("a  1.00", "b  2.00", "klmemory  3.00"))

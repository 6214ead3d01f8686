"""Average ranks of models over many cells, and which of them a test cannot tell apart.

    CD = q / sqrt(2) sqrt(k (k + 1) / (6 n))     k models, n cells; q: studentised range, k groups

Paper     Demsar (2006), "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7.
Why here  sktime 1.2's diagram takes the critical value of k + 1 models, sorts models by name and
          draws overlapping bars on one another, so its picture says more than the test does.
Beware    horizons of one data set are not independent cells, so the test is too sure of itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from klforecast.evaluation.report.tables import Table

_LEAST = 3  # models, and cells


class Ranking(NamedTuple):
    """Ranks of models that were all run in the same cells.

    Attributes
    ----------
    average : Series
        Mean rank of each model, best (1) first; ties share their mean.
    n_cells : int
        Data sets times horizons.
    friedman_p : float
        Probability of ranks this far apart if the models were all the same.
    critical_difference : float
        Average ranks closer than this cannot be told apart at 5 % (Nemenyi).
    cliques : list of list of str
        Largest groups of models within the critical difference, best first; all models where the
        Friedman test finds no difference at 5 %.
    """

    average: pd.Series
    n_cells: int
    friedman_p: float
    critical_difference: float
    cliques: list[list[str]]


def rank_scores(tables: Sequence[Table]) -> pd.DataFrame:
    """Errors of the models that were run in every cell: one row per cell, one column per model.

    A cell is a data set at a horizon; the seeds of a model are averaged first.
    """
    cells = {
        f"{table.dataset} {horizon}": {
            line.label: line.mean(table.metrics[0], horizon) for line in table.lines
        }
        for table in tables
        for horizon in table.horizons
    }
    return pd.DataFrame.from_dict(cells, orient="index").dropna(axis="columns")


def rank_models(scores: pd.DataFrame) -> Ranking | None:
    """Rank the columns of `scores`; None for fewer than three models or three cells.

    Parameters
    ----------
    scores : DataFrame
        Errors, one row per cell and one column per model, without gaps.
    """
    n_cells, n_models = scores.shape
    if min(n_cells, n_models) < _LEAST:
        return None
    average = scores.rank(axis="columns").mean().sort_values(kind="stable")
    p = float(stats.friedmanchisquare(*scores.to_numpy().T).pvalue)
    q = stats.studentized_range.ppf(0.95, n_models, np.inf)
    difference = float(q / np.sqrt(2) * np.sqrt(n_models * (n_models + 1) / (6 * n_cells)))
    if not p < 0.05:
        return Ranking(average, n_cells, p, difference, [list(average.index)])
    cliques: list[list[str]] = []
    for first in range(n_models):
        members = average.iloc[first:]
        clique = list(members.index[members <= members.iloc[0] + difference])
        if len(clique) > 1 and not (cliques and set(clique) <= set(cliques[-1])):
            cliques.append(clique)
    return Ranking(average, n_cells, p, difference, cliques)

"""Defaults are chosen on rows that no suite scores."""

import pytest

from klforecast.data.files import FOLDER_VARIABLE, find
from klforecast.evaluation.suites.competitions import COMPETITION_CONFIGS, competition_task
from klforecast.evaluation.suites.corpus import (
    CORPUS,
    MOST_ROWS,
    MOST_SERIES,
    corpus_task,
)
from klforecast.evaluation.suites.gift_eval import GIFT_EVAL_CONFIGS, gift_eval_task

FILES = ("us_births.csv", "hospital.csv", "M1.json", "M3.json")
OF_SUITES = [name for name in CORPUS if name.split("/")[0] in ("us_births", "hospital", "M1", "M3")]


def of_suite(name):
    return gift_eval_task(name) if name in GIFT_EVAL_CONFIGS else competition_task(name)


@pytest.mark.parametrize("name", OF_SUITES)
def test_the_corpus_ends_where_the_test_part_of_a_suite_starts(name):
    for file in FILES:
        if find(file) is None:
            pytest.skip(f"{file} is not under {FOLDER_VARIABLE}")
    task, suite = corpus_task(name), of_suite(name)
    n_test = suite.n_windows * suite.horizon
    assert len(task.collection.series) <= MOST_SERIES
    for series, rows in task.collection.series.items():
        known = suite.collection.series[series].iloc[:-n_test]
        assert rows.equals(known.iloc[-MOST_ROWS:])
    assert task.n_windows * task.horizon < task.collection.shortest


def test_every_competition_and_most_of_gift_eval_are_in_the_corpus():
    assert {name for name in COMPETITION_CONFIGS if name[:2] != "M4"} < set(CORPUS)
    assert len(set(GIFT_EVAL_CONFIGS) & set(CORPUS)) >= 23


def test_an_unknown_task_is_named():
    with pytest.raises(ValueError, match="unknown task 'ett2/H/short'; pass one of ett1/15T/short"):
        corpus_task("ett2/H/short")

"""The checksum of the harness: our seasonal naive reaches the published one on every configuration."""

import re

import pytest

from klforecast.data.files import FOLDER_VARIABLE, find
from klforecast.evaluation.suites.gift_eval import (
    GIFT_EVAL_CONFIGS,
    count_windows,
    gift_eval_task,
)
from klforecast.evaluation.suites.models import suite_model
from klforecast.evaluation.suites.published import published_on, reference_on
from klforecast.evaluation.suites.task import score_task

FILES = {
    "ett1": "ETTm1.csv",
    "jena_weather": "weather.csv",
    "m4_weekly": "Weekly-train.csv",
}
HELD_OUT = re.compile("ett2|tourism|nn3|nn5|cif|gefcom", re.IGNORECASE)


@pytest.mark.parametrize("config", GIFT_EVAL_CONFIGS)
def test_seasonal_naive_equals_the_published_one(config):
    name = config.split("/")[0]
    file = FILES.get(name, f"{name}.csv")
    if find(file) is None:
        pytest.skip(f"{file} is not under {FOLDER_VARIABLE}")
    task = gift_eval_task(config)
    scores = score_task(task, suite_model("seasonal-naive").make(task, 0, {}))
    published = reference_on("gift-eval")
    assert scores["mase"] == pytest.approx(published.mase[config], rel=1e-5)
    assert scores["crps"] == pytest.approx(published.crps[config], rel=1e-5)


def test_there_are_34_configurations_and_none_is_held_out():
    assert len(GIFT_EVAL_CONFIGS) == 34
    assert not any(HELD_OUT.match(config) for config in GIFT_EVAL_CONFIGS)


@pytest.mark.parametrize("entry", published_on("gift-eval"), ids=lambda entry: entry.model)
def test_a_published_model_has_every_configuration_and_its_source(entry):
    assert set(entry.mase) == set(entry.crps) == set(GIFT_EVAL_CONFIGS)
    assert re.fullmatch("[0-9a-f]{12}", entry.commit)
    assert entry.source
    assert entry.trust


def test_windows_cover_a_tenth_at_most_twenty_and_at_least_one():
    assert count_windows(7305, 30) == 20
    assert count_windows(1045, 8) == 14  # 104.5 rows: thirteen windows are too few
    assert count_windows(10, 48) == 1

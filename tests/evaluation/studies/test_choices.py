import json

import numpy as np
import pytest

from klforecast.evaluation.studies import choices
from klforecast.evaluation.studies.choices import (
    ALTERNATIVES,
    DEFAULT,
    Alternative,
    Verdict,
    constants_set,
    gains,
    lines_of,
    main,
    verdict,
)
from klforecast.evaluation.suites.task import SuiteTask
from klforecast.local import model


def rows_of(**scores):
    """Rows of two tasks: an alternative's CRPS and MASE, the default's being 1."""
    made = []
    for config, domain in (("a", "weather"), ("b", "health")):
        made.append((DEFAULT, config, domain, 1.0))
        made += [(name, config, domain, values[config]) for name, values in scores.items()]
    fields = ("alternative", "config", "domain", "crps", "mase_median")
    return [dict(zip(fields, (*row, row[-1]), strict=True)) for row in made]


def test_a_gain_is_the_mean_log_ratio_of_a_domain():
    rows = rows_of(worse={"a": 2.0, "b": 0.5})
    assert gains(rows, "crps") == {"worse": {"weather": np.log(2.0), "health": np.log(0.5)}}


def test_a_task_that_is_forecast_exactly_is_left_out():
    rows = rows_of(exact={"a": 0.0, "b": 0.5})
    assert gains(rows, "crps") == {"exact": {"health": np.log(0.5)}}


def test_a_choice_made_without_a_domain_is_judged_on_it():
    assert verdict({"weather": 0.03, "health": 0.02, "retail": -0.01}) == Verdict(3, 2, 3)
    # Right on its own domain alone: left out, the others speak against it.
    assert verdict({"weather": 0.05, "health": -0.01, "retail": -0.01}) == Verdict(2, 0, 3)


def test_what_speaks_against_the_default_comes_first():
    lines = lines_of(rows_of(bad={"a": 2.0, "b": 2.0}, good={"a": 0.9, "b": 0.8}))
    assert [line[0] for line in lines] == ["good", "bad"]
    assert lines[1][1:3] == ["+100.0 %", "+100.0 %"]


def test_an_alternative_that_lacks_a_task_is_no_line():
    rows = rows_of(whole={"a": 2.0, "b": 2.0}, begun={"a": 2.0, "b": 2.0})
    assert [line[0] for line in lines_of(rows[:-1])] == ["whole"]


def test_constants_come_back_after_an_error():
    former, seen = model.LONGEST, []

    def fail():
        with constants_set({"local.model:LONGEST": 10}):
            seen.append(model.LONGEST)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (seen, model.LONGEST) == ([10], former)


def test_a_constant_that_does_not_exist_is_an_error_and_nothing_is_set():
    former = model.LONGEST
    wanted = {"local.model:LONGEST": 10, "local.model:NOT_THERE": 1}
    with pytest.raises(AttributeError, match="NOT_THERE"), constants_set(wanted):
        pass
    assert former == model.LONGEST


def test_alternatives_differ_from_the_default_and_have_one_name_each():
    assert len({one.name for one in ALTERNATIVES}) == len(ALTERNATIVES)
    assert all(one.params or one.constants for one in ALTERNATIVES)


@pytest.fixture
def small_corpus(monkeypatch, waves):
    from klforecast.data.collections import Collection

    collection = Collection("waves", {"waves": waves.frame[:200]}, waves.sha256, waves.source)
    task = SuiteTask("waves", "made", collection, horizon=12, season=24, n_windows=1)
    monkeypatch.setattr(choices, "CORPUS", ("waves",))
    monkeypatch.setattr(choices, "_task", lambda name: task)
    plain = Alternative("no local experts", {"local_experts": False})
    monkeypatch.setattr(choices, "ALTERNATIVES", (plain,))


def test_the_command_appends_rows_writes_a_table_and_goes_on(small_corpus, tmp_path, capsys):
    out, page = tmp_path / "rows.jsonl", tmp_path / "table.md"
    main([f"--out={out}", f"--page={page}"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["alternative"] for row in rows] == [DEFAULT, "no local experts"]
    assert "no local experts" in capsys.readouterr().out
    assert "| no local experts |" in page.read_text()
    main([f"--out={out}"])
    assert len(out.read_text().splitlines()) == 2

import pytest

from klforecast.evaluation.studies import hostile_input
from klforecast.evaluation.studies.hostile_input import Outcome, run_case

CASES = 300


def test_hostile_cases_end_in_finite_answers_or_in_refusals_on_purpose():
    outcomes = {seed: run_case(seed) for seed in range(CASES)}
    faults = {seed: outcome for seed, outcome in outcomes.items() if outcome.detail}
    assert faults == {}
    kinds = [outcome.kind for outcome in outcomes.values()]
    assert kinds.count("answer") > CASES / 4
    assert kinds.count("refusal") > CASES / 4


# Faults of a run over 2,500 cases: a channel that rests before it moves, the largest floats in a panel, and a channel
# whose scale falls by 160 and 320 decades in an update, an effect of X taken off the largest floats. Of one over 5,000:
# an update of a series whose rows differ from their mean by more than the largest float. Of a later one: a scale of
# 5e-321 beside a channel of 1e150; counts of 1e308, a limit of which was rounded up.
@pytest.mark.parametrize("seed", [231, 3650, 3856, 2723, 3210, 1662, 2318, 4990, 1252])
def test_cases_that_were_faults_are_none(seed):
    assert run_case(seed).detail == ""


def test_an_error_from_below_is_a_fault(monkeypatch):
    def fail(*arguments, **settings):
        return {}["nothing"]

    monkeypatch.setattr(hostile_input, "KLMemoryForecaster", fail)
    outcome = run_case(0)
    assert outcome.kind == "foreign error"
    assert "KeyError in fail" in outcome.detail


def test_the_table_counts_every_case(monkeypatch, capsys):
    monkeypatch.setattr(hostile_input, "run_case", lambda seed: Outcome("refusal"))
    hostile_input.main(["--cases", "7"])
    printed = capsys.readouterr().out
    assert [line.split()[-2] for line in printed.splitlines() if "refusal" in line] == ["7"]
    assert "Faults" not in printed


def test_the_table_of_faults_names_their_seeds(monkeypatch, capsys):
    faults = {3: Outcome("not finite", "nan")}
    monkeypatch.setattr(hostile_input, "run_case", lambda seed: faults.get(seed, Outcome("answer")))
    hostile_input.main(["--first", "2", "--cases", "3"])
    fault = next(line for line in capsys.readouterr().out.splitlines() if "nan" in line)
    assert "3" in fault

import json
import os

import pytest

from klforecast.core.plan import plan_core
from klforecast.evaluation.studies import fit_cost as study
from klforecast.evaluation.studies.fit_cost import fit_cost, main, operations


def plan(**changes):
    return plan_core(
        **{"lengths": [50_000], "channels": 1, "horizon": 24, "periods": [24], **changes}
    )


def test_ten_times_the_steps_cost_hardly_more():
    few, many = (operations(plan(), steps, 1) for steps in (10**6, 10**7))
    assert few < many < 1.1 * few


def test_operations_grow_with_channels_less_than_in_proportion():
    one, ten = (operations(plan(channels=c), 50_000, c) for c in (2, 20))
    assert one < ten < 10 * one


def test_a_deeper_look_costs_more():
    costs = [operations(plan(memory_depth=depth), 50_000, 1) for depth in (96, 720, 2880)]
    assert costs == sorted(costs)


@pytest.mark.parametrize(("depth", "looked_back"), [(48, 48), (None, 172), (400, 400)])
def test_a_fit_is_measured_at_the_depth_that_is_asked_for(depth, looked_back, in_this_process):
    in_this_process(study)
    cost = fit_cost(700, depth, 1, 12)
    assert (cost.steps, cost.depth, cost.channels) == (700, looked_back, 1)
    assert cost.seconds > 0
    assert cost.operations > 0


def test_a_fit_has_a_process_of_its_own():
    before = os.times().children_user
    cost = fit_cost(300, 48, 1, 12)
    assert os.times().children_user - before >= cost.seconds


def test_the_command_prints_three_tables_and_writes_a_row_for_each_fit(
    tmp_path, capsys, in_this_process
):
    in_this_process(study)
    out = tmp_path / "rows.jsonl"
    main(
        [
            *("--steps", "300", "--depths", "30", "--channels", "2"),
            *("--rows", "300", "200", "--horizon", "6", f"--out={out}"),
        ]
    )
    printed = capsys.readouterr().out
    assert "more and more steps" in printed
    assert "more and more channels" in printed
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["channels"] for row in rows] == [1, 1, 2]

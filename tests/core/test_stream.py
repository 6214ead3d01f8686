"""A core that follows a stream is the one that is solved on all rows."""

import numpy as np
import pytest
import torch

from klforecast.core import stream as streams
from klforecast.core.plan import plan_core
from klforecast.core.rows import StreamRows
from klforecast.core.solve import solve_from_plan
from klforecast.core.stream import extend_stream
from klforecast.data.scaling import RowStatistics, Standardizer

PLAN = plan_core([400], 2, 8, input_length=24, memory_depth=60, periods=[12])


def daily(rows, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(rows)[:, None]
    return 50 + 10 * np.sin(time / 12 * 2 * np.pi + [0, 1]) + rng.normal(size=(rows, 2)).cumsum(0)


def fitted(panel, plan):
    scalers = [Standardizer.fit(rows, plan.forgetting) for rows in panel]
    return solve_from_plan(
        [torch.from_numpy(s.transform(rows)) for s, rows in zip(scalers, panel, strict=True)], plan
    ).core


def start_stream(panel, plan):
    statistics = {key: RowStatistics.of(rows, plan.forgetting) for key, rows in panel.items()}
    scaled = {
        key: torch.from_numpy(statistics[key].standardizer().transform(rows))
        for key, rows in panel.items()
    }
    return streams.start_stream(scaled, statistics, plan)


def solve_stream(stream, panel):
    scalers = stream.scalers()
    rows = {key: StreamRows(values, scalers[key]) for key, values in panel.items()}
    return streams.solve_stream(stream, rows).core, scalers


def assert_same_core(core, expected):
    past = torch.randn(5, expected.depth, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(core(past), expected(past), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(core.mixture.weights, expected.mixture.weights, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("forgetting", [1.0, 0.99])
@pytest.mark.parametrize("steps", [[300], [201, 202, 210, 260, 300]])
def test_absorbing_rows_equals_solving_on_all_of_them(forgetting, steps):
    plan = PLAN._replace(forgetting=forgetting)
    rows = daily(300)
    stream = start_stream({(): rows[:200]}, plan)
    for stop in steps:
        stream = extend_stream(stream, {(): rows[:stop]})
    core, scalers = solve_stream(stream, {(): rows})
    assert_same_core(core, fitted([rows], plan))
    np.testing.assert_allclose(scalers[()].mean, Standardizer.fit(rows, forgetting).mean)


def test_series_of_a_panel_grow_one_by_one_and_may_start_too_short():
    whole = {("a",): daily(200), ("b",): daily(150, seed=1), ("c",): daily(90, seed=2)}
    stream = start_stream({key: rows[:40] for key, rows in whole.items()}, PLAN)
    assert all(part.moments is None for part in stream.series.values())
    for known in (60, 75, 89, 200):
        stream = extend_stream(stream, {key: rows[:known] for key, rows in whole.items()})
    core, _ = solve_stream(stream, whole)
    assert_same_core(core, fitted(list(whole.values()), PLAN))


def test_a_level_that_leaves_the_reference_behind_costs_no_accuracy():
    rows = daily(300)
    rows[200:] += 1e7
    stream = start_stream({(): rows[:200]}, PLAN)
    stream = extend_stream(stream, {(): rows})
    assert_same_core(solve_stream(stream, {(): rows})[0], fitted([rows], PLAN))


def test_a_constant_that_begins_to_move_is_followed():
    rows = daily(300)
    rows[:200, 0] = 7.0
    stream = extend_stream(start_stream({(): rows[:200]}, PLAN), {(): rows})
    assert_same_core(solve_stream(stream, {(): rows})[0], fitted([rows], PLAN))


def test_a_stream_is_replaced_and_never_changed():
    rows = daily(300)
    stream = start_stream({(): rows[:200]}, PLAN)
    before = solve_stream(stream, {(): rows[:200]})[0]
    extend_stream(stream, {(): rows})
    after = solve_stream(stream, {(): rows[:200]})[0]
    assert torch.equal(before.weight, after.weight)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klforecast.core.experts import (
    DriftExpert,
    FoldedExpert,
    GrowthExpert,
    LevelExpert,
    RidgeExpert,
    SeasonalExpert,
)
from klforecast.core.plan import plan_core

LONG = {"lengths": [11_520], "channels": 7, "horizon": 96, "periods": [24]}


def kinds(plan):
    return {type(expert) for expert in plan.experts}


@st.composite
def sizes(draw):
    lengths = draw(st.lists(st.integers(2, 3000), min_size=1, max_size=4))
    period = draw(st.integers(1, 400))
    return {
        "lengths": lengths,
        "channels": draw(st.integers(1, 3)),
        "horizon": draw(st.integers(1, max(lengths) - 1)),
        "periods": [period] if period > 1 else [],
        "memory_depth": draw(st.none() | st.integers(1, 4000)),
        "input_length": draw(st.none() | st.integers(1, 500)),
        "memory": draw(st.sampled_from(["history", "none"])),
    }


@given(sizes())
@settings(max_examples=300, deadline=None)
def test_every_plan_can_be_solved_on_the_longest_series(sizes):
    plan = plan_core(**sizes)
    assert plan.depth + plan.padded_horizon <= max(sizes["lengths"])
    assert plan.padded_horizon >= plan.horizon == sizes["horizon"]
    assert list(plan.edges) == sorted(set(plan.edges))
    assert plan.edges[0] >= 1
    assert plan.segments[-1] == plan.horizon
    assert list(plan.segments) == sorted(set(plan.segments))
    assert sum(expert.prior for expert in plan.experts) > 0
    for expert in plan.experts:
        assert expert.prior >= 0
        match expert:
            case RidgeExpert():
                assert expert.depth in plan.edges
            case FoldedExpert(fold=fold):
                assert fold.cycles * fold.period <= plan.depth
                assert plan.padded_horizon // fold.period * fold.period >= plan.horizon
                assert fold.level <= fold.cycles
            case LevelExpert():
                assert expert.steps <= plan.depth
            case SeasonalExpert():
                assert expert.cycles * expert.period <= plan.depth
            case GrowthExpert():
                assert expert.steps + expert.period <= plan.depth
            case DriftExpert():
                assert expert.steps < plan.edges[0]


@given(sizes())
@settings(max_examples=100, deadline=None)
def test_no_plan_looks_back_further_than_it_is_allowed_to(sizes):
    plan = plan_core(**sizes)
    if sizes["memory_depth"] is not None:
        assert plan.depth <= sizes["memory_depth"]
    if sizes["memory"] == "none":
        assert plan.edges == (plan.depth,)


def test_one_channel_has_no_maps_of_its_own():
    one = plan_core(**LONG | {"channels": 1})
    assert {expert.pooling for expert in one.experts} == {"shared", "none"}
    assert {expert.pooling for expert in plan_core(**LONG).experts} == {"shared", "channel", "none"}


@pytest.mark.parametrize(
    ("rows", "deepest"), [(600, 96), (3_000, 336), (11_520, 1440), (40_000, 2880)]
)
def test_longer_series_are_looked_back_on_further(rows, deepest):
    assert plan_core(**LONG | {"lengths": [rows], "periods": []}).depth == deepest


def test_blocks_of_the_history_end_after_whole_cycles():
    plan = plan_core(**LONG | {"lengths": [100_000], "periods": [144]})
    assert plan.edges == (144, 432, 720, 1440, 2880)


def test_only_a_series_with_a_period_is_folded():
    assert FoldedExpert in kinds(plan_core(**LONG))
    assert FoldedExpert not in kinds(plan_core(**LONG | {"periods": []}))


def test_trusted_experts_need_no_help_from_growth_or_drift():
    for periods in ([], [24]):
        plan = plan_core(**LONG | {"periods": periods})
        assert not kinds(plan) & {GrowthExpert, DriftExpert}
        assert plan.shrinkage == 10.0


@pytest.mark.parametrize(("periods", "helper"), [([], DriftExpert), ([12], GrowthExpert)])
def test_little_evidence_is_trusted_less_and_gets_help(periods, helper):
    plan = plan_core([150], 1, 12, periods=periods)
    assert helper in kinds(plan)
    fitted = max(expert.prior for expert in plan.experts if expert.pooling != "none")
    assert fitted < 1
    assert plan.shrinkage < 10.0


@pytest.mark.parametrize("rows", [24, 60])
def test_with_little_evidence_a_seasonal_series_is_expected_to_repeat_its_last_cycle(rows):
    plan = plan_core([rows], 1, rows // 5, periods=[12])
    last_cycle = next(expert for expert in plan.experts if isinstance(expert, SeasonalExpert))
    others = [expert.prior for expert in plan.experts if expert is not last_cycle]
    assert last_cycle.prior > 2 * max(others)


def test_with_fewer_windows_than_inputs_nothing_is_fitted():
    plan = plan_core([24], 1, 4, periods=[12])
    assert {expert.pooling for expert in plan.experts} == {"none"}


def test_a_window_of_a_short_series_holds_two_cycles_if_it_can_and_else_one():
    assert plan_core([60], 1, 12, periods=[12]).depth == 24
    assert plan_core([24], 1, 4, periods=[12]).depth == 12


def test_without_a_season_the_input_window_could_forecast_alone():
    def maps(periods, **changes):
        plan = plan_core(**LONG | {"periods": periods} | changes)
        return {expert for expert in plan.experts if isinstance(expert, RidgeExpert)}

    alone = {expert for expert in maps([], memory="none") if expert.level < expert.depth}
    assert alone <= maps([])
    assert not alone <= maps([24])


def test_segments_double_and_end_at_the_horizon():
    assert plan_core(**LONG).segments == (3, 6, 12, 24, 48, 96)
    assert plan_core(**LONG | {"horizon": 1}).segments == (1,)
    assert plan_core(**LONG | {"horizon": 100}).segments == (3, 6, 12, 24, 48, 96, 100)


def test_folds_only_those_that_experts_use_and_each_once():
    plan = plan_core(**LONG)
    assert [fold.period for fold in plan.folds] == [24, 168]
    alone = plan._replace(experts=tuple(e for e in plan.experts if isinstance(e, LevelExpert)))
    assert alone.folds == ()


def test_a_short_series_keeps_two_cycles_and_the_modes_of_a_quarter_of_its_rows():
    plan = plan_core([240], channels=1, horizon=12, periods=[12])
    assert (plan.edges, plan.n_components) == ((24, 57), 24)
    long = plan_core([2000], channels=1, horizon=12, periods=[12])
    assert (long.edges, long.n_components) == ((96, 250), 96)


def test_a_short_series_without_a_cycle_or_with_a_depth_of_its_own_keeps_its_window():
    assert plan_core([240], channels=1, horizon=12).edges == (76,)
    asked = plan_core([240], channels=1, horizon=12, periods=[12], memory_depth=60)
    assert asked.edges == (60,)
    assert plan_core([240], channels=1, horizon=12, periods=[12], memory="none").edges == (76,)


def test_where_a_quarter_of_the_rows_holds_nothing_older_the_second_cycle_is_the_memory():
    plan = plan_core([108], channels=1, horizon=36, periods=[12])
    assert (plan.edges, plan.n_components) == ((12, 24), 12)
    assert plan_core([40], channels=1, horizon=12, periods=[12]).edges == (12, 16)
    assert plan_core([108], channels=1, horizon=36, periods=[12], input_length=24).edges == (24,)


def test_components_asked_for_are_those_of_a_short_series_too():
    plan = plan_core([240], channels=1, horizon=12, periods=[12], n_components=3)
    assert plan.n_components == 3

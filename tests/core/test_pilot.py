from functools import partial

import pytest
import torch

from klforecast.core.pilot import Pilot, cut_blocks, plan_pilot
from klforecast.core.plan import plan_core


def pilot_of(*lengths, horizon=28, period=7):
    plan_for = partial(plan_core, lengths, 1, periods=[period])
    plan = plan_pilot(lengths, plan_for(horizon), plan_for)
    generator = torch.Generator().manual_seed(0)
    panel = [
        torch.randn(rows, 1, generator=generator, dtype=torch.float64)
        for rows in lengths
        if rows >= plan.depth + plan.padded_horizon
    ]
    return Pilot(panel, plan), panel


@pytest.mark.parametrize("lengths", [(90,), (120,), (400,), (3000,), (400, 150, 90)])
def test_every_block_is_judged_on_targets_of_its_own(lengths):
    pilot, _ = pilot_of(*lengths)
    assert pilot.is_enough
    targets = [
        {
            (i, int(cutoff) + h)
            for cutoffs, i in pilot.batches(block)
            for cutoff in cutoffs
            for h in range(pilot.plan.horizon)
        }
        for block in range(len(pilot.blocks))
    ]
    assert all(targets)
    assert len(set.union(*targets)) == sum(map(len, targets))


@pytest.mark.parametrize("lengths", [(120,), (400,), (400, 150, 90)])
def test_a_pilot_has_seen_no_target_that_it_is_judged_on(lengths):
    pilot, panel = pilot_of(*lengths)

    def targets(which):
        rows = pilot.windows.cutoff[which][:, None] + torch.arange(pilot.plan.horizon)
        return set((10_000 * pilot.windows.series[which][:, None] + rows).flatten().tolist())

    for judged, trained in zip(
        *cut_blocks(pilot.windows, [*map(len, panel)], pilot.plan), strict=True
    ):
        assert targets(judged)
        assert targets(trained)
        assert not targets(judged) & targets(trained)


def test_the_horizon_of_a_pilot_leaves_room_for_five_blocks():
    for rows, horizon in ((120, 28), (400, 96), (5000, 96), (40, 28)):
        plan_for = partial(plan_core, [rows], 1, periods=[7])
        plan = plan_pilot([rows], plan_for(horizon), plan_for)
        assert plan.horizon <= horizon
        assert plan.horizon == horizon or rows / plan.horizon < 5 * 2 * horizon
    plan_for = partial(plan_core, [5000], 1)
    assert plan_pilot([5000], plan_for(96), plan_for) == plan_for(96)


def test_rows_for_less_than_three_blocks_are_not_enough():
    assert pilot_of(40, horizon=4)[0].is_enough
    assert not pilot_of(3, horizon=1, period=1)[0].is_enough

import math

import pytest
import torch
from torch.testing import assert_close

from klforecast.evaluation.studies.scan_cost import (
    SCANS,
    Cost,
    Size,
    measure,
    real_associative_scan,
    real_pscan,
    render_table,
    s6_inputs,
)

TINY = Size(batch=2, length=9, channels=4, state=6, heads=2)


@pytest.mark.parametrize("scan", [real_associative_scan, real_pscan])
def test_the_rivals_compute_the_recurrence_they_are_named_for(scan):
    if scan is real_pscan:
        pytest.importorskip("mambapy", reason="the rival is its parallel scan")
    x, step, decay, write, read = s6_inputs(TINY)
    state = torch.zeros(2, 4, 6)
    outputs = []
    for t in range(9):
        keep = torch.exp(-step[:, t, :, None] * decay)
        state = keep * state + (step[:, t] * x[:, t])[..., None] * write[:, t, None, :]
        outputs.append((state * read[:, t, None, :]).sum(dim=2))
    assert_close(scan(x, step, decay, write, read), torch.stack(outputs, dim=1))


@pytest.mark.parametrize("name", [name for name in SCANS if "mambapy" not in name])
def test_every_cost_is_a_finite_number_of_milliseconds(name):
    cost = measure(name, TINY, repeats=1)
    assert 0 < cost.forward_ms < cost.forward_backward_ms < math.inf
    assert cost.peak_mib >= 0


def test_measuring_leaves_the_number_of_threads_as_it_was():
    threads = torch.get_num_threads()
    measure("modal_filter", TINY, repeats=1)
    assert torch.get_num_threads() == threads


def test_the_table_compares_every_scan_with_the_first():
    lines = render_table([Cost("ours", 1, 4, 9), Cost("theirs", 3, 10, 90)]).splitlines()
    assert lines[2:] == ["| ours | 1 | 4 | 1.0 | 9 |", "| theirs | 3 | 10 | 2.5 | 90 |"]

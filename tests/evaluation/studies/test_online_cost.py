import pytest
import torch

from klforecast.evaluation.studies.online_cost import agreement, main, row_costs


def test_online_modes_agree_with_the_covariance_over_time_on_rows_of_rank_k():
    comparison = agreement(120, d=10, rank=4, repeats=1)
    assert comparison.eigenvalue_difference < 1e-9
    assert comparison.mode_difference < 1e-9


def test_costs_are_ratios_to_the_shortest_stream():
    costs = row_costs((10, 50, 51), d=4, rank=2, rows=8, repeats=3)
    assert [cost.seen for cost in costs] == [10, 50, 51]
    for cost in costs:
        assert cost.ratio == pytest.approx(cost.microseconds / costs[0].microseconds)


def test_the_command_prints_both_tables_and_restores_the_threads(capsys):
    threads = torch.get_num_threads()
    main(["--d=5", "--rank=2", "--repeats=2", "--seen", "20", "40", "--steps", "30"])
    printed = capsys.readouterr().out
    assert "cost of a row of 5 features at rank 2" in printed
    assert "5 features of rank 2" in printed
    assert torch.get_num_threads() == threads

from klforecast.evaluation.studies.panel_cost import mixed_panel, panel_cost, table


def test_a_panel_has_three_kinds_of_series():
    values = mixed_panel(series=6, rows=60)["y"].to_numpy().reshape(6, 60)
    zeros = (values == 0).mean(axis=1)
    assert (zeros[[2, 5]] > 0.5).all()
    assert (zeros[[0, 1, 3, 4]] == 0).all()


def test_every_part_of_the_cost_is_measured():
    cost = panel_cost(series=6, rows=60)
    assert (cost.series, cost.rows) == (6, 60)
    assert min(cost.fit, cost.predict, cost.intervals) > 0
    assert table([cost]).row_count == 1

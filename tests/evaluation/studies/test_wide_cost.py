from klforecast.evaluation.studies.wide_cost import table, wide_cost, wide_series


def test_rows_have_a_day_and_channels_of_their_own():
    y = wide_series(channels=3, rows=1200)
    cycles = y.to_numpy()[:1200].reshape(50, 24, 3).mean(axis=0)
    assert (cycles.std(axis=0) > 0.2).all()
    assert (y.diff(24).abs().mean() < y.diff(12).abs().mean()).all()
    assert abs(y.corr().iloc[0, 1]) < 1


def test_every_part_of_the_cost_is_measured():
    cost = wide_cost(channels=2, rows=300, jobs=2)
    assert (cost.channels, cost.rows, cost.jobs) == (2, 300, 2)
    assert min(cost.cpu_seconds, cost.seconds, cost.predict_seconds) > 0
    assert table([cost]).row_count == 1

from klforecast.evaluation.studies.forgetting_gain import drifting_series, following_error, main


def test_forgetting_helps_where_the_law_changes():
    y = drifting_series(3_000)
    assert following_error(y, 0.998) < 0.95 * following_error(y, 1.0)


def test_the_command_prints_a_row_for_each_series(capsys):
    main(["--data", "--rows=900", "--forgetting", "1.0", "0.99"])
    printed = capsys.readouterr().out
    assert "weight of yesterday drifts" in printed
    assert "0.99" in printed

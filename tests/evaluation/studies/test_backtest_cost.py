from klforecast.evaluation.studies.backtest_cost import main


def test_the_table_has_a_line_for_each_number_of_cutoffs(capsys):
    main(["--rows", "400", "--cutoffs", "2", "3", "--refit-at-most", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("│")[2].strip() for line in lines if "│" in line] == ["2", "3"]

import json

import pytest

from klforecast.evaluation.studies.outlier_cost import KINDS, cost, main


@pytest.mark.parametrize("name", ["48 months, one of them tenfold", "days, the newest seven stuck"])
def test_outliers_cost_less_where_they_are_read_as_usual(name):
    row = cost(name, n_series=2)
    assert row["read"] < row["as_they_are"]
    assert row["unspoiled"] > 0


def test_every_kind_has_a_row(tmp_path, capsys):
    main(["--series", "1", "--out", str(tmp_path / "rows.jsonl")])
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["kind"] for row in rows] == list(KINDS)
    assert "Theta" in capsys.readouterr().out

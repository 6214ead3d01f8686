import json
import math

import numpy as np
import pytest

from klforecast.evaluation.benchmark.rows import (
    FIELDS,
    complete,
    identity,
    read_rows,
)
from klforecast.evaluation.json_lines import append_line, plain


def test_a_row_comes_back_as_it_was_written(tmp_path, make_row):
    path = tmp_path / "new" / "rows.jsonl"
    append_line(path, make_row(mse=0.25))
    append_line(path, make_row(mse=0.5, seed=1))
    assert read_rows(path) == [make_row(mse=0.25), make_row(mse=0.5, seed=1)]
    assert tuple(json.loads(path.read_text().splitlines()[0])) == FIELDS


def test_a_line_cut_short_loses_itself_only(tmp_path, make_row):
    path = tmp_path / "rows.jsonl"
    append_line(path, make_row(seed=0))
    with path.open("a") as file:
        file.write('{"dataset": "ETTh1", "mse": 0.3')
    append_line(path, make_row(seed=2))
    with pytest.warns(UserWarning, match="line 2 is not a whole row"):
        rows = read_rows(path)
    assert [row["seed"] for row in rows] == [0, 2]


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match=r"unknown fields \['msr'\]"):
        complete({"msr": 1.0})


def test_what_json_cannot_hold_is_written_in_words():
    value = {"a": np.float32(0.5), "b": np.int64(3), "c": (1, None), "d": len, 5: math.nan}
    assert plain(value) == {
        "a": 0.5,
        "b": 3,
        "c": [1, None],
        "d": "<built-in function len>",
        "5": None,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"dataset_sha256": "0" * 64},
        {"params": {"lookback": 96}},
        {"versions": {"torch": "2.12.0"}},
        {"seed": 1},
        {"regime": "lookback96"},
        {"fit_on": "train"},
    ],
)
def test_other_data_settings_or_versions_are_another_cell(make_row, change):
    assert identity(make_row()) != identity(make_row(**change))


def test_cost_machine_and_result_do_not_name_a_cell(make_row):
    assert identity(make_row()) == identity(
        make_row(mse=9.0, fit_seconds=9.0, machine={"cores": 64}, commit="abc", error="none")
    )

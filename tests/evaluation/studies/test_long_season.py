import json

import numpy as np

from klforecast.evaluation.studies import long_season
from klforecast.evaluation.studies.long_season import (
    LongSeasonRow,
    long_cycle,
    main,
    run_cell,
    summary,
)


def test_the_cycle_comes_back_and_the_noise_does_not():
    y = long_cycle(9000, 3000, seed=0).to_numpy()
    first, second = y[:3000], y[3000:6000]
    assert np.corrcoef(first, second)[0, 1] > 0.97
    assert 0.5 < (first - second).std() < 2.5
    assert not np.array_equal(y, long_cycle(9000, 3000, seed=1).to_numpy())


def test_a_cell_forecasts_better_than_the_mean_of_the_past():
    row = run_cell(1500, 3200, 24, seed=0, given=True)
    assert row.mse < 0.1 * long_cycle(3200, 1500, seed=0).var()
    assert row.seconds > 0


def test_the_gain_is_that_of_the_same_series():
    rows = [
        LongSeasonRow(2000, 9000, 96, seed, given, seconds=3.0 + given, peak_mb=600.0, mse=mse)
        for seed, pair in enumerate([(1.0, 2.0), (4.0, 2.0)])
        for given, mse in zip((True, False), pair, strict=True)
    ]
    assert summary(rows) == [
        ("2,000", "1.000", "0.500 to 2.000", "4.0", "3.0", "600", "600"),
    ]


def test_the_command_prints_a_line_for_each_cycle_and_keeps_the_rows(
    tmp_path, capsys, in_this_process
):
    in_this_process(long_season)
    out = tmp_path / "rows.jsonl"
    main(["--periods=300", "--steps=700", "--horizon=24", "--seeds=1", f"--out={out}"])
    assert "300" in capsys.readouterr().out
    assert [json.loads(line)["given"] for line in out.read_text().splitlines()] == [True, False]

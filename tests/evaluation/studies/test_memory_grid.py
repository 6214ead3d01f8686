from collections import Counter

import pytest

from klforecast.evaluation.benchmark.protocol import Cell
from klforecast.evaluation.benchmark.rows import complete
from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.studies import memory_grid
from klforecast.evaluation.studies.does_memory_help import render_page
from klforecast.evaluation.studies.memory_grid import ENCODERS, MEMORIES, grid, main
from klforecast.evaluation.studies.memory_grid_page import in_one_sentence, section_of


def row(mse, encoder="gru", core=True, memory="none", seed=0, horizon=96, error=None):
    changed = {"encoder": encoder}
    if encoder != "linear":
        changed |= {"linear_core": core, "memory_options": MEMORIES[memory]}
    return complete(
        {
            "horizon": horizon,
            "seed": seed,
            "mse": mse,
            "error": error,
            "changed_params": changed,
            "cpu_seconds": 60.0,
        }
    )


ROWS = [
    row(0.5, "linear"),
    *(row(0.51, seed=seed) for seed in range(2)),
    row(0.459, memory="history", seed=0),
    row(0.357, memory="history", seed=1),
    row(0.6, core=False),
    row(0.9, core=False, memory="history", error="ValueError: no"),
    row(0.66, core=False, memory="trained writes"),
]


def cells_of(page, name):
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    return [cells for cells in lines if cells[:1] == [name]]


def test_the_grid_is_every_encoder_with_and_without_a_core_and_every_memory():
    cells = list(grid())
    encoders = Counter(cell.params["encoder"] for cell in cells)
    assert encoders == {"linear": 2, **dict.fromkeys(ENCODERS, 2 * 4 * 3 * 2)}
    assert len({str((cell.horizon, cell.seed, cell.params)) for cell in cells}) == len(cells)


def test_the_first_seed_at_96_steps_comes_first_and_336_steps_last():
    order = [(cell.horizon, cell.seed) for cell in grid()]
    assert order == sorted(order)
    assert order[0] == (96, 0)


def test_gains_of_tokens_are_paired_by_seed_and_failed_rows_do_not_count():
    on_core, alone = cells_of(section_of(ROWS), "gru")
    assert on_core == ["gru", "0.5100", "-2.0 ± 0.0 %", "+20.0 ± 127.1 %", "-", "-", "2"]
    assert alone == ["gru", "0.6000", "-", "-", "-10.0 %", "1"]


def test_what_was_not_run_is_said():
    section = section_of(ROWS)
    assert "6 of 288 cells were run" in section
    assert "At 96 steps with seed 1: 2 of 48." in section
    assert "At 336 steps with seed 2: 0 of 48." in section


@pytest.mark.parametrize(
    ("rows", "beginning"),
    [
        (ROWS[:3], "No network, with a memory or without, earns its place"),
        ([*ROWS[:1], row(0.4), row(0.45, memory="history")], "A network with a memory improves"),
    ],
)
def test_the_first_line_of_the_page_says_what_the_rows_say(rows, beginning):
    assert in_one_sentence(rows).startswith(beginning)
    page = render_page([], grid=rows)
    assert page.splitlines()[2].startswith(beginning)


def test_a_run_goes_on_where_the_last_one_stopped(tmp_path, monkeypatch, load_real):
    load_real("ETTh1")
    out = tmp_path / "rows.jsonl"
    monkeypatch.setattr(
        memory_grid,
        "grid",
        lambda encoders, horizons, seeds: (Cell("ETTh1", "persistence", h) for h in horizons),
    )
    main(["--out", str(out), "--horizons", "96"])
    assert [one["horizon"] for one in read_lines(out)] == [96]
    main(["--out", str(out)])
    assert [one["horizon"] for one in read_lines(out)] == [96, 336]


def test_a_part_of_the_grid_has_the_core_beside_it():
    cells = list(grid(["gru"], [336], [1]))
    assert len(cells) == 1 + 2 * 4
    assert cells[0].params == {"encoder": "linear", "local_experts": False}
    assert set(map(str, cells)) <= set(map(str, grid()))

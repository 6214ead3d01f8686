from klforecast.evaluation.benchmark import runner
from klforecast.evaluation.benchmark.models import model
from klforecast.evaluation.benchmark.rows import read_rows
from klforecast.evaluation.peers import recipes
from klforecast.evaluation.studies.spectral_memory_literally import literal_cells, main, page_of


def test_the_cells_are_those_of_the_paper(task):
    cells = list(literal_cells())
    assert len(cells) == 5 * 4 * 3
    assert {cell.seed for cell in cells} == {2019, 2020, 2021, 2022, 2023}
    assert {cell.horizon for cell in cells} == {96, 192, 336, 720}
    (params,) = {tuple(sorted(cell.params.items())) for cell in cells}
    assert dict(params) == {"d_model": 512, "patch_length": 1}


def test_three_thousand_batches_are_remembered_by_sixteen_components(task):
    memories = []
    for cell in list(literal_cells(width=8))[:3]:
        made = model(cell.model).make(task, **cell.params)
        assert made.get_params()["patch_length"] == 1
        memories.append(made.build(96, 12, 1).network.memory)
    assert memories.pop() is None
    assert {(one.memory_depth, one.n_components) for one in memories} == {(3000, 16)}


def test_a_device_is_where_the_network_is_trained_and_no_setting_of_it(task):
    on_gpu, here = (recipes.spectral_memory(task, device=name) for name in ("cuda", "cpu"))
    assert on_gpu.device == "cuda"
    assert on_gpu.get_params() == here.get_params()


def test_a_run_resumes_and_its_table_holds_all_rows(waves, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "load", lambda name: waves)
    out, page = tmp_path / "rows.jsonl", tmp_path / "page.md"
    tiny = ["--width", "8", "--max-epochs", "1", "--horizons", "6", "--out", str(out)]
    main([*tiny, "--seeds", "2019", "--page", str(page)])
    first = read_rows(out)
    assert [row["error"] for row in first] == [None] * 3
    main([*tiny, "--seeds", "2019", "2020", "--page", str(page)])
    rows = read_rows(out)
    assert rows[:3] == first
    assert [(row["seed"], row["model"]) for row in rows[3:]] == [
        (2020, "spectral-memory"),
        (2020, "spectral-memory-empty"),
        (2020, "spectral-memory-none"),
    ]
    assert page.read_text() == page_of(rows)
    (line,) = (line for line in page.read_text().splitlines() if line.startswith("| 6 |"))
    assert line.endswith("| 2 |")
    assert f"{sum(row['mse'] for row in rows[2::3]) / 2:.4f} ±" in line


def test_widths_have_tables_of_their_own(make_row):
    rows = [
        make_row(
            model=f"spectral-memory{suffix}",
            mse=mse,
            params={"d_model": width, "max_epochs": 10},
            seed=2019,
        )
        for width, suffix, mse in [(64, "", 0.45), (64, "-none", 0.5), (512, "", 0.4)]
    ]
    page = page_of(rows)
    assert page.index("Width 512") < page.index("Width 64")
    assert "| 96 | 0.4500 | - | 0.5000 | +10.0 % | - | 1 |" in page
    assert "| 96 | 0.4000 | - | - | - | - | 1 |" in page


def test_rows_of_failed_cells_are_in_no_table(make_row):
    row = make_row(model="spectral-memory", error="ValueError: no", params={})
    assert page_of([row]).strip() == ""

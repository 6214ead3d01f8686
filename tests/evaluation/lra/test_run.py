import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("accelerate", reason="long training needs accelerate")
pytest.importorskip("yaml", reason="configurations need PyYAML")

from klforecast.cli import app
from klforecast.evaluation.lra.config import Config, Training, read_config, write_config
from klforecast.evaluation.lra.measure import MASKS
from klforecast.evaluation.lra.rows import check_file, read_runs
from klforecast.evaluation.lra.run import run_task
from klforecast.evaluation.lra.tasks import TASKS

TINY = {
    "listops": {"max_depth": 3, "max_args": 3, "min_length": 3, "max_length": 20},
    "text": {"n_opinions": 1, "n_plain": 0, "max_length": 64},
    "retrieval": {"n_words": 4},
    "pathfinder": {"size": 12, "n_dashes": 2, "n_distractors": 0},
}
MODEL = {"d_model": 8, "n_layers": 1, "n_modes": 4, "n_heads": 2, "adaptive_mask": True}


def tiny(task: str) -> Config:
    sizes = {"n_train": 48, "n_validation": 16, "n_test": 24}
    return Config(task, {**sizes, **TINY[task]}, {}, MODEL, Training(16, max_epochs=1))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_runs_and_its_row_says_that_it_is_synthetic(task, tmp_path):
    out = tmp_path / "synthetic.jsonl"
    row, is_new = run_task(tiny(task), out, cpu=True)
    assert row["error"] is None
    assert is_new
    assert row["source"] == "synthetic"
    assert 0 <= row["accuracy"] <= 1
    assert row["steps"] == 3
    assert read_runs(out) == [json.loads(json.dumps(row))]


def test_a_run_that_has_a_row_is_not_repeated_and_another_seed_is(tmp_path):
    out = tmp_path / "synthetic.jsonl"
    first, _ = run_task(tiny("listops"), out, cpu=True)
    assert run_task(tiny("listops"), out, cpu=True) == (first, False)
    assert run_task(tiny("listops"), out, cpu=True, seed=1)[1]
    assert run_task(tiny("listops"), out, cpu=True, rerun=True)[1]
    same = [row["accuracy"] for row in read_runs(out) if row["seed"] == 0]
    assert len(same) == 2
    assert same[0] == same[1]


def test_a_run_that_fails_has_a_row_and_is_tried_again(tmp_path):
    out = tmp_path / "synthetic.jsonl"
    bad = tiny("text").changed({"training.lr": 1e30, "training.clip_norm": 1e30})
    bad = bad.changed({"training.max_epochs": 9, "training.warmup": 0.0})
    row, _ = run_task(bad, out, cpu=True)
    assert "the training loss became" in row["error"]
    assert row["accuracy"] is None
    assert run_task(bad, out, cpu=True)[1]


@pytest.mark.parametrize(
    ("name", "source"), [("rows.jsonl", "synthetic"), ("synthetic.jsonl", "official")]
)
def test_a_file_says_by_its_name_whether_its_rows_are_synthetic(name, source, tmp_path):
    with pytest.raises(ValueError, match=f"rows of {source} sequences cannot go into {name}"):
        check_file(tmp_path / name, source)


def test_official_files_give_official_rows(tmp_path):
    for name in ("train", "val", "test"):
        lines = [f"( ( ( [MAX {i % 10} ) {i % 3} ) ] )\t{max(i % 10, i % 3)}" for i in range(40)]
        (tmp_path / f"basic_{name}.tsv").write_text("\n".join(["Source\tTarget", *lines]))
    row, _ = run_task(tiny("listops"), tmp_path / "rows.jsonl", folder=tmp_path, cpu=True)
    assert (row["source"], row["error"], row["n_test"]) == ("official", None, 40)
    with pytest.raises(ValueError, match="cannot go into synthetic"):
        run_task(tiny("listops"), tmp_path / "synthetic.jsonl", folder=tmp_path, cpu=True)


def command(*arguments):
    return CliRunner().invoke(app, ["lra", *map(str, arguments)])


def test_the_command_measures_and_the_report_shows_it(tmp_path):
    write_config(tiny("retrieval"), tmp_path / "tiny.yaml")
    out = tmp_path / "synthetic.jsonl"
    result = command(
        "--task", "retrieval", "--config", tmp_path / "tiny.yaml", "--out", out, "--cpu",
        "--param", "training.max_epochs=2", "--checkpoints", tmp_path / "state",
        "--measure-throughput", "--measure-memory", "--profile-layers",
        "--compression-ratios", 1, 0.5,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "synthetic sequences" in result.output
    [row] = read_runs(out)
    assert row["epochs"] == 2
    assert row["throughput"]["tokens_per_second"] > 0
    assert row["memory"]["batch"] == 16
    assert [layer["layer"] for layer in row["layers"]] == [
        "encoder.backbone.embedding",
        "encoder.backbone.blocks.0.mixer",
        "encoder.backbone.blocks.0.mlp",
    ]
    assert all(layer["flops"] > 0 for layer in row["layers"][1:])
    assert [(point["mask"], point["ratio"]) for point in row["compression"]] == [
        (mask, ratio) for mask in MASKS for ratio in (1.0, 0.5)
    ]
    whole, half = row["compression"][:2]
    assert whole["accuracy"] == pytest.approx(row["accuracy"])
    assert half["flops_per_token"] < whole["flops_per_token"]
    assert half["n_parameters"] < whole["n_parameters"]
    assert len(list((tmp_path / "state").glob("retrieval-synthetic-*.pt"))) == 1

    page, tables = tmp_path / "page.html", tmp_path / "tables.md"
    for path, form in ((page, "html"), (tables, "markdown")):
        shown = CliRunner().invoke(app, ["report", str(out), "--format", form, "--out", str(path)])
        assert shown.exit_code == 0, shown.output
        assert "Tasks like those of Long Range Arena, synthetic sequences" in path.read_text()
    assert page.read_text().count("<svg") == 1
    assert "| share kept | low_pass | random | energy | learned |" in tables.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--param", "training.speed=1"], "text.training names ['speed']"),
        (["--compression-ratios", "0"], "pass shares of modes in (0, 1]"),
        (["0.5"], "name the option it belongs to"),
        (["--out", "rows.jsonl"], "cannot go into rows.jsonl"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_arguments_that_cannot_be_used_are_exit_code_2(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = command("--task", "text", "--cpu", *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert not list(tmp_path.iterdir())


def test_the_packaged_small_configuration_is_the_default():
    assert read_config("small", "text").training.batch_size == 32

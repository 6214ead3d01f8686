import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("accelerate", reason="long training needs accelerate")
pytest.importorskip("yaml", reason="configurations need PyYAML")

from klforecast.cli import app
from klforecast.evaluation.lra.config import Config, Training, read_config, write_config
from klforecast.evaluation.lra.measure import MASKS, Measures
from klforecast.evaluation.lra.page import html_sections, markdown_sections
from klforecast.evaluation.lra.run import evaluate_checkpoint, run_task
from klforecast.evaluation.lra.run_rows import check_file, read_runs
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


@pytest.fixture
def epochs(monkeypatch):
    """Counts the epochs that are trained."""
    from klforecast.training.accelerated import AcceleratedNet

    counted = []
    train = AcceleratedNet.run_single_epoch

    def counting(self, iterator, training, **kwargs):
        counted.extend([1] if training else [])
        return train(self, iterator, training=training, **kwargs)

    monkeypatch.setattr(AcceleratedNet, "run_single_epoch", counting)
    return counted


def test_a_network_without_learned_masks_is_compressed_by_the_others(tmp_path):
    config = tiny("listops").changed({"model.adaptive_mask": False})
    row, _ = run_task(
        config, tmp_path / "synthetic.jsonl", cpu=True, measures=Measures(compression_ratios=(0.5,))
    )
    assert row["error"] is None
    assert row["unmeasured"] is None
    assert [point["mask"] for point in row["compression"]] == ["low_pass", "random", "energy"]


@pytest.mark.parametrize("stop", [RuntimeError("no more memory"), KeyboardInterrupt()])
def test_the_accuracy_survives_a_measure_that_fails(tmp_path, monkeypatch, stop):
    def fail(*_):
        raise stop

    monkeypatch.setattr("klforecast.evaluation.lra.measure.profile_layers", fail)
    out = tmp_path / "synthetic.jsonl"
    asked = Measures(throughput=True, layers=True)
    if isinstance(stop, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            run_task(tiny("listops"), out, cpu=True, measures=asked)
    else:
        run_task(tiny("listops"), out, cpu=True, measures=asked)
    [row] = read_runs(out)
    assert row["error"] is None
    assert 0 <= row["accuracy"] <= 1
    assert row["throughput"]["tokens_per_second"] > 0
    if isinstance(stop, RuntimeError):
        assert row["unmeasured"] == {"layers": "RuntimeError: no more memory"}
        shown = "\n".join([*html_sections([row]), *markdown_sections([row])])
        assert shown.count("layers (RuntimeError: no more memory)") == 2
        assert shown.count(f"{row['accuracy']:.3f}") >= 2


def test_a_measure_added_to_a_finished_run_does_not_train_again(tmp_path, epochs):
    out = tmp_path / "synthetic.jsonl"
    first, _ = run_task(tiny("listops"), out, cpu=True)
    assert len(epochs) == 1
    row, is_new = run_task(tiny("listops"), out, cpu=True, measures=Measures(throughput=True))
    assert len(epochs) == 1
    assert not is_new
    assert row["throughput"]["tokens_per_second"] > 0
    assert {name: first[name] for name in ("accuracy", "fit_seconds", "commit")} == {
        name: row[name] for name in ("accuracy", "fit_seconds", "commit")
    }
    assert read_runs(out) == [json.loads(json.dumps(row))]
    again, _ = run_task(tiny("listops"), out, cpu=True, measures=Measures(throughput=True))
    assert again["throughput"] == row["throughput"]
    more = Measures(compression_ratios=(0.5,))
    assert run_task(tiny("listops"), out, cpu=True, measures=more)[0]["throughput"]
    both = Measures(compression_ratios=(1.0, 0.5))
    row, _ = run_task(tiny("listops"), out, cpu=True, measures=both)
    assert {point["ratio"] for point in row["compression"]} == {0.5, 1.0}
    assert len(row["compression"]) == 2 * len(MASKS)
    assert len(epochs) == 1


def test_a_finished_run_without_its_checkpoint_is_not_trained_again_unasked(tmp_path, epochs):
    out = tmp_path / "synthetic.jsonl"
    run_task(tiny("listops"), out, cpu=True, checkpoints=tmp_path / "state")
    [checkpoint] = (tmp_path / "state").iterdir()
    checkpoint.unlink()
    measures = Measures(throughput=True)
    with pytest.raises(ValueError, match=r"its checkpoint .* is gone; pass rerun=True"):
        run_task(tiny("listops"), out, cpu=True, measures=measures, checkpoints=tmp_path / "state")
    assert len(epochs) == 1


def test_a_run_that_is_asked_for_again_is_trained_again(tmp_path, epochs):
    out = tmp_path / "synthetic.jsonl"
    run_task(tiny("listops"), out, cpu=True)
    run_task(tiny("listops"), out, cpu=True, rerun=True)
    assert len(epochs) == 2


def test_a_checkpoint_is_evaluated_by_itself_with_every_measure(tmp_path, epochs):
    first, _ = run_task(
        tiny("retrieval"), tmp_path / "synthetic.jsonl", cpu=True, checkpoints=tmp_path / "state"
    )
    [checkpoint] = (tmp_path / "state").iterdir()
    out = tmp_path / "later-synthetic.jsonl"
    result = command(
        "--evaluate", checkpoint, "--out", out, "--cpu", "--measure-throughput",
        "--measure-memory", "--profile-layers", "--compression-ratios", 1, 0.5,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(epochs) == 1
    [row] = read_runs(out)
    for name in ("task", "seed", "model", "training", "accuracy", "validation_accuracy", "epochs"):
        assert row[name] == first[name], name
    assert all(row[name] for name in ("throughput", "memory", "layers", "compression"))
    assert row["compression"][0]["accuracy"] == pytest.approx(first["accuracy"])


def test_a_checkpoint_in_the_middle_of_training_is_not_evaluated(tmp_path, monkeypatch):
    from klforecast.training.accelerated import Checkpoint

    write = Checkpoint.on_epoch_end

    def write_and_stop(self, net, **kwargs):
        write(self, net, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "on_epoch_end", write_and_stop)
    config = tiny("listops").changed({"training.max_epochs": 3})
    with pytest.raises(KeyboardInterrupt):
        run_task(config, tmp_path / "synthetic.jsonl", cpu=True, checkpoints=tmp_path / "state")
    [checkpoint] = (tmp_path / "state").iterdir()
    with pytest.raises(ValueError, match="in the middle of its training, after epoch 1 of 3"):
        evaluate_checkpoint(checkpoint, tmp_path / "synthetic.jsonl", cpu=True)
    assert not (tmp_path / "synthetic.jsonl").exists()


def test_an_interrupted_run_goes_on_and_ends_as_one_that_was_not(tmp_path, monkeypatch, epochs):
    from klforecast.training.accelerated import Checkpoint

    config = tiny("listops").changed({"training.max_epochs": 3, "model.n_branches": 2})
    whole, _ = run_task(config, tmp_path / "whole" / "synthetic.jsonl", cpu=True)
    write = Checkpoint.on_epoch_end

    def write_and_stop(self, net, **kwargs):
        write(self, net, **kwargs)
        raise KeyboardInterrupt

    out = tmp_path / "synthetic.jsonl"
    with monkeypatch.context() as stopped:
        stopped.setattr(Checkpoint, "on_epoch_end", write_and_stop)
        with pytest.raises(KeyboardInterrupt):
            run_task(config, out, cpu=True)
    epochs.clear()
    resumed, is_new = run_task(config, out, cpu=True)
    assert (is_new, len(epochs)) == (True, whole["epochs"] - 1)
    for name in ("accuracy", "validation_accuracy", "epochs", "best_epoch", "n_parameters"):
        assert resumed[name] == whole[name], name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "pass --task, or --evaluate with a checkpoint"),
        (["--evaluate", "nothing.pt"], "nothing.pt"),
        (["--evaluate", "a.pt", "--task", "text"], "--task is in the checkpoint; leave it out"),
        (["--evaluate", "a.pt", "--seed", "1"], "--seed is in the checkpoint; leave it out"),
        (["--evaluate", "a.pt", "--rerun"], "--rerun trains; leave it out with --evaluate"),
    ],
)
def test_what_a_checkpoint_says_cannot_be_said_again(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = command("--cpu", *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_checkpoint_of_a_run_is_refused(tmp_path):
    import torch

    for held in ({"weights": torch.zeros(2)}, {"about": "{}"}, {"about": "text"}, torch.zeros(2)):
        torch.save(held, tmp_path / "other.pt")
        with pytest.raises(ValueError, match=r"other.pt does not say which run it belongs to"):
            evaluate_checkpoint(tmp_path / "other.pt", tmp_path / "synthetic.jsonl", cpu=True)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"rows.csv is no checkpoint"):
        evaluate_checkpoint(tmp_path / "rows.csv", tmp_path / "synthetic.jsonl", cpu=True)

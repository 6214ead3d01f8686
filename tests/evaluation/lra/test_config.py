import math

import pytest

pytest.importorskip("accelerate", reason="long training needs accelerate")
pytest.importorskip("yaml", reason="configurations need PyYAML")

from klforecast.evaluation.lra.config import PACKAGED, Config, Training, read_config, write_config
from klforecast.evaluation.lra.parts import Part, Sequences, TaskData
from klforecast.evaluation.lra.run import make_net
from klforecast.evaluation.lra.tasks import TASKS
from klforecast.modules.ssm.cost import n_parameters
from klforecast.training.accelerated import make_accelerator


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_configuration_survives_the_way_through_yaml(name, task, tmp_path):
    config = read_config(name, task)
    write_config(config, tmp_path / "config.yaml")
    assert read_config(tmp_path / "config.yaml", task) == config
    assert config.synthetic
    assert config.model["d_model"] >= 32


@pytest.mark.parametrize("task", TASKS)
def test_the_full_network_learns_from_a_batch(task):
    # Whole networks, on sequences that are cut to 48 steps.
    few = {f"synthetic.n_{part}": 2 for part in ("train", "validation", "test")}
    config = read_config("full", task).changed({**few, "training.max_epochs": 1})
    drawn = TASKS[task].synthesise(**config.synthetic)
    assert drawn.length > 1000
    short = TaskData(*(Part(part.sequences[..., :48], part.labels) for part in drawn))
    net = make_net(config, short, accelerator=make_accelerator(cpu=True))
    net.fit(Sequences(short.train, TASKS[task].vocab_size is not None))
    assert math.isfinite(net.history[-1, "train_loss"])
    assert net.step_ == 1
    assert n_parameters(net.module_) > 500_000


def test_a_change_touches_what_it_names_only():
    config = Config("text", {"n_train": 5}, {}, {"d_model": 16})
    changed = config.changed({"training.lr": 0.5, "model.n_layers": 3})
    assert changed.training == Training(lr=0.5)
    assert changed.model == {"d_model": 16, "n_layers": 3}
    assert config == Config("text", {"n_train": 5}, {}, {"d_model": 16})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lr": 0.1}, "got a change of 'lr'; name what to change as PART.NAME"),
        ({"training.speed": 1}, r"text.training names \['speed'\]; what can be set is batch_size"),
        ({"training.mixed_precision": "int8"}, "pass one of no, bf16, fp16"),
        ({"training.warmup": 1.0}, "warmup is 1.0; pass a share"),
    ],
)
def test_what_does_not_exist_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        Config("text").changed(changes)


def test_a_file_without_the_task_and_an_unknown_task_are_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text("listops: {model: {d_model: 8}}\n")
    with pytest.raises(ValueError, match="says nothing of text"):
        read_config(tmp_path / "mine.yaml", "text")
    with pytest.raises(ValueError, match="task is 'images'; pass one of listops"):
        Config("images")


@pytest.mark.parametrize(
    "text",
    [
        "text: !!python/object/apply:os.system ['touch MARKER']",
        "text: {model: !!python/object/new:pathlib.Path [MARKER]}",
        "text: {model: !!python/name:os.system }",
        "text: [",
        "[" * 5000 + "]" * 5000,
        "\x00",
    ],
)
def test_a_file_with_code_or_of_no_form_is_refused_in_a_sentence_and_nothing_is_run(text, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("MARKER", str(tmp_path / "marker")))
    with pytest.raises(ValueError, match=r"mine\.yaml is no YAML of plain values"):
        read_config(path, "text")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("values", ["[]", "3", "{model: 3}", "{training: [lr]}", "{3: {}}"])
def test_values_of_another_form_are_refused_in_a_sentence(values, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"text: {values}")
    with pytest.raises(ValueError, match=r"^text[.a-z]* is .*; it holds names with their values"):
        read_config(tmp_path / "mine.yaml", "text")

"""Run a task: sequences, network, training, test accuracy, and the row that says all of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from klforecast.evaluation.benchmark import machine
from klforecast.evaluation.lra import rows
from klforecast.evaluation.lra.config import Config
from klforecast.evaluation.lra.measure import NOTHING, Measures, measure
from klforecast.evaluation.lra.parts import Sequences, TaskData
from klforecast.evaluation.lra.tasks import TASKS, Task
from klforecast.modules.ssm.cost import n_parameters
from klforecast.training.accelerated import AcceleratedNet, make_accelerator


def run_task(
    config: Config,
    out: Path,
    *,
    folder: Path | None = None,
    seed: int = 0,
    measures: Measures = NOTHING,
    checkpoints: Path | None = None,
    callbacks: Sequence[Any] = (),
    cpu: bool = False,
    rerun: bool = False,
    verbose: int = 0,
) -> tuple[dict[str, Any], bool]:
    """Train on a task, score its test part once, and append the row to `out`.

    A run whose row is in `out` already, with the same sequences, settings and versions, is not
    repeated. Under `torchrun` or `accelerate launch` every process calls this; the batch of the
    configuration is shared out among them, and the first one writes.

    Parameters
    ----------
    config : Config
        What to run.
    out : Path
        File of JSON lines; see `rows.check_file` for its name.
    folder : Path, default=None
        Folder of the official files; None takes sequences of our own, which are synthetic.
    seed : int, default=0
        Of weights, order and dropout; the sequences have their own.
    measures : Measures
        What to measure besides the accuracy.
    checkpoints : Path, default=None
        Folder to write the state of training to and to go on from.
    callbacks : sequence of skorch callbacks
        Loggers, for example.
    cpu : bool, default=False
        Compute on the CPU, whatever else there is.
    rerun : bool, default=False
        Run again what has a row.
    verbose : int, default=0
        1 prints a line per epoch.

    Returns
    -------
    row : dict
        New, or from the file.
    is_new : bool
        Whether it was run now.

    Raises
    ------
    ValueError
        If the name of `out` says another source than that of the sequences.
    """
    source = rows.SYNTHETIC if folder is None else rows.OFFICIAL
    rows.check_file(out, source)
    task = TASKS[config.task]
    settings = config.synthetic if folder is None else config.official
    data = task.synthesise(**settings) if folder is None else task.load(folder, **settings)
    accelerator = make_accelerator(config.training.mixed_precision, cpu)
    row: dict[str, Any] = {
        "kind": rows.KIND,
        "task": config.task,
        "source": source,
        "data": settings,
        "data_sha256": data.sha256,
        "n_train": len(data.train.labels),
        "n_validation": len(data.validation.labels),
        "n_test": len(data.test.labels),
        "length": data.length,
        "n_classes": task.n_classes,
        "model": config.model,
        "training": asdict(config.training),
        "seed": seed,
        "processes": accelerator.num_processes,
        "measures": measures._asdict(),
        "majority": data.majority,
        "commit": machine.commit(),
        "versions": machine.versions(("accelerate",)),
        "machine": machine.machine(),
    }
    known = None if rerun else _finished(out).get(rows.identity(row))
    if known is not None:
        return known, False
    name = f"{config.task}-{source}-{hashlib.sha256(rows.identity(row).encode()).hexdigest()[:12]}"
    net = make_net(
        config,
        data,
        accelerator=accelerator,
        seed=seed,
        checkpoint=None if checkpoints is None else checkpoints / f"{name}.pt",
        callbacks=list(callbacks),
        verbose=verbose,
    )
    # Whatever a network raises is the result of its run, and the row says so.
    try:
        row |= _train_and_score(net, config, data, measures, seed)
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
    row = rows.complete(row)
    if accelerator.is_main_process:
        rows.append_run(out, row)
    return row, True


def make_net(config: Config, data: TaskData, **options: Any) -> AcceleratedNet:
    """Make the net of a configuration, for sequences as long as those of `data`.

    Parameters
    ----------
    config : Config
        What to run.
    data : TaskData
        Its validation part stops the training.
    **options
        Of `AcceleratedNet`; `accelerator` is needed.
    """
    task = TASKS[config.task]
    training = asdict(config.training)
    del training["mixed_precision"]
    training["optimizer__weight_decay"] = training.pop("weight_decay")
    arguments = _network_arguments(task, config, data)
    return AcceleratedNet(
        task.module,
        validation=Sequences(data.validation, task.vocab_size is not None),
        **{f"module__{name}": value for name, value in arguments.items()},
        **{**training, **options},
    )


def _network_arguments(task: Task, config: Config, data: TaskData) -> dict[str, Any]:
    read = {"n_outputs": task.n_classes, "max_length": data.length, **task.reads}
    return {**read, **config.model}


def _train_and_score(
    net: AcceleratedNet, config: Config, data: TaskData, measures: Measures, seed: int
) -> dict[str, Any]:
    task = TASKS[config.task]
    train, test = (Sequences(part, task.vocab_size is not None) for part in (data.train, data.test))
    net.fit(train)
    found: dict[str, Any] = {
        "fit_seconds": sum(net.history[:, "dur"]),
        "cpu_seconds": sum(net.history[:, "cpu_seconds"]),
        "epochs": len(net.history),
        "best_epoch": net.best_epoch,
        "steps": sum(net.history[:, "train_batch_count"]),
        "validation_accuracy": net.judge(net.validation)[1],
        "accuracy": net.judge(test)[1],
        "n_parameters": n_parameters(net.module_),
    }
    if net.accelerator.is_main_process:
        rebuild: Any = partial(_build, task.module, _network_arguments(task, config, data))
        batch_size = config.training.batch_size
        found |= measure(net.module_, rebuild, train, test, batch_size, measures, seed)
    return found


def _build(module: type[nn.Module], arguments: dict[str, Any]) -> nn.Module:
    return module(**arguments)


def _finished(out: Path) -> dict[str, dict[str, Any]]:
    if not out.exists():
        return {}
    return {rows.identity(row): row for row in rows.read_runs(out) if row["error"] is None}

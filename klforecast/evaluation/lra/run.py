"""Run a task: sequences, network, training, test accuracy, and the row that says all of it.

The row is written as soon as the test part is scored. Measures are taken after that, one by one,
from the network in the checkpoint: with the training, added to it later, or from the checkpoint
alone, which holds the description of its run.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from klforecast.evaluation import machine
from klforecast.evaluation.json_lines import plain
from klforecast.evaluation.lra import run_rows
from klforecast.evaluation.lra.config import Config
from klforecast.evaluation.lra.measure import NOTHING, Measures, measure
from klforecast.evaluation.lra.parts import Sequences, TaskData
from klforecast.evaluation.lra.tasks import TASKS
from klforecast.modules.ssm.cost import n_parameters
from klforecast.training.accelerated import AcceleratedNet, described, make_accelerator


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
    trained again; what was not measured of it is measured, from its checkpoint. Under `torchrun` or
    `accelerate launch` every process calls this; the batch of the
    configuration is shared out among them, and the first one writes.

    Parameters
    ----------
    config : Config
        What to run.
    out : Path
        File of JSON lines; see `run_rows.check_file` for its name.
    folder : Path, default=None
        Folder of the official files; None takes sequences of our own, which are synthetic.
    seed : int, default=0
        Of weights, order and dropout; the sequences have their own.
    measures : Measures
        What to measure besides the accuracy.
    checkpoints : Path, default=None
        Folder to write the state of training to, to go on from and to measure from; None for one
        beside `out`.
    callbacks : sequence of skorch callbacks
        Loggers, for example.
    cpu : bool, default=False
        Compute on the CPU, whatever else there is.
    rerun : bool, default=False
        Train again what has a row, from the start.
    verbose : int, default=0
        1 prints a line per epoch.

    Returns
    -------
    row : dict
        New, or from the file.
    is_new : bool
        Whether it was trained now.

    Raises
    ------
    ValueError
        If the name of `out` says another source than that of the sequences, or something is to be
        measured of a run whose checkpoint is gone.
    """
    source = run_rows.SYNTHETIC if folder is None else run_rows.OFFICIAL
    run_rows.check_file(out, source)
    data = _sequences(config, folder)
    accelerator = make_accelerator(config.training.mixed_precision, cpu)
    row = _describe(config, data, source, seed, accelerator.num_processes)
    run = run_rows.identity(row)
    folder_of_state = out.with_suffix(".checkpoints") if checkpoints is None else checkpoints
    checkpoint = folder_of_state / f"{config.task}-{source}-{run[:12]}.pt"
    known = None if rerun else _finished(out).get(run)
    if known is not None:
        measures = measures.without(known)
        if measures == NOTHING:
            return known, False
        if not checkpoint.exists():
            raise ValueError(
                f"the run is in {out}, and to measure more of it takes its network, but its "
                f"checkpoint {checkpoint} is gone; pass rerun=True (--rerun) to train it again"
            )
    elif rerun and accelerator.is_main_process:
        checkpoint.unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    net = make_net(
        config,
        data,
        accelerator=accelerator,
        seed=seed,
        checkpoint=checkpoint,
        about=json.dumps(row),
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return _train_and_measure(net, config, data, row, known, out, measures), known is None


def evaluate_checkpoint(
    checkpoint: Path,
    out: Path,
    *,
    folder: Path | None = None,
    measures: Measures = NOTHING,
    cpu: bool = False,
) -> dict[str, Any]:
    """Score and measure the network of a finished training, without training.

    The run, its sequences and its settings are those that the checkpoint names. Where `out` has no
    row of the run, one is appended.

    Parameters
    ----------
    checkpoint : Path
        File that `run_task` wrote.
    out : Path
        File of JSON lines.
    folder : Path, default=None
        Folder of the official files, if the run was on them.
    measures : Measures
        What to measure besides the accuracy.
    cpu : bool, default=False
        Compute on the CPU, whatever else there is.

    Returns
    -------
    dict
        The row.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it holds no run, or one that is still in training, or one on
        other sequences than those of `folder`.
    """
    about = described(checkpoint)
    try:
        row = json.loads(about)
        config, source, seed = _config_of(row), row["source"], int(row["seed"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{checkpoint} does not say which run it belongs to; pass a checkpoint that "
            f"`klforecast lra` wrote, or train again"
        ) from error
    run_rows.check_file(out, source)
    if (folder is None) != (source == run_rows.SYNTHETIC):
        raise ValueError(
            f"{checkpoint} was trained on {source} sequences; "
            + ("pass no folder (--data)" if folder else "pass the folder of the files (--data)")
        )
    data = _sequences(config, folder)
    if data.sha256 != row["data_sha256"]:
        raise ValueError(
            f"the sequences have the checksum {data.sha256[:12]}..., those that {checkpoint} was "
            f"trained on {row['data_sha256'][:12]}...; pass the folder with the same files"
        )
    net = make_net(
        config,
        data,
        accelerator=make_accelerator(config.training.mixed_precision, cpu),
        seed=seed,
        checkpoint=checkpoint,
        about=about,
    )
    n_epochs, is_through = net.progress()
    if not is_through:
        raise ValueError(
            f"{checkpoint} is in the middle of its training, after epoch {n_epochs} of "
            f"{config.training.max_epochs}; run it again with its options and it goes on from there"
        )
    known = _finished(out).get(run_rows.identity(row))
    wanted = measures if known is None else measures.without(known)
    return _train_and_measure(net, config, data, row, known, out, wanted)


def _sequences(config: Config, folder: Path | None) -> TaskData:
    task = TASKS[config.task]
    if folder is None:
        return task.synthesise(**config.synthetic)
    return task.load(folder, **config.official)


def _describe(
    config: Config, data: TaskData, source: str, seed: int, processes: int
) -> dict[str, Any]:
    """The part of the row that is known before training."""
    return {
        "kind": run_rows.KIND,
        "task": config.task,
        "source": source,
        "data": config.synthetic if source == run_rows.SYNTHETIC else config.official,
        "data_sha256": data.sha256,
        "n_train": len(data.train.labels),
        "n_validation": len(data.validation.labels),
        "n_test": len(data.test.labels),
        "length": data.length,
        "n_classes": TASKS[config.task].n_classes,
        "model": config.model,
        "training": asdict(config.training),
        "seed": seed,
        "processes": processes,
        "majority": data.majority,
        "commit": machine.commit(),
        "versions": machine.versions(("accelerate",)),
        "machine": machine.machine(),
    }


def _config_of(row: Mapping[str, Any]) -> Config:
    part = "synthetic" if row["source"] == run_rows.SYNTHETIC else "official"
    settings = {part: row["data"], "model": row["model"], "training": row["training"]}
    return Config.from_dict(row["task"], settings)


def _train_and_measure(
    net: AcceleratedNet,
    config: Config,
    data: TaskData,
    row: dict[str, Any],
    known: dict[str, Any] | None,
    out: Path,
    measures: Measures,
) -> dict[str, Any]:
    """Train what its checkpoint does not hold, append the row unless it is known, then measure."""
    is_tokens = TASKS[config.task].vocab_size is not None
    train, test = Sequences(data.train, is_tokens), Sequences(data.test, is_tokens)
    writes = net.accelerator.is_main_process
    # Whatever a network raises is the result of its run, and the row says so.
    try:
        net.fit(train)
        scores = _scores(net, test) if known is None else {}
    except Exception as error:
        scores = {"error": f"{type(error).__name__}: {error}"}
    result = run_rows.complete({**row, **scores}) if known is None else dict(known)
    if known is None and writes:
        run_rows.append_run(out, result)
    if "error" in scores or not writes:
        return result
    facts = {"commit": machine.commit(), "machine": machine.machine()}
    rebuild = partial(TASKS[config.task].module, **_network_arguments(config, data))
    batch_size = config.training.batch_size
    todo = measure(net.module_, rebuild, train, test, batch_size, measures, row["seed"])
    for name, take in todo:
        value, failure = None, None
        # A measure that fails, for want of memory for one, takes neither the accuracy nor the
        # other measures along.
        try:
            value = plain(take())
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        run_rows.append_measure(out, run_rows.identity(row), name, value, failure, facts)
        run_rows.add_measure(result, name, value, failure)
    return result


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
    arguments = _network_arguments(config, data)
    return AcceleratedNet(
        task.module,
        validation=Sequences(data.validation, task.vocab_size is not None),
        **{f"module__{name}": value for name, value in arguments.items()},
        **{**training, **options},
    )


def _network_arguments(config: Config, data: TaskData) -> dict[str, Any]:
    task = TASKS[config.task]
    read = {"n_outputs": task.n_classes, "max_length": data.length, **task.reads}
    return {**read, **config.model}


def _scores(net: AcceleratedNet, test: Sequences) -> dict[str, Any]:
    return {
        "fit_seconds": sum(net.history[:, "dur"]),
        "cpu_seconds": sum(net.history[:, "cpu_seconds"]),
        "epochs": len(net.history),
        "best_epoch": net.best_epoch,
        "steps": sum(net.history[:, "train_batch_count"]),
        "validation_accuracy": net.judge(net.validation)[1],
        "accuracy": net.judge(test)[1],
        "n_parameters": n_parameters(net.module_),
    }


def _finished(out: Path) -> dict[str, dict[str, Any]]:
    if not out.exists():
        return {}
    rows = run_rows.read_runs(out)
    return {run_rows.identity(row): row for row in rows if row["error"] is None}

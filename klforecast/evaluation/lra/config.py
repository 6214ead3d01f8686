"""What a run is: the sequences, the network and the training, as a dataclass and as YAML.

A YAML file holds the configurations of several tasks, by name. `small.yaml` trains in minutes on
one core; `full.yaml` has the published sizes. Needs PyYAML (`pip install klforecast[lra]`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from klforecast.evaluation.lra.tasks import TASKS

PACKAGED = {name: Path(__file__).with_name(f"{name}.yaml") for name in ("small", "full")}
_PRECISIONS = ("no", "bf16", "fp16")


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    batch_size : int, default=64
        Sequences per step, over all processes together.
    max_epochs : int, default=20
        Passes over the training part.
    lr : float, default=1e-3
        Learning rate after the warm-up.
    weight_decay : float, default=0.01
        Of AdamW, for everything but decays, steps and frequencies.
    warmup : float, default=0.1
        Share of all steps in which the rate rises from zero; it falls along a cosine afterwards.
    clip_norm : float, default=1.0
        Largest norm of the gradient.
    patience : int, default=10
        Epochs without a lower validation loss after which training stops.
    mixed_precision : {"no", "bf16", "fp16"}, default="no"
        Precision of the products; the recurrence keeps that of the weights.
    """

    batch_size: int = 64
    max_epochs: int = 20
    lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip_norm: float = 1.0
    patience: int = 10
    mixed_precision: str = "no"

    def __post_init__(self) -> None:
        if self.mixed_precision not in _PRECISIONS:
            raise ValueError(
                f"mixed_precision is {self.mixed_precision!r}; pass one of {', '.join(_PRECISIONS)}"
            )
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is {self.warmup}; pass a share of all steps in [0, 1)")


@dataclass(frozen=True)
class Config:
    """What a run is.

    Parameters
    ----------
    task : {"listops", "text", "retrieval", "pathfinder"}
        Task.
    synthetic : dict
        Arguments of the task's generator.
    official : dict
        Arguments of the task's loader of official files, other than the folder.
    model : dict
        Arguments of `SpectralSSM`; what it reads and the length come from the data.
    training : Training
        How the network is trained.

    Examples
    --------
    >>> config = Config("listops", {"n_train": 100}, {}, {"d_model": 32}, Training(lr=0.01))
    >>> Config.from_dict("listops", config.to_dict()) == config
    True
    """

    task: str
    synthetic: dict[str, Any] = field(default_factory=dict)
    official: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    training: Training = Training()

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task is {self.task!r}; pass one of {', '.join(TASKS)}")

    @classmethod
    def from_dict(cls, task: str, values: Mapping[str, Any]) -> Self:
        """Make a configuration from what a YAML file says of a task.

        Raises
        ------
        ValueError
            If a part holds no names, or names something that does not exist.
        """
        _refuse_no_names(values, task)
        _refuse_unknown(values, {part.name for part in fields(cls)} - {"task"}, task)
        for part, of in values.items():
            _refuse_no_names(of, f"{task}.{part}")
        training = values.get("training", {})
        _refuse_unknown(training, {part.name for part in fields(Training)}, f"{task}.training")
        return cls(task, **{**values, "training": Training(**training)})

    def to_dict(self) -> dict[str, Any]:
        """What a YAML file says of the task."""
        values = asdict(self)
        del values["task"]
        return values

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Copy with other values, named PART.NAME, for example ``{"training.lr": 0.01}``."""
        values = self.to_dict()
        for name, value in changes.items():
            part, dot, key = name.partition(".")
            if part not in values or not dot:
                raise ValueError(
                    f"got a change of {name!r}; name what to change as PART.NAME, with one of the "
                    f"parts {', '.join(values)}"
                )
            values[part][key] = value
        return self.from_dict(self.task, values)


def _refuse_no_names(values: Any, place: str) -> None:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise ValueError(f"{place} is {values!r:.60}; it holds names with their values")


def _refuse_unknown(values: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{place} names {unknown}; what can be set is {', '.join(sorted(known))}")


def read_config(source: str | Path, task: str) -> Config:
    """Read the configuration of a task.

    Parameters
    ----------
    source : str or Path
        "small", "full", or a YAML file.
    task : str
        Task.

    Raises
    ------
    ValueError
        If the file is no YAML of plain values, says nothing of the task, or names something that does
        not exist.
    """
    path, yaml = PACKAGED.get(str(source), Path(source)), _yaml()
    try:
        tasks = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path} is no YAML of plain values: {said}") from error
    if not isinstance(tasks, dict) or task not in tasks:
        raise ValueError(f"{path} says nothing of {task}; it needs a section of this name")
    return Config.from_dict(task, tasks[task])


def write_config(config: Config, path: Path) -> None:
    """Write a file that `read_config` reads."""
    text = _yaml().safe_dump({config.task: config.to_dict()}, sort_keys=False)
    path.write_text(text, encoding="utf-8")


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ImportError("configurations need PyYAML: pip install klforecast[lra]") from error
    return yaml

"""What the memory of an encoder is told, apart from the memory of the linear core."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from sklearn.base import BaseEstimator

from klforecast.estimators.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    show,
)
from klforecast.modules.forecast import MEMORIES
from klforecast.modules.memory.kernel_prior import MEASURES
from klforecast.modules.memory.kl_memory import SOLVERS, STRATEGIES, WRITERS
from klforecast.modules.memory.presets import PRESETS
from klforecast.modules.memory.token_mixers import TOKEN_MIXERS
from klforecast.ops.kernels import KERNELS

_SHARED = ("memory_depth", "row_length", "n_components", "memory_tokens", "token_mixer")
_CHOICES = {
    "source": MEMORIES,
    "token_mixer": TOKEN_MIXERS,
    "strategy": STRATEGIES,
    "kernel": tuple(KERNELS),
    "measure": MEASURES,
    "writer": WRITERS,
    "solver": SOLVERS,
}


@dataclass(repr=False)
class MemoryOptions(BaseEstimator):
    """The memory of a trained encoder: where its tokens come from, and how.

    `KLMemoryForecaster` has one memory in its linear core and one in its encoder. Its own arguments
    speak of both; what is given here, of the encoder's alone. So ``memory="history"`` and
    ``MemoryOptions(source="none")`` is an encoder without tokens on a core with a history.

    Like an estimator it is cloned, searched (``memory_options__tau``), compared and saved with the
    forecaster.

    Parameters
    ----------
    source : {"history", "trajectory", "none"} or None, default=None
        Whose states are remembered. None: those that `memory` of the forecaster names.
    memory_depth : int or None, default=None
        Steps that the memory reaches back; of a trajectory, training batches. None: as the forecaster
        says if it says it of the same source, else chosen.
    row_length : int or None, default=None
        Steps of the series in a row of the history: 1 for raw steps, 0 for patches. None: one cycle,
        and patches where there is none.
    n_components, memory_tokens : int or None, default=None
        None: as the forecaster says.
    token_mixer : {"factorized", "dense", "bottleneck"} or None, default=None
        None: as the forecaster says.
    strategy : {"empirical", "kernel", "feature"}, default="empirical"
        What is decomposed: the covariance of the rows over time, a smoothness prior, or the
        similarity of their directions.
    kernel : {"exponential", "gaussian", "matern", "matern32"}, default="exponential"
        Of the smoothness prior. ``"matern"`` is that of the paper's code, (1 + r) exp(-r);
        ``"matern32"`` is the textbook's, with r sqrt(3) for r.
    tau : float, default=64.0
        Time scale of that kernel, in rows of the history or in training batches.
    measure : {"interval", "unit"}, default="interval"
        Weight of a row under that kernel: tau / (T - 1), as the paper has it, or 1 / T.
    scale_by_eigenvalue : bool, default=True
        Whether components are multiplied by the square roots of their eigenvalues.
    center : bool or None, default=None
        Whether the mean over the rows is taken off. None: that of a trajectory, as the paper does, and
        not that of a history, whose mean over cycles is the mean cycle.
    writer : {"attention", "mean"}, default="attention"
        How a training batch becomes one row of a trajectory.
    detach : bool, default=True
        Whether gradients stop at the components, as the paper does. With False the states of a
        history, and the writer of a trajectory, learn through them.
    solver : {"exact", "online"}, default="exact"
        Whether all that is kept is decomposed, or a factor of it updated.
    reset_before_predict : bool, default=False
        Ablation: a memory that is empty whenever it does not train, as in the paper's code.

    Examples
    --------
    >>> from klforecast import KLMemoryForecaster, MemoryOptions
    >>> options = MemoryOptions(strategy="kernel", tau=12.0)
    >>> forecaster = KLMemoryForecaster(encoder="gru", memory_options=options)
    >>> forecaster.set_params(memory_options__tau=24.0).memory_options.tau
    24.0
    >>> MemoryOptions.preset("v4").token_mixer
    'dense'
    """

    source: str | None = None
    memory_depth: int | None = None
    row_length: int | None = None
    n_components: int | None = None
    memory_tokens: int | None = None
    token_mixer: str | None = None
    strategy: str = "empirical"
    kernel: str = "exponential"
    tau: float = 64.0
    measure: str = "interval"
    scale_by_eigenvalue: bool = True
    center: bool | None = None
    writer: str = "attention"
    detach: bool = True
    solver: str = "exact"
    reset_before_predict: bool = False

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """Options of a published variant, with some of them changed.

        Parameters
        ----------
        name : {"v1", "v2", "v3", "v4", "factorized", "spectral-memory"}
            A key of `klforecast.modules.memory.presets.PRESETS`.
        **changes
            Options that replace those of the variant.

        Raises
        ------
        ValueError
            If there is no variant of that name.
        """
        check_choice("preset", name, tuple(PRESETS))
        return cls(**{**PRESETS[name], **changes})

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """Read the argument of a forecaster: None, the name of a variant, or options.

        Raises
        ------
        TypeError, ValueError
            If it is anything else, or an option cannot be.
        """
        if isinstance(value, str):
            check_choice("memory_options", value, tuple(PRESETS))
            return cls.preset(value)
        if value is not None and not isinstance(value, cls):
            raise TypeError(
                f"memory_options is {show(value)}; pass MemoryOptions(...), the name of a preset "
                f"({', '.join(map(repr, PRESETS))}) or None"
            )
        if value is not None:
            value._check()
        return value

    def of_encoder(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of a forecaster as its encoder reads them: these options before its own.

        Parameters
        ----------
        arguments : mapping
            Constructor arguments of the forecaster.

        Returns
        -------
        dict
            Those that differ; `memory_options` in it are what `KLMemory` takes besides.
        """
        source = self.source or arguments["memory"]
        read: dict[str, Any] = {"memory": source}
        if source != arguments["memory"]:
            read["memory_depth"] = None
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in given.items() if value is not None}
        read |= {name: given[name] for name in _SHARED if name in given}
        read["memory_options"] = {
            name: value for name, value in given.items() if name not in (*_SHARED, "source")
        }
        return read

    def _check(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) is not None:
                check_choice(f"memory_options.{name}", getattr(self, name), choices)
        for name, least in (
            ("memory_depth", 1),
            ("row_length", 0),
            ("n_components", 1),
            ("memory_tokens", 1),
        ):
            check_integer(f"memory_options.{name}", getattr(self, name), least, optional=True)
        check_number("memory_options.tau", self.tau, 0, above_low=True)
        for name in ("scale_by_eigenvalue", "detach", "reset_before_predict"):
            check_flag(f"memory_options.{name}", getattr(self, name))
        if self.center is not None:
            check_flag("memory_options.center", self.center)

"""What a user may ask of a network and of its training: frozen records, made once from flat arguments.

Their defaults are the only ones; the estimator and the module spell the same names and values, and a
test holds them equal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from klforecast.training.processes import ACCELERATE, Processes

_WINDOW = (
    96  # the lookback that iTransformer (arXiv:2310.06625) and later encoders are published at
)
_DEPTH = (
    432  # two weeks of hours before that window; tokens of a deeper history were found to overfit
)
_N_COMPONENTS = 5  # of at most 14 daily rows, which is what those two weeks have


@dataclass(frozen=True)
class EncoderOptions:
    """Options of `klforecast.modules.forecast.ForecastModule`, which explains them.

    Those that are None here depend on the series, see `sized`.
    """

    encoder: str = "transformer"
    input_length: int | None = None
    memory: str = "history"
    memory_depth: int | None = None
    row_length: int | None = None
    n_components: int | None = None
    memory_tokens: int = 4
    token_mixer: str = "factorized"
    memory_options: Mapping[str, Any] | None = None
    d_model: int = 64
    n_layers: int = 2
    n_heads: int = 4
    d_ff: int | None = None
    patch_length: int = 16
    dropout: float = 0.1

    def sized(self, rows: int, period: int) -> "EncoderOptions":
        """Choose what was left open.

        Parameters
        ----------
        rows : int
            Of the longest series. Window and memory are no longer than a quarter and a half of them.
        period : int
            Steps of one cycle: the rows of the history. Of 1, that is none, they are patches.

        Examples
        --------
        >>> sized = EncoderOptions().sized(rows=200, period=24)
        >>> sized.input_length, sized.memory_depth, sized.row_length
        (50, 100, 24)
        """
        row_length = (period if period > 1 else 0) if self.row_length is None else self.row_length
        window = self.input_length or max(1, min(_WINDOW, rows // 4))
        depth = max(min(_DEPTH, rows // 2), window + (row_length or self.patch_length))
        if self.memory_depth is not None:
            # Of a trajectory it is a number of batches.
            least = 1 if self.memory == "trajectory" else window + (row_length or self.patch_length)
            depth = max(self.memory_depth, least)
        return replace(
            self,
            input_length=window,
            memory_depth=depth,
            row_length=row_length,
            n_components=self.n_components or _N_COMPONENTS,
        )

    def module_arguments(self) -> dict[str, Any]:
        """Keyword arguments of the module; what is open is left to its defaults."""
        arguments = asdict(self)
        open_ones = ("input_length", "memory_depth", "row_length", "n_components")
        return {
            name: value
            for name, value in arguments.items()
            if value is not None or name not in open_ones
        }


@dataclass(frozen=True)
class TrainingOptions:
    """How a net is trained.

    Parameters
    ----------
    max_epochs, batch_size : int
        Passes over the training windows at most; windows in a step.
    lr, weight_decay : float
        Of AdamW. A decay of 0 is Adam.
    lr_schedule : str
        How the rate goes on from epoch to epoch: a key of `klforecast.training.callbacks.SCHEDULES`.
    loss : {"mse", "mae"}
        What training steps lower. Epochs are judged by their squared error all the same.
    patience : int or None
        Epochs without improvement after which training stops; None: never.
    validation_fraction : float
        Newest share of the rows of each series that validates, at least one horizon.
    callbacks : sequence or None
        skorch callbacks; they are cloned.
    device : str
        "auto" is the first CUDA device if there is one, else Apple's ("mps"), else the CPU; "accelerate" is that
        of each process of a launcher, see `klforecast.training.processes`.
    verbose : int
        1 prints a line for each epoch.
    random_state : int, RandomState or None
        The same seed gives the same numbers on the same machine.
    """

    max_epochs: int = 10
    batch_size: int = 64
    lr: float = 1e-3
    lr_schedule: str = "cosine"
    weight_decay: float = 1e-2
    loss: str = "mse"
    patience: int | None = 3
    validation_fraction: float = 0.2
    callbacks: Sequence[Callback | tuple[str, Callback]] | None = None
    device: str = "auto"
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    def net_arguments(self) -> dict[str, Any]:
        """Keyword arguments of `klforecast.training.nets.ForecastNet`."""
        own = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        decay = own.pop("weight_decay")
        callbacks = own["callbacks"]
        together = self.device == ACCELERATE
        processes = Processes.launched() if together else Processes()
        return own | {
            "optimizer__weight_decay": decay,
            "device": processes.device if together else resolve_device(self.device),
            "processes": processes,
            # One of them speaks for all.
            "verbose": self.verbose if processes.place == 0 else 0,
            "callbacks": clone(list(callbacks), safe=False) if callbacks else None,
        }


def resolve_device(device: str) -> str:
    """Name the device that "auto" stands for.

    Parameters
    ----------
    device : str
        "auto", or any device of torch.
    """
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

"""The one training loop of all peer networks.

A peer is a torch module `past (batch, lookback, channels) -> forecast (batch, horizon, channels)`
and a `Recipe`: the lookback and the training schedule that its authors published. The loop is the
usual one of long-horizon forecasting papers: Adam on the mean squared error over shuffled windows,
early stopping on the last rows, the weights of the best epoch restored.

It is not the training of `klforecast.evaluation.benchmark.encoder_recipes`, and cannot be: there the
encoders of the same names run inside `KLMemoryForecaster`, with its normalisation, gate and choice of
weights, to hold the estimator to the papers; here the networks run alone, as their authors run them,
to be compared with. Where both name a setting it is the same one (`tests/evaluation/test_peers.py`).

Left out: dropping the last incomplete batch (every window is used, in training and in validation),
mixed precision, and checkpoints on disk (the best weights stay in memory).
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from klforecast.evaluation.benchmark.baselines import require_past
from klforecast.training.callbacks import SCHEDULES
from klforecast.training.seeding import seeded

_EVALUATION_BATCH = 256  # windows; only memory depends on it


@dataclass(frozen=True)
class Recipe:
    """A peer's published lookback and training schedule.

    Attributes
    ----------
    lookback : int
        Steps of the past that the network sees.
    batch_size, max_epochs, patience : int
        Windows per step; the most epochs; epochs without a better validation error before stopping.
    learning_rate : float
        Adam's step size in the first epoch.
    schedule : str
        A key of `klforecast.training.callbacks.SCHEDULES`: "halve" keeps the step size for two
        epochs and then halves it after every epoch; "slow-decay" keeps it for four epochs and then
        takes off a tenth per epoch.
    """

    lookback: int
    batch_size: int = 32
    max_epochs: int = 10
    patience: int = 3
    learning_rate: float = 1e-3
    schedule: str = "halve"


def gather_windows(
    series: Tensor,  # (time, channels)
    starts: Tensor,  # (batch,) first row of each window
    length: int,
) -> Tensor:  # (batch, length, channels)
    """Copy the windows that begin at `starts`."""
    return series[starts[:, None] + torch.arange(length)]


class PeerForecaster:
    """A peer network trained by its recipe; the harness uses `fit` and `predict_windows`.

    Parameters
    ----------
    build : callable
        `build(lookback, horizon, channels)` returns the untrained torch module.
    recipe : Recipe
        Published lookback and schedule.
    horizon : int
        Steps ahead.
    validation_rows : int
        The last rows of the series given to `fit`, on which training is stopped. They are neither
        trained on nor used for the scaling.
    random_state : int
        Seed of the weights, the shuffling and the dropout. The global generators are left as they
        were.
    device : str, default="cpu"
        Where the network is trained and read.
    **architecture
        Settings that `build` already holds, kept here so that `get_params` can report them.
    """

    def __init__(
        self,
        build: Callable[[int, int, int], nn.Module],
        recipe: Recipe,
        *,
        horizon: int,
        validation_rows: int,
        random_state: int = 0,
        device: str = "cpu",
        **architecture: object,
    ):
        self.build = build
        self.recipe = recipe
        self.horizon = horizon
        self.validation_rows = validation_rows
        self.random_state = random_state
        self.device = device
        self.architecture = architecture

    def get_params(self) -> dict[str, object]:
        """Return every setting that decides the result, for the row of the benchmark."""
        return {
            **asdict(self.recipe),
            **self.architecture,
            "horizon": self.horizon,
            "validation_rows": self.validation_rows,
        }

    def fit(self, y: pd.DataFrame) -> "PeerForecaster":
        """Train on all rows but the last `validation_rows`, and stop on those."""
        values = torch.from_numpy(y.to_numpy(dtype=np.float32, copy=True))
        first_validation = len(values) - self.validation_rows
        length = self.recipe.lookback + self.horizon
        if self.validation_rows < self.horizon or first_validation < length:
            raise ValueError(
                f"{len(values)} rows with the last {self.validation_rows} held out for validation "
                f"do not give one training window of {self.recipe.lookback} + {self.horizon} steps "
                f"and one validation forecast; pass a longer series or a shorter lookback"
            )
        self.mean_ = values[:first_validation].mean(dim=0)
        scale = values[:first_validation].std(dim=0, correction=0)
        self.scale_ = torch.where(scale > 0, scale, torch.ones_like(scale))
        series = ((values - self.mean_) / self.scale_).to(self.device)
        training = torch.arange(first_validation - length + 1)
        validation = torch.arange(first_validation - self.recipe.lookback, len(values) - length + 1)
        with seeded(self.random_state, self.device):
            module = self.build(self.recipe.lookback, self.horizon, values.shape[1])
            self.module_ = module.to(self.device)
            self.validation_errors_ = self._train(series, training, validation)
        self.input_length_ = self.recipe.lookback
        self.memory_depth_ = self.recipe.lookback
        self.n_parameters_ = sum(p.numel() for p in self.module_.parameters() if p.requires_grad)
        return self

    def _train(self, series: Tensor, training: Tensor, validation: Tensor) -> list[float]:
        optimizer = torch.optim.Adam(self.module_.parameters(), lr=self.recipe.learning_rate)
        factor = SCHEDULES[self.recipe.schedule]
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda epoch: factor(epoch, self.recipe.max_epochs)
        )
        best, best_weights, waited = np.inf, deepcopy(self.module_.state_dict()), 0
        history = []
        for _ in range(self.recipe.max_epochs):
            self.module_.train()
            shuffled = training[torch.randperm(len(training))]
            for starts in shuffled.split(self.recipe.batch_size):
                past, future = self._split(series, starts)
                loss = nn.functional.mse_loss(self.module_(past), future)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
            history.append(self._validation_error(series, validation))
            if history[-1] < best:
                best, best_weights, waited = history[-1], deepcopy(self.module_.state_dict()), 0
            else:
                waited += 1
                if waited >= self.recipe.patience:
                    break
        self.module_.load_state_dict(best_weights)
        self.module_.eval()
        return history

    def _split(self, series: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        windows = gather_windows(series, starts, self.recipe.lookback + self.horizon)
        return windows[:, : self.recipe.lookback], windows[:, self.recipe.lookback :]

    @torch.no_grad()
    def _validation_error(self, series: Tensor, validation: Tensor) -> float:
        self.module_.eval()
        total = 0.0
        for starts in validation.split(_EVALUATION_BATCH):
            past, future = self._split(series, starts)
            total += (self.module_(past) - future).double().square().mean(dim=(1, 2)).sum().item()
        return total / len(validation)

    @torch.no_grad()
    def predict_windows(self, y: pd.DataFrame, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Forecast `horizon` steps from each cutoff; returns (cutoffs, horizon, channels)."""
        require_past(cutoffs, self.recipe.lookback)
        values = torch.from_numpy(y.to_numpy(dtype=np.float32, copy=True))
        series = ((values - self.mean_) / self.scale_).to(self.device)
        starts = torch.as_tensor(np.asarray(cutoffs)) - self.recipe.lookback
        forecasts = [
            self.module_(gather_windows(series, batch, self.recipe.lookback)).cpu() * self.scale_
            + self.mean_
            for batch in starts.split(_EVALUATION_BATCH)
        ]
        return torch.cat(forecasts).double().numpy()

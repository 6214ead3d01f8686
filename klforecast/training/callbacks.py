"""The skorch callbacks of a fit: how fast it steps, and which weights it ends with."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from torch.utils.data import Dataset

SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "cosine": lambda epoch, epochs: (1 + math.cos(math.pi * min(epoch / epochs, 1))) / 2,
    "constant": lambda epoch, epochs: 1.0,
    "halve": lambda epoch, epochs: 0.5 ** max(0, epoch - 1),
    "slow-decay": lambda epoch, epochs: 0.9 ** max(0, epoch - 3),
}
"""From an epoch, from 0, and the number of epochs to the share of the full learning rate."""


class RateSchedule(Callback):
    """Set the learning rate of every epoch.

    No scheduler is kept, so nothing of the optimiser outlives training.

    Parameters
    ----------
    schedule : str, default="cosine"
        A key of `SCHEDULES`.
    """

    def __init__(self, schedule: str = "cosine"):
        self.schedule = schedule

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Note the full rates."""
        self.epoch_ = 0
        self.rates_ = [group["lr"] for group in net.optimizer_.param_groups]

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Set the rates of this epoch."""
        factor = SCHEDULES[self.schedule](self.epoch_, net.max_epochs)
        for group, rate in zip(net.optimizer_.param_groups, self.rates_, strict=True):
            group["lr"] = factor * rate
        self.epoch_ += 1

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Put the full rates back."""
        for group, rate in zip(net.optimizer_.param_groups, self.rates_, strict=True):
            group["lr"] = rate


class WarmCosineRate(Callback):
    """Let the learning rate rise in a straight line and then fall along half a cosine, step by step.

    Parameters
    ----------
    warmup : float
        Share of all steps in which it rises, in [0, 1).
    """

    def __init__(self, warmup: float):
        self.warmup = warmup

    def on_train_begin(self, net: NeuralNet, X: Any, y: Any, **kwargs: Any) -> None:
        """Note the full rates and the number of steps to come."""
        training, _ = net.get_split_datasets(X, y)
        self.step_ = 0
        self.steps_ = net.max_epochs * len(net.get_iterator(training, training=True))
        self.rates_ = [group["lr"] for group in net.optimizer_.param_groups]

    def on_batch_begin(self, net: NeuralNet, training: bool, **kwargs: Any) -> None:
        """Set the rates of this step."""
        if training:
            factor = warm_cosine(self.step_, self.steps_, self.warmup)
            for group, rate in zip(net.optimizer_.param_groups, self.rates_, strict=True):
                group["lr"] = factor * rate
            self.step_ += 1


def warm_cosine(step: int, n_steps: int, warmup: float) -> float:
    """Share of the full rate: a rise in a straight line, then half a cosine.

    Examples
    --------
    >>> [warm_cosine(step, 10, 0.2) for step in (0, 1, 2, 6)]
    [0.5, 1.0, 1.0, 0.5]
    """
    rising = warmup * n_steps
    if step < rising:
        return (step + 1) / math.ceil(rising)
    return (1 + math.cos(math.pi * (step - rising) / (n_steps - rising))) / 2


class KeepBest(Callback):
    """End training with the best weights seen, those before the first step included.

    Candidates are judged by ``net.validate(dataset_valid)``, which returns a loss and the weights
    that have it. The best weights are held in memory, and only until training ends. `exhausted`
    tells the net when to stop.

    Parameters
    ----------
    patience : int or None, default=3
        Epochs without improvement after which training is exhausted; None: never.

    Attributes
    ----------
    best_loss_ : float
        Lowest validation loss.
    best_epoch_ : int
        Epochs trained when it was reached; 0 is before the first step.
    """

    def __init__(self, patience: int | None = 3):
        self.patience = patience

    @property
    def exhausted(self) -> bool:
        """Whether `patience` epochs have passed without improvement."""
        return self.patience is not None and self.epochs_ - self.best_epoch_ >= self.patience

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget the candidates of earlier training."""
        self.best_loss_ = math.inf
        self.best_epoch_ = 0
        self.epochs_ = 0
        self.weights_: dict[str, Any] | None = None

    def on_epoch_begin(self, net: NeuralNet, dataset_valid: Dataset, **kwargs: Any) -> None:
        """Judge the weights before the first step."""
        if self.weights_ is None:
            self._judge(net, dataset_valid)

    def on_epoch_end(self, net: NeuralNet, dataset_valid: Dataset, **kwargs: Any) -> None:
        """Judge the weights after this epoch."""
        self.epochs_ += 1
        net.history.record("judged_loss", self._judge(net, dataset_valid))

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Load the best weights."""
        if self.weights_ is not None:
            net.module_.load_state_dict(self.weights_)
        self.weights_ = None

    def _judge(self, net: NeuralNet, dataset_valid: Dataset) -> float:
        loss, weights = net.validate(dataset_valid)
        if loss < self.best_loss_:
            self.best_loss_, self.best_epoch_ = loss, self.epochs_
            self.weights_ = deepcopy(weights)
        return loss

"""A skorch net whose weights are judged after every epoch, and that ends with the best ones."""

from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback

from klforecast.training.callbacks import KeepBest, RateSchedule


class JudgedNet(NeuralNet):
    """Base of nets with a falling learning rate and early stopping; see `KeepBest` for `validate`.

    A subclass sets `patience`, epochs without improvement after which training stops (None: never),
    and may set `lr_schedule`, see `SCHEDULES`.
    """

    patience: int | None
    lr_schedule: str = "cosine"

    def get_default_callbacks(self) -> list:
        """Those of skorch, and the two that rule how training goes down and ends."""
        return [
            *super().get_default_callbacks(),
            ("rate", self.rate_callback()),
            ("keep_best", KeepBest(self.patience)),
        ]

    def rate_callback(self) -> Callback:
        """Rule of the learning rate."""
        return RateSchedule(self.lr_schedule)

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Stop where `KeepBest` is exhausted, before the epoch enters the history."""
        if dict(self.callbacks_)["keep_best"].exhausted:
            raise KeyboardInterrupt  # how training is ended in skorch
        super().on_epoch_begin(net, **kwargs)

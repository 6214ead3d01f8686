"""What every training loop does with a batch, whatever the net."""

from typing import Any

from torch import Tensor

from klforecast.exceptions import KLForecastError


def as_they_come(batch: Any) -> Any:
    """Collate nothing: the data set has gathered the batch already."""
    return batch


def require_finite_loss(loss: Tensor, epoch: int) -> None:
    """Raise a KLForecastError that names the epoch, counted from one, if a loss is not finite."""
    if not loss.isfinite():
        raise KLForecastError(
            f"the training loss became {loss.item()} in epoch {epoch}; pass a smaller lr, or look "
            "for values far from the rest in the series"
        )

"""A skorch net that classifies padded sequences, alone or as a correction of given scores.

The rate rises, then falls along a cosine, step by step; a little noise on the series and soft labels
keep small training parts from being learned by heart. Early stopping looks at the sequences that are
held out and at nothing else; the weights that were best on them are kept, those before the first
step included.
"""

import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Subset

from klforecast.modules.ssm.heads import SequencePredictor
from klforecast.modules.ssm.layer import MASK_RATE, NOT_DECAYED
from klforecast.modules.ssm.mask import ModeMask
from klforecast.training.batches import require_finite_loss
from klforecast.training.callbacks import WarmCosineRate
from klforecast.training.judged_net import JudgedNet
from klforecast.training.seeding import seeded

_GRADIENT_NORM = 1.0  # of all parameters together; the usual clip of recurrent networks
LABEL_SMOOTHING = (
    0.05  # share of a label spread over all classes: few training series are soon known by heart
)
_NOISE = 0.05  # in standard deviations of a channel
_WARMUP = 0.3  # share of the steps in which the rate rises, as in the one-cycle schedule of torch

# The steps of an optimiser that a network gets by default, fewer where series are so long that they
# would read more than this in time steps; these take about 20 seconds of one core.
_STEPS = 300
_READ = 1_250_000
_FEWEST_EPOCHS = 2

_FROZEN_SHARE = 0.2  # last part of training in which masks stay as they are
_LAST_TEMPERATURE = (
    0.1  # at which a mask is nearly zero or one: sigmoid(3 / 0.1) is one to twelve digits
)


class SequenceNet(JudgedNet):
    """Train a `SequencePredictor` on padded sequences.

    Parameters
    ----------
    held_out : sequence of int, default=()
        Sequences that validate; without any, all validate and all train.
    lr : float, default=0.003
        Largest learning rate; that of adaptive masks is ten times as large.
    max_epochs : int, default=10
        Passes over the training part at most; see `affordable_epochs`.
    patience : int, default=30
        Epochs without improvement after which training stops.
    zero_start : bool, default=False
        Start without an answer of its own, for a network that corrects given logits.
    seed : int, default=0
        For weights, the order of sequences, noise and dropout.
    **options
        Of `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: type[nn.Module] = SequencePredictor,
        *,
        held_out: Sequence[int] = (),
        lr: float = 3e-3,
        max_epochs: int = 10,
        patience: int = 30,
        zero_start: bool = False,
        seed: int = 0,
        criterion: type[nn.Module] = nn.CrossEntropyLoss,
        optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        **options: Any,
    ):
        rates = {"*logits": {"lr": MASK_RATE * lr}}
        options.setdefault(
            "optimizer__param_groups",
            [(name, {"weight_decay": 0.0, **rates.get(name, {})}) for name in NOT_DECAYED],
        )
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            **options,
        )
        self.held_out = held_out
        self.patience = patience
        self.zero_start = zero_start
        self.seed = seed

    def fit(self, X: dict[str, Tensor], y: Tensor, **fit_params: Any) -> Self:
        """Forget everything and train.

        Parameters
        ----------
        X : dict of Tensor
            x, (n, length, channels); mask, (n, length), True where observed; gaps, (n, length), if
            times are uneven; start, (n, classes), logits that the network's are added to; and
            weight, (n,), of each sequence in the loss.
        y : Tensor, (n,)
            Classes, integers from 0.

        Raises
        ------
        KLForecastError
            If the training loss is not finite.
        """
        with seeded(self.seed, self.device):
            super().fit(X, y, **fit_params)
        self.optimizer_.state.clear()
        return self

    def initialize_module(self) -> Self:
        """Make the network."""
        super().initialize_module()
        if self.zero_start:
            for parameter in self.module_.head.parameters():
                nn.init.zeros_(parameter)
        return self

    def get_default_callbacks(self) -> list:
        """Those of every judged net, and the one that rules the masks."""
        return [*super().get_default_callbacks(), ("masks", SettleMasks())]

    def rate_callback(self) -> Callback:
        """Rise, then fall step by step."""
        return WarmCosineRate(_WARMUP)

    def get_split_datasets(
        self, X: dict[str, Tensor], y: Tensor, **fit_params: Any
    ) -> tuple[Subset, Subset]:
        """Train on what is not held out."""
        data, everything = Dataset(X, y), range(len(y))
        training = sorted(set(everything) - set(self.held_out))
        return Subset(data, training), Subset(data, sorted(self.held_out) or everything)

    def run_single_epoch(self, iterator: Any, training: bool, **kwargs: Any) -> None:
        """Train for an epoch; at what validates `KeepBest` alone looks."""
        if training:
            super().run_single_epoch(iterator, training=training, **kwargs)

    def infer(self, x: dict[str, Tensor], **fit_params: Any) -> Tensor:
        """Logits: those given plus those of the network."""
        inputs = {name: x[name] for name in ("x", "mask", "gaps") if name in x}
        return x["start"].to(self.device) + super().infer(inputs, **fit_params)

    def validate(self, dataset: Subset) -> tuple[float, dict[str, Tensor]]:
        """Cross-entropy of the present weights, and the weights, for `KeepBest`."""
        total = weight = 0.0
        for batch in self.get_iterator(dataset):
            inputs, labels = batch
            loss = self.get_loss(self.evaluation_step(batch), labels, inputs)
            total += loss.item() * float(inputs["weight"].sum())
            weight += float(inputs["weight"].sum())
        return total / weight, self.module_.state_dict()

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: dict[str, Tensor], training: bool = False
    ) -> Tensor:
        """Cross-entropy, each sequence counting by its own weight and that of its class."""
        labels, weights = y_true.to(self.device), X["weight"].to(self.device)
        of_class = self.criterion_.weight
        losses = F.cross_entropy(
            y_pred,
            labels,
            of_class,
            label_smoothing=self.criterion_.label_smoothing,
            reduction="none",
        )
        total = weights.sum() if of_class is None else weights @ of_class[labels]
        return weights @ losses / total

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take the gradients of one batch, in noise, cut to a norm of one."""
        inputs, labels = batch
        noisy = inputs["x"] + _NOISE * torch.randn_like(inputs["x"])
        step = super().train_step_single(({**inputs, "x": noisy}, labels), **fit_params)
        require_finite_loss(step["loss"], len(self.history))
        nn.utils.clip_grad_norm_(self.module_.parameters(), _GRADIENT_NORM)
        return step


def affordable_epochs(n_series: int, length: int, batch_size: int) -> int:
    """Epochs of 300 steps in all, of fewer where series are long, and at least two.

    Parameters
    ----------
    n_series, length, batch_size : int
        Series to train on, the steps of the longest, and the series of a batch.

    Examples
    --------
    >>> affordable_epochs(40, 100, batch_size=16), affordable_epochs(2000, 100, batch_size=16)
    (100, 3)
    """
    steps = min(_STEPS, _READ / (batch_size * length))
    return max(_FEWEST_EPOCHS, math.ceil(steps / math.ceil(n_series / batch_size)))


class SettleMasks(Callback):
    """Narrow the gradients of adaptive masks while training goes on, and then keep the masks.

    The temperature falls from 1 to 0.1 in equal steps of its logarithm; in the last fifth of the
    epochs the masks do not change any more, so that the weights are trained for the modes that stay.
    """

    def on_epoch_begin(self, net: JudgedNet, **kwargs: Any) -> None:
        """Set the temperature of this epoch."""
        done = (len(net.history) - 1) / net.max_epochs
        for mask in (part for part in net.module_.modules() if isinstance(part, ModeMask)):
            if mask.logits is not None:
                mask.temperature = _LAST_TEMPERATURE ** min(done / (1 - _FROZEN_SHARE), 1)
                mask.logits.requires_grad_(done < 1 - _FROZEN_SHARE)

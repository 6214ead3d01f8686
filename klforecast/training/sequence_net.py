"""A skorch net that classifies padded sequences, and the ensemble of such nets.

Early stopping looks at a stratified part of the training series and at nothing else; the weights
that were best on it are kept, those before the first step included.
"""

from collections.abc import Sequence
from typing import Any, Self

import torch
from skorch.dataset import Dataset
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Subset

from klforecast.exceptions import KLForecastError
from klforecast.modules.ssm_heads import SequencePredictor
from klforecast.training.fit import resolve_device
from klforecast.training.judged_net import JudgedNet
from klforecast.training.seeding import seeded

_GRADIENT_NORM = 1.0


class SequenceNet(JudgedNet):
    """Train a `SequencePredictor` on padded sequences.

    Parameters
    ----------
    validation_fraction : float, default=0.2
        Share of the sequences of each class that validates.
    patience : int, default=20
        Epochs without improvement after which training stops.
    seed : int, default=0
        For weights, the split, the order of sequences and dropout.
    **options
        Of `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: type[nn.Module] = SequencePredictor,
        *,
        validation_fraction: float = 0.2,
        patience: int = 20,
        seed: int = 0,
        criterion: type[nn.Module] = nn.CrossEntropyLoss,
        optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        **options: Any,
    ):
        super().__init__(module, criterion=criterion, optimizer=optimizer, **options)
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.seed = seed

    def fit(self, X: dict[str, Tensor], y: Tensor, **fit_params: Any) -> Self:
        """Forget everything and train.

        Parameters
        ----------
        X : dict of Tensor
            x, (n, length, channels), and mask, (n, length), True where observed.
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

    def get_split_datasets(
        self, X: dict[str, Tensor], y: Tensor, **fit_params: Any
    ) -> tuple[Subset, Subset]:
        """Split by class; where no class can spare a sequence, validate on the training part."""
        validation = _stratified(y, self.validation_fraction)
        training = sorted(set(range(len(y))) - set(validation))
        data = Dataset(X, y)
        return Subset(data, training), Subset(data, validation or training)

    def validate(self, dataset: Subset) -> tuple[float, dict[str, Tensor]]:
        """Cross-entropy of the present weights, and the weights, for `KeepBest`."""
        total = 0.0
        for batch in self.get_iterator(dataset):
            logits = self.evaluation_step(batch)
            loss = self.criterion_(logits, batch[1].to(self.device))
            total += loss.item() * len(batch[1])
        return total / len(dataset), self.module_.state_dict()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take the gradients of one batch, cut to a norm of one."""
        step = super().train_step_single(batch, **fit_params)
        if not step["loss"].isfinite():
            raise KLForecastError(
                f"the training loss became {step['loss'].item()} in epoch {len(self.history)}; "
                "pass a smaller lr, or look for values far from the rest in the series"
            )
        nn.utils.clip_grad_norm_(self.module_.parameters(), _GRADIENT_NORM)
        return step


class SequenceEnsemble:
    """Nets that differ in their seed; their probabilities are averaged.

    Parameters
    ----------
    n_estimators : int
        Nets.
    seed : int
        Of the first net; the next ones count up.
    net : dict
        Options of `SequenceNet`: max_epochs, batch_size, lr, patience, device, verbose ...
    backbone : dict
        Arguments of `SpectralSSM`, except the channels.
    """

    def __init__(self, n_estimators: int, seed: int, net: dict[str, Any], backbone: dict[str, Any]):
        self.n_estimators = n_estimators
        self.seed = seed
        self.net = net
        self.backbone = backbone

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        labels: Tensor,  # (n,), integers from 0
        class_weights: Tensor,  # (classes,)
    ) -> Self:
        """Learn the scales and train the nets."""
        steps = torch.cat(list(series), dim=1)
        self.mean_ = steps.mean(1, keepdim=True)
        deviation = steps.std(1, keepdim=True, correction=0)
        self.scale_ = torch.where(deviation > 0, deviation, 1.0)
        data = self._padded(series, torch.float32)
        options = {**self.net, "device": resolve_device(self.net["device"])}
        self.nets_ = [
            SequenceNet(
                module__n_outputs=len(class_weights),
                module__n_channels=len(steps),
                module__max_length=max(values.shape[1] for values in series),
                **{f"module__{name}": value for name, value in self.backbone.items()},
                criterion__weight=class_weights.float(),
                seed=self.seed + number,
                **options,
            ).fit(data, labels)
            for number in range(self.n_estimators)
        ]
        for net in self.nets_:
            # In double precision the answer for a series does not depend on its batch.
            net.module_.double()
        return self

    def scores(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n, classes)
        """Logarithms of the mean probabilities."""
        batch = self.net["batch_size"]
        parts = [self._logits(series[i : i + batch]) for i in range(0, len(series), batch)]
        return torch.cat(parts, dim=1).softmax(-1).mean(0).log()

    def probabilities(self, scores: Tensor) -> Tensor:  # (n, classes)
        """Turn scores into probabilities."""
        return scores.softmax(dim=1)

    def compress(self) -> None:
        """Remove the modes that the masks of the nets do not keep."""
        for net in self.nets_:
            net.module_.backbone.compress()

    @torch.no_grad()
    def _logits(self, series: Sequence[Tensor]) -> Tensor:  # (nets, n, classes)
        # Not through the net's iterator, which draws from torch's global generator.
        data = self._padded(series, torch.float64)
        logits = []
        for net in self.nets_:
            inputs = {name: values.to(net.device) for name, values in data.items()}
            logits.append(net.module_.eval()(**inputs).cpu())
        return torch.stack(logits)

    def _padded(self, series: Sequence[Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
        scaled = [((values - self.mean_) / self.scale_).T.to(dtype) for values in series]
        lengths = torch.tensor([len(values) for values in scaled])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        return {"x": pad_sequence(scaled, batch_first=True), "mask": mask}


def _stratified(labels: Tensor, fraction: float) -> list[int]:
    """Indices of a share of each class, at least one of a class of four or more."""
    chosen = []
    for label in labels.unique():
        members = torch.nonzero(labels == label)[:, 0]
        count = max(int(fraction * len(members)), int(len(members) >= 4 and fraction > 0))
        chosen.append(members[torch.randperm(len(members))[:count]])
    return torch.cat(chosen).sort().values.tolist()

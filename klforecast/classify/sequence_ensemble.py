"""Networks that classify together, each judged by series that it has not trained on.

    scores(x) = log mean_k softmax(start(x) + net_k(x))

Refining, `start` is the closed form: while a network trains, the score of each training series is
that of the closed form of all others, so that the network learns what the closed form gets wrong on
series it does not know. A network starts at zero and ends with the weights that were best on the
series it is judged by, so that one that helps nowhere stays zero. Alone, `start` is zero.
"""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.filter_features import channel_scale
from klforecast.classify.sequence_net import LABEL_SMOOTHING, SequenceNet, affordable_epochs
from klforecast.classify.uneven import evenly
from klforecast.modules.states import in_double
from klforecast.training.options import resolve_device


class SequenceEnsemble:
    """Nets that differ in their seed and in the series they are judged by.

    Parameters
    ----------
    n_estimators : int
        Nets.
    seed : int
        Of the closed form and the first net; the next nets count up.
    validation_fraction : float
        Share of each class that a net does not train on; another part for each net.
    start : ClosedFormClassifier or None
        What the nets correct, not yet fitted; None if they answer alone.
    net : dict
        Options of `SequenceNet`: batch_size, lr, patience, device, verbose ...; and max_epochs,
        None for `affordable_epochs`.
    backbone : dict
        Arguments of `SpectralSSM`, except the channels.
    timed : bool, default=False
        Whether the last row of every series is its gaps; see `klforecast.classify.uneven`.

    Attributes
    ----------
    nets_ : list of SequenceNet
    """

    n_estimators: int
    seed: int
    validation_fraction: float
    start: ClosedFormClassifier | None
    net: dict[str, Any]
    backbone: dict[str, Any]
    timed: bool = False  # as in files from before there were timed series
    mean_: Tensor
    scale_: Tensor
    n_classes_: int
    nets_: list[SequenceNet]

    def __init__(
        self,
        n_estimators: int,
        seed: int,
        validation_fraction: float,
        start: ClosedFormClassifier | None,
        net: dict[str, Any],
        backbone: dict[str, Any],
        timed: bool = False,
    ):
        self.n_estimators = n_estimators
        self.seed = seed
        self.validation_fraction = validation_fraction
        self.start = start
        self.net = net
        self.backbone = backbone
        self.timed = timed

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        labels: Tensor,  # (n,), integers from 0
        class_weights: Tensor,  # (classes,)
        row_weights: Tensor | None = None,  # (n,), above 0; None: one each
    ) -> Self:
        """Fit the closed form if there is one, learn the scales, and train the nets."""
        steps = torch.cat([self._values(timed) for timed in series], dim=1)
        self.mean_ = steps.mean(1, keepdim=True)
        self.scale_ = channel_scale(steps)
        self.n_classes_ = len(class_weights)
        if self.start is not None:
            self.start.fit(self._even(series), labels, class_weights, row_weights)
            logits = self.start.left_out_
        else:
            logits = torch.zeros(len(series), self.n_classes_)
        precision = torch.get_default_dtype()  # that of the weights
        weights = torch.ones(len(series)) if row_weights is None else row_weights
        data = self._padded(series, precision) | {
            "start": logits.to(precision),
            "weight": weights.to(precision),
        }
        options = {**self.net, "device": resolve_device(self.net["device"])}
        length = max(values.shape[1] for values in series)
        parts = held_out_parts(labels, self.validation_fraction, self.n_estimators, self.seed)
        self.nets_ = [
            SequenceNet(
                module__n_outputs=self.n_classes_,
                module__n_channels=len(steps),
                module__max_length=length,
                **{f"module__{name}": value for name, value in self.backbone.items()},
                criterion__weight=class_weights.to(precision),
                criterion__label_smoothing=LABEL_SMOOTHING,
                held_out=part,
                zero_start=self.start is not None,
                seed=self.seed + number,
                **options | {"max_epochs": self._epochs(len(series) - len(part), length)},
            ).fit(data, labels)
            for number, part in enumerate(parts)
        ]
        for net in self.nets_:
            # In double precision the answer for a series does not depend on its batch.
            in_double(net.module_)
        return self

    def scores(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n, classes)
        """Logarithms of the mean probabilities."""
        batch = self.net["batch_size"]
        nets = torch.cat(
            [self._logits(series[i : i + batch]) for i in range(0, len(series), batch)], dim=1
        )
        start = torch.zeros(len(series), self.n_classes_, dtype=nets.dtype)
        if self.start is not None:
            start = self.start.scores(self._even(series))
        return (start + nets).log_softmax(-1).logsumexp(0).log_softmax(-1)

    def probabilities(self, scores: Tensor) -> Tensor:  # (n, classes)
        """Turn scores into probabilities."""
        return scores.softmax(dim=1)

    def compress(self) -> None:
        """Remove the modes that the masks of the nets do not keep."""
        for net in self.nets_:
            net.module_.backbone.compress()

    def _epochs(self, n_series: int, length: int) -> int:
        if self.net["max_epochs"] is not None:
            return self.net["max_epochs"]
        return affordable_epochs(n_series, length, self.net["batch_size"])

    @torch.no_grad()
    def _logits(self, series: Sequence[Tensor]) -> Tensor:  # (nets, n, classes)
        # Not through the nets' iterators, which draw from torch's global generator.
        data = self._padded(series, torch.float64)
        logits = []
        for net in self.nets_:
            device = next(net.module_.parameters()).device
            inputs = {name: values.to(device) for name, values in data.items()}
            logits.append(net.module_.eval()(**inputs).cpu())
        return torch.stack(logits)

    def _padded(self, series: Sequence[Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
        scaled = [
            ((self._values(timed) - self.mean_) / self.scale_).T.to(dtype) for timed in series
        ]
        lengths = torch.tensor([len(values) for values in scaled])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        padded = {"x": pad_sequence(scaled, batch_first=True), "mask": mask}
        if self.timed:
            gaps = [timed[-1].to(dtype) for timed in series]
            padded["gaps"] = pad_sequence(gaps, batch_first=True, padding_value=1.0)
        return padded

    def _values(self, series: Tensor) -> Tensor:  # (channels, length)
        return series[:-1] if self.timed else series

    def _even(self, series: Sequence[Tensor]) -> Sequence[Tensor]:
        return [evenly(timed) for timed in series] if self.timed else series


def held_out_parts(
    labels: Tensor,  # (n,), integers from 0
    fraction: float,
    n_parts: int,
    seed: int,
) -> list[list[int]]:
    """Draw a share of each class for every part, at least one of a class of two or more.

    The parts of a class follow each other in a random order of its members, from the start again
    at its end: they are disjoint as long as there are members left.

    Examples
    --------
    >>> parts = held_out_parts(torch.tensor([0] * 6 + [1] * 3), 0.34, 3, seed=0)
    >>> [len(part) for part in parts], len(set(sum(parts, [])))
    ([3, 3, 3], 9)
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[int]] = [[] for _ in range(n_parts)]
    for label in labels.unique():
        members = torch.nonzero(labels == label)[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        count = max(int(fraction * len(members)), int(len(members) > 1 and fraction > 0))
        for number, part in enumerate(parts):
            places = (number * count + torch.arange(count)) % len(members)
            part += members[places].tolist()
    return [sorted(part) for part in parts]

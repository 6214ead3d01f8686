"""The ridge of a closed form as a skorch net: solved instead of stepped, and open to fine-tuning.

    output(x) = W z(x) + b        z scaled spectral features, which stay; W, b the solved ridge

The forests of the closed form are no part of it: trees have no gradients.
"""

from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.closed_form_regressor import ClosedFormRegressor
from klforecast.classify.filter_features import FilterFeatures
from klforecast.classify.kinds_ridge import KindsRidge
from klforecast.ops.checks import require_steps


class FeaturesAndHead(nn.Module):
    """Fixed spectral features and a linear map of them.

    Parameters
    ----------
    features : FilterFeatures
        Fitted.
    ridge : KindsRidge
        Solved on these features; its map is where the head starts.
    factor, shift : float
        The output is ``factor * answer of the ridge + shift``.
    """

    def __init__(
        self, features: FilterFeatures, ridge: KindsRidge, factor: float = 1.0, shift: float = 0.0
    ):
        super().__init__()
        self.features = features
        self.ridge = ridge
        weight, bias = ridge.linear_map()
        self.head = nn.Linear(weight.shape[0], weight.shape[1], dtype=weight.dtype)
        with torch.no_grad():
            self.head.weight.copy_(factor * weight.mT)
            self.head.bias.copy_(factor * bias + shift)

    def forward(
        self,
        x: Tensor,  # (n, length) or (n, channels, length), without gaps
        lengths: Tensor | None = None,  # (n,), of series that are padded at the end
    ) -> Tensor:  # (n, outputs)
        """Answers for series, float64."""
        require_steps(x.shape[-1])
        if not len(x):
            return self.head.weight.new_zeros(0, self.head.out_features)
        series = list(x[:, None] if x.dim() == 2 else x)
        if lengths is not None:
            series = [part[:, :end] for part, end in zip(series, lengths.tolist(), strict=True)]
        return self.head(self.ridge.rows(self.features.transform(series)))


def solved_net(model: ClosedFormClassifier | ClosedFormRegressor, **options: Any) -> NeuralNet:
    """Make a fitted net of the ridge of a closed form.

    Parameters
    ----------
    model : ClosedFormClassifier or ClosedFormRegressor
        Fitted. It is left as it is, whatever happens to the net.
    **options
        Of `skorch.NeuralNet`.

    Returns
    -------
    NeuralNet
        Initialised. Of a classifier it gives probabilities, of logits at the temperature of the closed
        form, and learns from class numbers, int64; of a regressor it gives numbers in the unit of the
        target, and learns from them, (n, 1), float64.
    """
    if isinstance(model, ClosedFormClassifier):
        module = FeaturesAndHead(model.features_, model.ridge_, 1 / model.temperature_)
        return linear_net(module, criterion=nn.CrossEntropyLoss, **options)
    module = FeaturesAndHead(model.features_, model.ridge_, model.scale_, model.mean_)
    return linear_net(module, criterion=nn.MSELoss, **options)


def linear_net(module: nn.Module, **options: Any) -> NeuralNet:
    """Make an initialised net of a module whose weights are solved; epochs go on from these."""
    settings = {"optimizer": torch.optim.AdamW, "train_split": None, "verbose": 0, **options}
    return NeuralNet(module, **settings).initialize()

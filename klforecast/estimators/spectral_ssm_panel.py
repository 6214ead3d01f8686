"""`SpectralSSMClassifier` for the panels of sktime: unequal lengths, and a bridge to scikit-learn.

sktime's classifiers lack what scikit-learn's meta-estimators ask for: tags, a way to say that they
are fitted, and a `reset` that leaves alone what scikit-learn parks on its sub-estimators.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags
from sktime.classification.base import BaseClassifier

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.sequence_ensemble import SequenceEnsemble
from klforecast.estimators.classifying import check_series, check_settings, learn_classifier
from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.training.rollback import unchanged_on_error

_PARKED_BY_SKLEARN = ("_parent_callback_ctx", "_skl_callbacks")


class SpectralSSMPanelClassifier(SavedSktimeEstimator, BaseClassifier):
    """Classify the series of a panel with complex state-space modes.

    The same as `SpectralSSMClassifier`, for every panel container of sktime: series may have
    several channels and unequal lengths. Works in scikit-learn's `cross_val_score`, `GridSearchCV`,
    `Pipeline`, voting and calibration too.

    Parameters
    ----------
    solver : {"closed-form", "gradient"}, default="closed-form"
        A ridge regression on pooled responses of fixed modes, or networks that correct it.
    n_filters : int or None, default=None
        Modes of the closed form, rounded up to a multiple of 32. None: 1,536, fewer where the
        training part has very many steps.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss; None: every series counts the same.
    refine : bool, default=True
        Let the networks of the gradient solver correct the closed form; False: they answer alone.
    n_estimators : int, default=3
        Networks of the gradient solver; their probabilities are averaged.
    d_model, n_layers, n_modes, n_heads : int, default=64, 2, 16, 4
        Width, blocks, complex modes per head and heads of a network.
    selective, compression_ratio, adaptive_mask, spectral_norm : default=False, 1.0, False, False
        Features of a network, see `SpectralSSMClassifier`.
    n_scales : int or None, default=None
        Different time constants among the heads; None: as many as there are heads.
    attention_layers : tuple of int, default=()
        Blocks of a network that use softmax attention instead of modes.
    bidirectional : bool, default=True
        Run a network's recurrence in both directions.
    dropout : float, default=0.1
        Share of activations dropped while a network trains.
    max_epochs : int or None, default=None
        Passes over the training part at most; None: as many as take 300 steps, fewer for long
        series, and at least 2.
    batch_size : int, default=16
        Series in a step.
    lr : float, default=0.003
        Largest learning rate; it rises for three tenths of the steps and falls along a cosine.
    patience : int, default=30
        Epochs without improvement after which training stops.
    validation_fraction : float, default=0.2
        Share of each class that a network does not train on and that stops it; another part for
        each network.
    device : str, default="auto"
        Of the networks. "auto" is the first CUDA device if there is one, else the CPU.
    verbose : int, default=0
        1 prints a line for each epoch.
    random_state : int, RandomState or None, default=None
        For everything that is drawn.

    Attributes
    ----------
    classes_ : ndarray, (n_classes,)
    model_ : ClosedFormClassifier or SequenceEnsemble
        The fitted model; absent if y had one class only, which is then the answer.
    n_channels_ : int
        Channels of the series.

    Examples
    --------
    >>> from sktime.datasets import load_unit_test
    >>> from klforecast import SpectralSSMPanelClassifier
    >>> X, y = load_unit_test(split="train")
    >>> classifier = SpectralSSMPanelClassifier(n_filters=64, random_state=0).fit(X, y)
    >>> X_test, y_test = load_unit_test(split="test")
    >>> bool(classifier.score(X_test, y_test) > 0.8)
    True
    """

    _tags = {
        "authors": "The klforecast developers",
        "maintainers": "The klforecast developers",
        "python_dependencies": ["torch", "skorch"],
        "X_inner_mtype": "df-list",
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": False,
        "capability:predict_proba": True,
        "capability:class_weight": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    classes_: Any  # an array, (n_classes,); before a fit an empty list
    n_channels_: int
    model_: ClosedFormClassifier | SequenceEnsemble

    def __init__(
        self,
        solver: str = "closed-form",
        *,
        n_filters: int | None = None,
        class_weight: dict | str | None = None,
        refine: bool = True,
        n_estimators: int = 3,
        d_model: int = 64,
        n_layers: int = 2,
        n_modes: int = 16,
        n_heads: int = 4,
        selective: bool = False,
        compression_ratio: float = 1.0,
        adaptive_mask: bool = False,
        spectral_norm: bool = False,
        n_scales: int | None = None,
        attention_layers: Sequence[int] = (),
        bidirectional: bool = True,
        dropout: float = 0.1,
        max_epochs: int | None = None,
        batch_size: int = 16,
        lr: float = 3e-3,
        patience: int = 30,
        validation_fraction: float = 0.2,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.solver = solver
        self.n_filters = n_filters
        self.class_weight = class_weight
        self.refine = refine
        self.n_estimators = n_estimators
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_modes = n_modes
        self.n_heads = n_heads
        self.selective = selective
        self.compression_ratio = compression_ratio
        self.adaptive_mask = adaptive_mask
        self.spectral_norm = spectral_norm
        self.n_scales = n_scales
        self.attention_layers = attention_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.verbose = verbose
        self.random_state = random_state
        super().__init__()

    def fit(self, X: Any, y: Any) -> Self:
        """Learn to tell the classes apart.

        Parameters
        ----------
        X : panel container of sktime
            Series, of unequal length if the container allows it.
        y : array-like, (n,)
            Class of each series.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For settings, series or classes that cannot be used. The classifier stays as it was.
        """
        with unchanged_on_error(self):
            return super().fit(X, y)

    def compress(self) -> Self:
        """Remove the modes that the masks of the networks do not keep.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the classifier was fitted in closed form.
        """
        self.check_is_fitted()
        if not isinstance(self.model_, SequenceEnsemble):
            raise ValueError(
                "the closed form has no masks to compress by; pass solver='gradient', or a smaller "
                "n_filters"
            )
        self.model_.compress()
        return self

    def reset(self) -> Self:
        """Forget what was learned; what scikit-learn has parked here stays."""
        parked = {name: vars(self)[name] for name in _PARKED_BY_SKLEARN if name in vars(self)}
        super().reset()
        self.__dict__.update(parked)
        return self

    def _fit(self, X: Sequence[pd.DataFrame], y: np.ndarray) -> Self:
        settings = self.get_params(deep=False)
        check_settings(settings)
        series = check_series(_channels_first(X))
        learned = learn_classifier(series, y, settings)
        self.n_channels_ = len(series[0])
        self.model_ = learned.model
        return self

    def _predict(self, X: Sequence[pd.DataFrame]) -> np.ndarray:
        return self.classes_[self._scores(X).argmax(dim=1).numpy()]

    def _predict_proba(self, X: Sequence[pd.DataFrame]) -> np.ndarray:
        return self.model_.probabilities(self._scores(X)).numpy()

    def _scores(self, X: Sequence[pd.DataFrame]) -> Any:
        return self.model_.scores(check_series(_channels_first(X), self.n_channels_))

    def __sklearn_tags__(self) -> Tags:
        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(three_d_array=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return self.is_fitted

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings that fit in a moment, for the test suite of sktime."""
        return [
            {"n_filters": 16, "random_state": 0},
            {
                "solver": "gradient",
                "n_filters": 16,
                "n_estimators": 1,
                "d_model": 8,
                "n_modes": 4,
                "n_heads": 2,
                "n_layers": 1,
                "max_epochs": 2,
                "random_state": 0,
            },
        ]


def _channels_first(frames: Sequence[pd.DataFrame]) -> list[np.ndarray]:
    return [frame.to_numpy(dtype=np.float64).T for frame in frames]

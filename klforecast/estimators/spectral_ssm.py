"""Classify series with complex state-space modes, for scikit-learn.

closed-form   a fixed bank of modes filters each series in both directions; the responses are pooled
              over time and a ridge regression tells the classes apart. Seconds, no epochs.
gradient      an ensemble of `SpectralSSM` networks, trained by epochs with early stopping, that correct
              the closed form or, with refine=False, answer alone.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.sequence_ensemble import SequenceEnsemble
from klforecast.estimators.classifying import check_series, check_settings, learn_classifier
from klforecast.estimators.saving.files import SavedEstimator


class SpectralSSMClassifier(SavedEstimator, ClassifierMixin, BaseEstimator):
    """Classify series with complex state-space modes.

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
    selective : bool, default=False
        Let steps, writes and reads of a network's recurrence depend on the series.
    compression_ratio : float, default=1.0
        Share of a network's modes that is used, in (0, 1]; see `compress`.
    adaptive_mask : bool, default=False
        Learn which modes are used; False uses those of lowest frequency.
    spectral_norm : bool, default=False
        Bound the gain of a network's layers.
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
        The fitted model.
    n_channels_ : int
        Channels of the series.
    n_features_in_ : int
        Size of the second axis of X: the length of the series where X has two dimensions, else
        their channels.

    Notes
    -----
    Of the closed form, `fit` takes time in proportion to series times steps times filters, about
    ten nanoseconds each, and O(n^3) for up to 2,500 series; beyond, the solution is spanned by
    2,000 of them.

    Examples
    --------
    >>> import numpy as np
    >>> from klforecast import SpectralSSMClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["slow", "fast"], 20)
    >>> turns = np.where(y == "slow", 3, 4)[:, None] * np.linspace(0, 2 * np.pi, 60)
    >>> X = np.sin(turns + rng.uniform(0, 6, (40, 1))) + 0.3 * rng.normal(size=(40, 60))
    >>> classifier = SpectralSSMClassifier(random_state=0).fit(X[::2], y[::2])
    >>> classifier.score(X[1::2], y[1::2])
    1.0
    """

    classes_: np.ndarray
    n_channels_: int
    model_: ClosedFormClassifier | SequenceEnsemble
    n_features_in_: int
    feature_names_in_: np.ndarray

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

    def fit(self, X: Any, y: Any) -> Self:
        """Learn to tell the classes apart.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)
            Series, oldest step first.
        y : array-like, (n,)
            Class of each series.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For settings, series or classes that cannot be used. The classifier stays as it was.
        KLForecastError
            If the loss of a network is not finite while it trains.
        """
        settings = self.get_params(deep=False)
        check_settings(settings)
        values, labels = check_X_y(X, y, dtype=np.float64, allow_nd=True, estimator=self)
        check_classification_targets(labels)
        series = check_series(_with_channels(values))
        learned = learn_classifier(series, labels, settings)
        # Names and width last, so that series that are refused leave the old classifier as it was.
        validate_data(self, X, skip_check_array=True)
        self.classes_ = learned.classes
        self.n_channels_ = len(series[0])
        self.model_ = learned.model
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Most likely class of each series.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n,)
        """
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class for each series.

        Of the closed form: a softmax of the scores, at the temperature under which the training
        series are most likely, each scored by the model of all others.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self, "model_")
        return self.model_.probabilities(self.model_.scores(self._checked(X))).numpy()

    def decision_function(self, X: Any) -> np.ndarray:
        """Score of each class for each series.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n, n_classes), or (n,) for two classes
            The larger, the more likely; of two classes, the score of the second less the first.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def compress(self) -> Self:
        """Remove the modes that the masks of the networks do not keep.

        The classifier answers as before, to rounding, with fewer parameters, less state and fewer
        operations. For ``solver="gradient"`` with a `compression_ratio` below 1.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the classifier was fitted in closed form.
        """
        check_is_fitted(self, "model_")
        if not isinstance(self.model_, SequenceEnsemble):
            raise ValueError(
                "the closed form has no masks to compress by; pass solver='gradient', or a smaller "
                "n_filters"
            )
        self.model_.compress()
        return self

    def _scores(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        return self.model_.scores(self._checked(X)).numpy()

    def _checked(self, X: Any) -> list:
        values = validate_data(self, X, reset=False, dtype=np.float64, allow_nd=True)
        return check_series(_with_channels(values), self.n_channels_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _with_channels(values: np.ndarray) -> list[np.ndarray]:
    """(n, length) or (n, channels, length) as one (channels, length) for each series."""
    if values.ndim > 3:
        raise ValueError(
            f"X has {values.ndim} dimensions; pass (n, length) or (n, channels, length)"
        )
    return list(values[:, None] if values.ndim == 2 else values)

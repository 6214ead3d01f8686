"""Classifiers of complex state-space modes: their settings, the checks of them, and learning.

closed-form   a fixed bank of modes filters each series in both directions; the responses are pooled
              over time, and a ridge regression tells the classes apart, together with trees on
              these and on statistics over intervals. Seconds, no epochs.
gradient      an ensemble of `SpectralSSM` networks, trained by epochs with early stopping, that correct
              the closed form or, with refine=False, answer alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from torch import Tensor

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.filter_features import n_groups
from klforecast.classify.sequence_ensemble import SequenceEnsemble
from klforecast.classify.solved_net import solved_net
from klforecast.classify.uneven import evenly
from klforecast.estimators.arguments import (
    check_choice,
    check_device,
    check_filters,
    check_integer,
    check_jobs,
    check_number,
    check_seed,
    check_weights,
)
from klforecast.estimators.distinct_series import distinct_series
from klforecast.estimators.sample_times import time_place, timed_series
from klforecast.estimators.sequence_input import check_series
from klforecast.ops.arrays import to_tensor
from klforecast.training.seeding import draw_seed

SOLVERS = ("closed-form", "gradient")
_MAPS = 7  # squares of the width in a layer; with the modes at most twice too few of all variants

_NET = ("max_epochs", "batch_size", "lr", "patience", "device", "verbose")
_BACKBONE = (
    "d_model",
    "n_layers",
    "n_modes",
    "n_heads",
    "selective",
    "compression_ratio",
    "adaptive_mask",
    "spectral_norm",
    "attention_layers",
    "bidirectional",
    "dropout",
)


class SpectralClassifier:
    """Settings of both classifiers, documented at `__init__`, and what they do alike.

    A base beside that of the framework: scikit-learn's or sktime's comes after it.
    """

    model_: ClosedFormClassifier | SequenceEnsemble
    n_channels_: int
    time_unit_: float

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
        time_channel: int | str | None = None,
        max_epochs: int | None = None,
        batch_size: int = 16,
        lr: float = 3e-3,
        patience: int = 30,
        validation_fraction: float = 0.2,
        device: str = "auto",
        verbose: int = 0,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        """Store the settings; `fit` checks them.

        Parameters
        ----------
        solver : {"closed-form", "gradient"}, default="closed-form"
            A ridge regression on pooled responses of fixed modes with trees on these and on
            statistics over intervals, or networks that correct it.
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
        attention_layers : sequence of int, default=()
            Blocks of a network that use softmax attention instead of modes.
        bidirectional : bool, default=True
            Run a network's recurrence in both directions.
        dropout : float, default=0.1
            Share of activations dropped while a network trains.
        time_channel : int, str or None, default=None
            Position, or in frames the name, of a channel that holds the time of each sample, in any
            unit, rising. It is then no channel of the series: networks let pass between two samples
            what passes in that time, and the closed form reads each series on an even grid, bridged
            by straight lines, whose step is the median time between two samples of the training
            part. None: samples are evenly spaced.
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
            Of the networks. "auto" is the first CUDA device if there is one, else Apple's, else the CPU.
        verbose : int, default=0
            1 prints a line for each epoch.
        n_jobs : int or None, default=None
            Processors that grow the trees of the closed form, -1 for all; None is one. The answers
            do not depend on it.
        random_state : int, RandomState or None, default=None
            For everything that is drawn.
        """
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
        self.time_channel = time_channel
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state
        # For sktime, whose base sets up its own state.
        super().__init__()

    @property
    def net_(self) -> NeuralNet:
        """The ridge of the closed form as a fitted skorch net, without the forests.

        Made anew each time, so that fine-tuning it leaves the classifier as it is: ``net = c.net_``,
        then ``net.partial_fit(X, y)`` with series (n, channels, length) and class numbers, or
        ``net.predict(X)`` for probabilities at the temperature of the closed form. Absent with
        ``solver="gradient"``, whose nets are ``model_.nets_``.
        """
        model = getattr(self, "model_", None)
        if not isinstance(model, ClosedFormClassifier):
            raise AttributeError(
                "net_ is the solved ridge of a fitted closed form; fit with solver='closed-form', or "
                "take model_.nets_ of the gradient solver"
            )
        return solved_net(model)

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
            If the classifier was fitted in closed form, or on one class only.
        """
        check_is_fitted(self)
        model = getattr(self, "model_", None)
        if model is None:
            raise ValueError(
                "y had one class only, so that there are no networks to compress; fit on series of "
                "at least 2 classes"
            )
        if not isinstance(model, SequenceEnsemble):
            raise ValueError(
                "the closed form has no masks to compress by; pass solver='gradient', or a smaller "
                "n_filters"
            )
        model.compress()
        return self

    def _learn(
        self,
        series: Sequence[np.ndarray],  # (channels, length) each
        labels: np.ndarray,  # (n,)
        sample_weight: Any = None,
    ) -> np.ndarray:  # (classes,)
        """Fit the model that the settings ask for, and return the classes; or raise, unchanged."""
        settings = vars(self)
        _check_settings(settings)
        if self.time_channel is None:
            checked = check_series(series)
        else:
            checked, self.time_unit_ = timed_series(series, self._time_place(), None, None)
        _check_sizes(settings, checked)
        model, classes = _learn_model(self._as_read(checked), labels, settings, sample_weight)
        self.model_ = model
        self.n_channels_ = len(checked[0]) - (self.time_channel is not None)
        return classes

    def _scores(
        self,
        series: Sequence[np.ndarray],  # (channels, length) each
    ) -> Tensor:  # (n, classes)
        if self.time_channel is None:
            return self.model_.scores(check_series(series, self.n_channels_))
        timed, _ = timed_series(series, self._time_place(), self.n_channels_, self.time_unit_)
        return self.model_.scores(self._as_read(timed))

    def _time_place(self) -> int:
        return time_place(self.time_channel, getattr(self, "channel_names_", None))

    def _as_read(self, series: list[Tensor]) -> list[Tensor]:
        """Series as the model takes them: with their gaps, or on an even grid."""
        if self.time_channel is None or self.solver == "gradient":
            return series
        return [evenly(values) for values in series]


def _check_settings(settings: Mapping[str, Any]) -> None:
    """Raise unless the constructor arguments of the classifiers make sense, alone and together."""
    check_choice("solver", settings["solver"], SOLVERS)
    check_filters(settings["n_filters"])
    for name in (
        "n_estimators",
        "d_model",
        "n_layers",
        "n_modes",
        "n_heads",
        "batch_size",
        "patience",
    ):
        check_integer(name, settings[name], minimum=1)
    check_integer("max_epochs", settings["max_epochs"], minimum=0, optional=True)
    check_integer("n_scales", settings["n_scales"], minimum=1, optional=True)
    check_integer("verbose", settings["verbose"], minimum=0)
    check_jobs(settings["n_jobs"])
    check_number("lr", settings["lr"], 0, above_low=True)
    check_number("dropout", settings["dropout"], 0, 1)
    check_number("validation_fraction", settings["validation_fraction"], 0, 1)
    ratio = settings["compression_ratio"]
    check_number("compression_ratio", ratio, 0, above_low=True)
    if ratio > 1:
        raise ValueError(f"compression_ratio is {ratio}; pass a share of modes in (0, 1]")
    if settings["d_model"] % settings["n_heads"]:
        raise ValueError(
            f"d_model={settings['d_model']} cannot be shared among n_heads={settings['n_heads']}; "
            "pass a multiple of n_heads"
        )
    if settings["n_scales"] is not None and settings["n_scales"] > settings["n_heads"]:
        raise ValueError(
            f"n_scales={settings['n_scales']} is more than n_heads={settings['n_heads']}, and a head "
            "has one time constant; pass fewer scales"
        )
    check_seed("random_state", settings["random_state"])
    check_device("device", settings["device"])


def _check_sizes(settings: Mapping[str, Any], series: Sequence[Tensor]) -> None:
    """Raise unless the networks are small enough for the series."""
    if settings["solver"] != "gradient":
        return
    sizes = {name: settings[name] for name in ("n_estimators", "d_model", "n_layers", "n_modes")}
    width = sizes["d_model"]
    # Of a layer: a mixer of a few maps between channels, and maps between them and the modes.
    layer = width * (_MAPS * width + 2 * sizes["n_modes"])
    steps = sum(part.shape[1] for part in series)
    check_weights(
        sizes,
        sizes["n_estimators"] * sizes["n_layers"] * layer,
        f"{len(series)} series of {len(series[0])} channels and {steps} steps in all",
        steps * len(series[0]),
    )


def _learn_model(
    series: Sequence[Tensor],  # (channels, length) each
    labels: np.ndarray,  # (n,)
    settings: Mapping[str, Any],
    sample_weight: Any,
) -> tuple[ClosedFormClassifier | SequenceEnsemble, np.ndarray]:
    """Fit the model that `settings`, the constructor arguments of a classifier, ask for.

    Raises
    ------
    ValueError
        If there are fewer than two series or two classes.
    """
    if len(series) < 2:
        raise ValueError("X has 1 sample; pass at least 2 series, of at least 2 classes")
    series, labels, row_weights = distinct_series(series, labels, sample_weight)
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has one class only, {classes[0]!r}; pass series of at least 2 classes")
    of_class = compute_class_weight(
        settings["class_weight"], classes=classes, y=labels, sample_weight=row_weights.numpy()
    )
    weights = to_tensor(of_class)
    weights = weights.double()
    if not (weights > 0).all():
        raise ValueError(
            f"class_weight gives the weights {weights.tolist()}; pass weights above 0, and leave "
            "out the series of a class that must not count"
        )
    seed = draw_seed(settings["random_state"])
    closed_form = ClosedFormClassifier(n_groups(settings["n_filters"]), seed, settings["n_jobs"])
    model: ClosedFormClassifier | SequenceEnsemble = closed_form
    if settings["solver"] == "gradient":
        model = SequenceEnsemble(
            settings["n_estimators"],
            seed,
            settings["validation_fraction"],
            start=closed_form if settings["refine"] else None,
            net={name: settings[name] for name in _NET},
            backbone={
                **{name: settings[name] for name in _BACKBONE},
                "n_scales": settings["n_scales"] or settings["n_heads"],
            },
            timed=settings["time_channel"] is not None,
        )
    return model.fit(series, to_tensor(indices), weights, row_weights), classes

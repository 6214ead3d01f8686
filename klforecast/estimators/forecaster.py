"""The forecaster: one Karhunen-Loeve memory model for a series, a panel or a hierarchy.

    fit       rows -> scaled panel -> closed form (or training) -> `net_`, a fitted skorch net
    predict   the rows up to the cutoff -> forecast, a pure function of those rows
    update    new rows -> the context moves on; `update_params=True` also absorbs them (`following`)

This file knows sktime; indices are in `indices`, frames in `panel`, what the memory learns from and
forecasts in `rests`, intervals in `intervals`, many cutoffs in `cutoffs`, refusals in `checks`.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.random import RandomState
from pandas.tseries.offsets import BaseOffset
from sklearn.base import clone
from sktime.forecasting.base import ForecastingHorizon

from klforecast.core.stream import solve_stream
from klforecast.data.scaling import Standardizer
from klforecast.estimators import checks
from klforecast.estimators.covariates.effects import effect_ahead
from klforecast.estimators.covariates.table import with_future
from klforecast.estimators.cutoffs import CutoffForecaster
from klforecast.estimators.following import Following, follow, keep_up
from klforecast.estimators.frames.context import fill_panel
from klforecast.estimators.frames.indices import stamps_ahead, steps_ahead
from klforecast.estimators.frames.panel import join_series, split_series
from klforecast.estimators.learning import learn_net, take_calibration
from klforecast.estimators.plots.memory import MemoryPlots
from klforecast.ops.missing import GapFiller


class KLMemoryForecaster(MemoryPlots, CutoffForecaster):
    """Forecast many steps ahead from a deep past, compressed by Karhunen-Loeve memory.

    The default, ``encoder="linear"``, is solved in closed form: a ridge regression from the last
    `input_length` steps and from the leading K-L components of what lies before them, deep down to
    `memory_depth`. Any other `encoder` adds a trained network on top of it, which reads the
    components as memory tokens; its gate starts at zero, that is, at the closed form.

    Series, panels and hierarchies, with one or more channels, are fitted by one model. Each series
    is standardised per channel with its own statistics: a single series by its deviation, those of
    a panel by their usual change over a horizon, which makes easy and hard series count alike.
    Series may differ in length and in cutoff.

    Parameters
    ----------
    horizon : int, default=96
        Steps that the model learns to forecast at once. `predict` takes any `fh`; steps beyond the
        horizon are forecast from the forecasts before them.
    input_length : int or None, default=None
        Steps before the cutoff that are read as they are. None: chosen from the data.
    memory_depth : int or None, default=None
        Steps before the cutoff that the memory reaches back to; with ``memory="trajectory"``,
        training batches that it remembers. None: chosen from the data.
    period : int or None, default=None
        Steps of one cycle. None: detected; 1: no cycle.
    n_components : int or None, default=None
        K-L components kept of the history; of each of its blocks, since the linear core reads a
        deep history in blocks that grow with age. None: chosen from the data.
    forgetting : float, default=1.0
        Weight of a window relative to the next newer one, in (0, 1]; 1 forgets nothing, f remembers
        about 1 / (1 - f) windows. For series whose behaviour changes.
    memory : {"history", "trajectory", "none"}, default="history"
        Whose states the memory holds: the series' own past before the window, the summaries of the
        training batches (trained encoders only), or nothing.
    memory_tokens : int, default=4
        Tokens that the memory hands to the encoder.
    encoder : str, default="linear"
        ``"linear"`` is the closed form alone; any other is a network trained on top of it, by name:
        ``"transformer"``, ``"patchtst"``, ``"itransformer"``, ``"gru"``, ``"mamba"``,
        ``"deltanet"`` and the others of `klforecast.modules.encoders.ENCODERS`.
    linear_core : bool, default=True
        Whether a trained encoder corrects the closed form. False: it forecasts alone.
    mixer : {"factorized", "dense", "bottleneck"}, default="factorized"
        How components become memory tokens (trained encoders only).
    d_model, n_layers, n_heads, patch_length : int, default=64, 2, 4, 16
        Width, depth and heads of the encoder; steps of one patch.
    d_ff : int or None, default=None
        Width between the two maps of a feed-forward layer. None: what the encoder takes, mostly
        twice `d_model`. Encoders without such layers have no use for it.
    dropout : float, default=0.1
        Probability that a unit of the encoder is dropped in training.
    max_epochs, batch_size : int, default=10, 64
        Passes over the training windows; windows per step (trained encoders only).
    lr : float, default=1e-3
        Learning rate of AdamW (trained encoders only).
    lr_schedule : {"cosine", "constant", "halve", "slow-decay"}, default="cosine"
        How it goes on: half a cosine over `max_epochs`; as it is; halved after every epoch from the
        second on; less by a tenth after every epoch from the fourth on (trained encoders only).
    weight_decay : float, default=1e-2
        Of AdamW; 0 is Adam (trained encoders only).
    loss : {"mse", "mae"}, default="mse"
        What training steps lower; early stopping goes by the squared error all the same (trained
        encoders only).
    patience : int or None, default=3
        Epochs without a better validation error before training stops; the best weights are
        restored. None: never stops early.
    validation_fraction : float, default=0.2
        Part of the rows, the latest ones, on which early stopping decides.
    callbacks : list of skorch callbacks or None, default=None
        Passed to the net.
    device : str, default="auto"
        ``"auto"`` takes CUDA where there is one, else the CPU.
    verbose : int, default=0
        1 or more prints the progress of training.
    random_state : int, RandomState or None, default=None
        Seed of everything random. The closed form uses none.
    past_covariates : sequence of str or None, default=None
        Columns of X whose future is not known; they are read up to the cutoff. All other columns
        are known-future: `predict` needs them for every step up to the last one of `fh`.
    calendar_features : sequence of str or None, default=None
        Made from the stamps of a dated index and used like known-future columns of X: some of
        ``"hour"``, ``"dayofweek"``, ``"day"``, ``"month"``, ``"quarter"``, ``"dayofyear"``.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_`` maps (batch, memory_depth_, channels) to
        (batch, horizon_, channels), both standardised.
    horizon_ : int
        Steps forecast at once: `horizon`, or less when the series is short (with a warning).
    memory_depth_, input_length_, period_, n_components_ : int
        What the model uses; a period of 1 is none.
    n_channels_ : int
        Channels of each series.
    scale_lag_ : int or None
        Steps of the change that is the unit of each series of a panel; None for a single series,
        whose unit is its deviation.
    history_ : DataFrame
        One row per training epoch; empty for the closed form.
    scalers_ : dict of tuple to Standardizer
        Mean and scale of each series less the effect of its covariates, by its labels; ``()``
        names a single series.
    effects_ : Effects or None
        Effect of the covariates that help out of fold; None if none does.
    gap_covariance_ : Tensor, (channels, w)
        Covariance over w steps by which missing values are filled.
    calibration_ : Calibration
        Scores of the errors out of fold and the model of their scale, from which intervals are made.

    Notes
    -----
    - `fit` starts from nothing. After `pretrain` it starts from the pretrained net, which it reads
      and does not change.
    - ``update(y, update_params=False)`` moves the context, and the levels of the intervals with the
      errors of every horizon that the new rows complete; no weight moves.
      ``update(y, update_params=True)`` learns from all rows known so far: the closed form absorbs
      the new rows and is solved again, at a cost that does not depend on how many came before; the
      transformer is trained again. On a pretrained forecaster the weights stay as `pretrain` left
      them.
    - All rows given to `fit` and `update` are kept, once, in float64; `predict` reads
      `memory_depth_` of them. Where a series is shorter than that, it is continued to the left by
      its first cycle.
    - Missing values (NaN) of y are filled by their conditional mean, given the values around them
      and before the cutoff. Covariates act through X of `fit`, `update` and `predict`; those that
      do not help out of fold have no effect.
    - Intervals are conformal; `klforecast.ops.conformal` has the equations. Quantiles never cross, and
      the point forecast is that of `predict`.
    - A `fit`, `update` or `pretrain` that fails leaves the forecaster as it was before the call.
    - Costs: `fit` of T rows, C channels and depth D takes O(C (T D + D^2) + D^3) time and O(D^2)
      memory with the default encoder; a forecast O(D horizon C).

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast import KLMemoryForecaster
    >>> y = load_airline()
    >>> forecaster = KLMemoryForecaster(horizon=12).fit(y[:-12])
    >>> forecast = forecaster.predict(fh=range(1, 13))
    >>> bool(abs(forecast - y[-12:]).max() < 100)
    True
    """

    _tags = {
        "authors": ["klforecast developers"],
        "maintainers": ["klforecast developers"],
        "python_dependencies": ["torch", "skorch"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:categorical_in_X": False,
        "X-y-must-have-same-index": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": True,
        "capability:unequal_length": True,
        "capability:update": True,
        "capability:pretrain": True,
        "pretrain:fitted_params": [
            "net_",
            "horizon_",
            "scale_lag_",
            "memory_depth_",
            "input_length_",
            "period_",
            "n_components_",
            "n_channels_",
            "history_",
            "calibration_",
            "gap_covariance_",
            "pretraining_panel_",
        ],
        "requires-fh-in-fit": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    _following: Following | None

    def __init__(
        self,
        horizon: int = 96,
        *,
        input_length: int | None = None,
        memory_depth: int | None = None,
        period: int | None = None,
        n_components: int | None = None,
        forgetting: float = 1.0,
        memory: str = "history",
        memory_tokens: int = 4,
        encoder: str = "linear",
        linear_core: bool = True,
        mixer: str = "factorized",
        d_model: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
        d_ff: int | None = None,
        patch_length: int = 16,
        dropout: float = 0.1,
        max_epochs: int = 10,
        batch_size: int = 64,
        lr: float = 1e-3,
        lr_schedule: str = "cosine",
        weight_decay: float = 1e-2,
        loss: str = "mse",
        patience: int | None = 3,
        validation_fraction: float = 0.2,
        callbacks: Sequence | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | RandomState | None = None,
        past_covariates: Sequence[str] | None = None,
        calendar_features: Sequence[str] | None = None,
    ):
        self.horizon = horizon
        self.input_length = input_length
        self.memory_depth = memory_depth
        self.period = period
        self.n_components = n_components
        self.forgetting = forgetting
        self.memory = memory
        self.memory_tokens = memory_tokens
        self.encoder = encoder
        self.linear_core = linear_core
        self.mixer = mixer
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.d_ff = d_ff
        self.patch_length = patch_length
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.loss = loss
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state
        self.past_covariates = past_covariates
        self.calendar_features = calendar_features
        super().__init__()

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small settings with which sktime's checks run in seconds."""
        return [
            {"horizon": 3, "random_state": 0},
            {"horizon": 2, "input_length": 4, "memory_depth": 8, "period": 1, "n_components": 2},
        ]

    def _fit(self, y: pd.DataFrame, X: Any, fh: ForecastingHorizon | None) -> Self:
        checks.check_parameters(self.get_params(deep=False))
        checks.check_values(self._series, self._columns)
        if hasattr(self, "pretraining_panel_"):
            checks.check_channels(self.n_channels_, y.shape[1])
        self._fit_effects()
        if not hasattr(self, "pretraining_panel_"):
            self._learn_known_rows()
        self._fit_scalers()
        self._start_levels()
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._follow_levels()
        if not update_params or hasattr(self, "pretraining_panel_"):
            return self
        settings = self.get_params(deep=False)
        following = keep_up(self._following, self._series, self.period_, settings)
        if following is None:
            self._fit_effects()
            self._learn_known_rows()
            self._fit_scalers()
            self._start_levels()
            return self
        rows = {key: series.values for key, series in self._series.items()}
        core, self.scalers_ = solve_stream(following.stream, rows)
        self.calibration_ = take_calibration(core)
        self.net_ = clone(self.net_).adopt(core)
        self._following = following
        return self

    def _pretrain(
        self, y: pd.DataFrame, X: Any = None, fh: ForecastingHorizon | None = None
    ) -> Self:
        checks.check_parameters(self.get_params(deep=False))
        panel = split_series(y)
        frequency = checks.check_panel(panel)
        checks.check_values(panel, y.columns)
        known = getattr(self, "pretraining_panel_", ())
        if known:
            checks.check_channels(self.n_channels_, y.shape[1])
        self.pretraining_panel_ = [*known, *(series.values for series in panel.values())]
        self._learn(self.pretraining_panel_, frequency)
        return self

    def _learn_known_rows(self) -> None:
        self._learn(list(self._rests().values()), self._frequency)
        periods = [self.period_] if self.period_ > 1 else []
        settings = self.get_params(deep=False)
        # Effects of covariates are not learned online, and what they leave over changes with them.
        self._following = (
            follow(self._series, self.horizon_, periods, self.scale_lag_, settings)
            if self._covariates is None
            else None
        )

    def _learn(
        self,
        panel: Sequence[np.ndarray],  # (time, channels) each, in the units of the data
        frequency: BaseOffset | None,
    ) -> None:
        """Turn rows into weights: the only place where the net is made."""
        longest = max(panel, key=len)
        periods = self._periods(longest, frequency)
        self.n_channels_ = longest.shape[1]
        self.horizon_ = checks.shrink_horizon(self.horizon, len(longest))
        self.scale_lag_ = self.horizon_ if len(panel) > 1 else None
        scaled = [
            torch.from_numpy(
                Standardizer.fit(rows, self.forgetting, self.scale_lag_).transform(rows)
            )
            for rows in panel
        ]
        self.period_ = periods[0] if periods else 1
        filled, self.gap_covariance_ = fill_panel(scaled, self.period_)
        self.net_, self.input_length_, self.n_components_, self.calibration_ = learn_net(
            filled, self.horizon_, periods, self.get_params(deep=False)
        )
        self.memory_depth_ = self.net_.module_.depth
        self.history_ = pd.DataFrame(
            [{key: row[key] for key in row if key != "batches"} for row in self.net_.history]
        )
        checks.warn_shrunk("input_length", self.input_length, self.input_length_)
        if self.memory == "history":
            checks.warn_shrunk("memory_depth", self.memory_depth, self.memory_depth_)
            checks.warn_shrunk("n_components", self.n_components, self.n_components_)

    def _predict(self, fh: ForecastingHorizon, X: Any = None) -> pd.DataFrame:
        known = self._known_rows()
        cutoffs = {key: past.index[-1] for key, past in known.items()}
        ahead = {
            cutoff: steps_ahead(fh, cutoff, self._frequency) for cutoff in set(cutoffs.values())
        }
        covariates = with_future(self._covariates, X, cutoffs)
        filler = GapFiller(self.gap_covariance_)
        keys = list(known)
        scaled = self._forecast(
            lambda batch: np.stack([self._window(key, known[key], filler) for key in keys[batch]]),
            len(keys),
            max(steps.max() for steps in ahead.values()),
        )
        forecasts = {
            key: self.scalers_[key].inverse_transform(rows[ahead[cutoffs[key]] - 1])
            for key, rows in zip(keys, scaled, strict=True)
        }
        if covariates is not None:
            for key, past in known.items():
                steps = ahead[cutoffs[key]]
                effect = effect_ahead(self.effects_, covariates, key, past.index, steps)
                forecasts[key] = forecasts[key] + effect
        if () in forecasts:
            stamps = [fh.to_absolute_index(self.cutoff)]
        else:
            stamps = [
                stamps_ahead(cutoff, ahead[cutoff], self._frequency) for cutoff in cutoffs.values()
            ]
        return join_series(forecasts, stamps, self._columns, self._index_names)

"""The forecaster: one Karhunen-Loeve memory model for a series, a panel or a hierarchy.

    fit       rows -> scaled panel -> closed form (or training) -> `net_`, a fitted skorch net
    predict   the rows up to the cutoff -> forecast, a pure function of those rows
    update    new rows -> the context moves on; weights change only with `update_params=True`

This file knows sktime; indices are in `indices`, frames in `panel`, the rows that a model reads in
`context`, refusals in `checks`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.random import RandomState
from pandas.tseries.offsets import BaseOffset
from sktime.forecasting.base import ForecastingHorizon

from klforecast.data.periods import find_periods
from klforecast.data.scaling import Standardizer
from klforecast.estimators import checks
from klforecast.estimators.base import SeriesForecaster
from klforecast.estimators.context import extend_past, forecast_windows, past_windows
from klforecast.estimators.indices import stamps_ahead, steps_ahead
from klforecast.estimators.learning import learn_net
from klforecast.estimators.memory_plots import MemoryPlots
from klforecast.estimators.panel import join_series, split_series


class KLMemoryForecaster(MemoryPlots, SeriesForecaster):
    """Forecast many steps ahead from a deep past, compressed by Karhunen-Loeve memory.

    The default, ``encoder="linear"``, is solved in closed form: a ridge regression from the last
    `input_length` steps and from the leading K-L components of what lies before them, deep down to
    `memory_depth`. Any other `encoder` adds a trained network on top of it, which reads the
    components as memory tokens; its gate starts at zero, that is, at the closed form.

    Series, panels and hierarchies, with one or more channels, are fitted by one model. Each series
    is standardised per channel with its own statistics; series may differ in length and in cutoff.

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
    dropout : float, default=0.1
        Probability that a unit of the encoder is dropped in training.
    max_epochs, batch_size : int, default=10, 64
        Passes over the training windows; windows per step (trained encoders only).
    lr : float, default=1e-3
        Learning rate of Adam (trained encoders only).
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
    history_ : DataFrame
        One row per training epoch; empty for the closed form.
    scalers_ : dict of tuple to Standardizer
        Mean and scale of each series, by its labels; ``()`` names a single series.

    Notes
    -----
    - `fit` starts from nothing. After `pretrain` it starts from the pretrained net, which it reads
      and does not change.
    - ``update(y, update_params=False)`` moves the context and nothing else.
      ``update(y, update_params=True)`` solves (or trains) again on all rows known so far, at the
      cost of a fit; on a pretrained forecaster the weights stay as `pretrain` left them.
    - All rows given to `fit` and `update` are kept, once, in float64; `predict` reads
      `memory_depth_` of them. Where a series is shorter than that, it is continued to the left by
      its first cycle.
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
        "capability:exogenous": False,
        "capability:categorical_in_X": False,
        "capability:insample": False,
        "capability:pred_int": False,
        "capability:missing_values": False,
        "capability:unequal_length": True,
        "capability:update": True,
        "capability:pretrain": True,
        "pretrain:fitted_params": [
            "net_",
            "horizon_",
            "memory_depth_",
            "input_length_",
            "period_",
            "n_components_",
            "n_channels_",
            "history_",
            "pretraining_panel_",
        ],
        "requires-fh-in-fit": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    def __init__(
        self,
        horizon: int = 96,
        *,
        input_length: int | None = None,
        memory_depth: int | None = None,
        period: int | None = None,
        n_components: int | None = None,
        memory: str = "history",
        memory_tokens: int = 4,
        encoder: str = "linear",
        linear_core: bool = True,
        mixer: str = "factorized",
        d_model: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
        patch_length: int = 16,
        dropout: float = 0.1,
        max_epochs: int = 10,
        batch_size: int = 64,
        lr: float = 1e-3,
        patience: int | None = 3,
        validation_fraction: float = 0.2,
        callbacks: Sequence | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | RandomState | None = None,
    ):
        self.horizon = horizon
        self.input_length = input_length
        self.memory_depth = memory_depth
        self.period = period
        self.n_components = n_components
        self.memory = memory
        self.memory_tokens = memory_tokens
        self.encoder = encoder
        self.linear_core = linear_core
        self.mixer = mixer
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.patch_length = patch_length
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state
        super().__init__()

    def predict_windows(
        self,
        y: pd.Series | pd.DataFrame | np.ndarray,  # (time, channels)
        cutoffs: Sequence[int] | np.ndarray,  # (n,)
    ) -> np.ndarray:  # (n, horizon, channels)
        """Forecast `horizon` steps from many cutoffs of a series with the fitted, frozen model.

        Parameters
        ----------
        y : Series, DataFrame or ndarray, (time, channels)
            Rows in the units of `fit`, with its columns.
        cutoffs : sequence of int, (n,)
            Positions in y. The forecast from cutoff c covers the rows c .. c + horizon - 1 and
            reads the rows before c only; 1 <= c <= time.

        Returns
        -------
        ndarray, (n, horizon, channels), float64
            In the units of y.

        Examples
        --------
        >>> import numpy as np
        >>> from klforecast import KLMemoryForecaster
        >>> y = np.sin(np.arange(200) * np.pi / 6)[:, None]
        >>> forecaster = KLMemoryForecaster(horizon=24).fit(y[:150])
        >>> forecaster.predict_windows(y, [150, 151, 152]).shape
        (3, 24, 1)
        """
        self.check_is_fitted(method_name="predict_windows")
        if () not in self.scalers_:
            raise ValueError(
                f"predict_windows forecasts one series, but this forecaster was fitted on "
                f"{len(self.scalers_)}; fit it on the one series, after pretrain on the panel"
            )
        frame = y if isinstance(y, pd.Series | pd.DataFrame) else pd.DataFrame(np.asarray(y))
        checks.check_rows(frame)
        values = split_series(pd.DataFrame(frame))[()].values
        if isinstance(y, pd.DataFrame):
            checks.check_columns(self._columns, y.columns, "y")
        else:
            checks.check_channels(self.n_channels_, values.shape[1])
        positions = checks.check_cutoffs(cutoffs, len(values))
        scaler = self.scalers_[()]
        rows = scaler.transform(values)
        forecasts = self._forecast(
            lambda batch: past_windows(rows, positions[batch], self.memory_depth_, self.period_),
            len(positions),
            self.horizon,
        )
        return scaler.inverse_transform(forecasts)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small settings with which sktime's checks run in seconds."""
        return [
            {"horizon": 3, "random_state": 0},
            {"horizon": 2, "input_length": 4, "memory_depth": 8, "period": 1, "n_components": 2},
        ]

    def _fit(self, y: pd.DataFrame, X: Any, fh: ForecastingHorizon | None) -> Self:
        checks.check_parameters(self.get_params(deep=False))
        if hasattr(self, "pretraining_panel_"):
            checks.check_channels(self.n_channels_, y.shape[1])
        else:
            self._learn([series.values for series in self._series.values()], self._frequency)
        self._fit_scalers()
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        if update_params and not hasattr(self, "pretraining_panel_"):
            self._learn([series.values for series in self._series.values()], self._frequency)
            self._fit_scalers()
        return self

    def _pretrain(
        self, y: pd.DataFrame, X: Any = None, fh: ForecastingHorizon | None = None
    ) -> Self:
        checks.check_parameters(self.get_params(deep=False))
        panel = split_series(y)
        frequency = checks.check_panel(panel)
        known = getattr(self, "pretraining_panel_", ())
        if known:
            checks.check_channels(self.n_channels_, y.shape[1])
        self.pretraining_panel_ = [*known, *(series.values for series in panel.values())]
        self._learn(self.pretraining_panel_, frequency)
        return self

    def _learn(
        self,
        panel: Sequence[np.ndarray],  # (time, channels) each, in the units of the data
        frequency: BaseOffset | None,
    ) -> None:
        """Turn rows into weights: the only place where the net is made."""
        scaled = [torch.from_numpy(Standardizer.fit(rows).transform(rows)) for rows in panel]
        longest = max(panel, key=len)
        found = find_periods(longest, frequency) if self.period is None else (self.period,)
        periods = [period for period in found if period > 1]
        self.n_channels_ = longest.shape[1]
        self.horizon_ = checks.shrink_horizon(self.horizon, len(longest))
        self.period_ = periods[0] if periods else 1
        self.net_, self.input_length_, self.n_components_ = learn_net(
            scaled, self.horizon_, periods, self.get_params(deep=False)
        )
        self.memory_depth_ = self.net_.module_.depth
        self.history_ = pd.DataFrame(
            [{key: row[key] for key in row if key != "batches"} for row in self.net_.history]
        )
        checks.warn_shrunk("input_length", self.input_length, self.input_length_)
        if self.memory == "history":
            checks.warn_shrunk("memory_depth", self.memory_depth, self.memory_depth_)
            checks.warn_shrunk("n_components", self.n_components, self.n_components_)

    def _fit_scalers(self) -> None:
        self.scalers_ = {
            key: Standardizer.fit(series.values) for key, series in self._series.items()
        }

    def _predict(self, fh: ForecastingHorizon, X: Any = None) -> pd.DataFrame:
        known = self._known_rows()
        cutoffs = {key: past.index[-1] for key, past in known.items()}
        ahead = {
            cutoff: steps_ahead(fh, cutoff, self._frequency) for cutoff in set(cutoffs.values())
        }
        pasts, scalers = list(known.values()), [self.scalers_[key] for key in known]
        scaled = self._forecast(
            lambda batch: np.stack(
                [
                    scaler.transform(extend_past(past.values, self.memory_depth_, self.period_))
                    for past, scaler in zip(pasts[batch], scalers[batch], strict=True)
                ]
            ),
            len(pasts),
            max(steps.max() for steps in ahead.values()),
        )
        forecasts = {
            key: scaler.inverse_transform(rows[ahead[cutoffs[key]] - 1])
            for key, scaler, rows in zip(known, scalers, scaled, strict=True)
        }
        if () in forecasts:
            stamps = [fh.to_absolute_index(self.cutoff)]
        else:
            stamps = [
                stamps_ahead(cutoff, ahead[cutoff], self._frequency) for cutoff in cutoffs.values()
            ]
        return join_series(forecasts, stamps, self._columns, self._index_names)

    def _forecast(
        self,
        windows_of: Callable[[slice], np.ndarray],  # a batch -> (batch, depth, channels), scaled
        n_windows: int,
        steps: int,
    ) -> np.ndarray:  # (n_windows, steps, channels), scaled
        shape = (self.memory_depth_, self.n_channels_)
        return forecast_windows(self.net_.module_, windows_of, n_windows, steps, shape)

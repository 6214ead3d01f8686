"""The forecaster: one Karhunen-Loeve memory model for a series, a panel or a hierarchy.

    fit       rows -> effect of X -> scaled panel -> closed form (or training) -> `net_`, a fitted skorch net
    predict   the rows up to the cutoff -> forecast, a pure function of those rows
    update    new rows -> the context moves on; `update_params=True` also absorbs them

This file knows sktime, and holds the parts: the rows known (`frames.known_rows`), the effect of X
(`covariates.effects`), the fit (`fitting`), what its net reads (`window_reader`), the levels of the
intervals (`intervals`). What is learned is replaced and never changed in place, so that a call that
fails can be undone.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.random import RandomState
from pandas.api.types import is_integer
from pandas.tseries.offsets import BaseOffset
from skbase.utils.dependencies import _check_soft_dependencies
from skorch.callbacks import Callback
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon
from torch import Tensor

from klforecast.core.pilot import plan_pilot
from klforecast.core.plan import CorePlan, plan_core
from klforecast.core.season import LONGEST_CYCLE
from klforecast.core.stream import EarlierCore
from klforecast.data.periods import candidate_seasons, find_panel_periods
from klforecast.data.scaling import Standardizer, add_within_floats, multiply_within_floats
from klforecast.estimators import checks
from klforecast.estimators.arguments import check_flag, check_levels, check_magnitude, warn_shrunk
from klforecast.estimators.covariates.ahead import (
    doubt_ahead,
    doubt_of_windows,
    doubt_quantiles,
    effect_ahead,
    effect_of_windows,
)
from klforecast.estimators.covariates.effects import Effects, learn_effects, rest_rows
from klforecast.estimators.covariates.table import (
    Covariates,
    known_covariates,
    more_covariates,
    of_windows,
    with_future,
    with_long_season,
)
from klforecast.estimators.fitting import (
    Fitted,
    OpenStream,
    extend_fit,
    fit_panel,
    open_stream,
    refit,
)
from klforecast.estimators.frames.horizon import read_horizon
from klforecast.estimators.frames.indices import stamps_ahead, steps_ahead
from klforecast.estimators.frames.known_rows import KnownRows
from klforecast.estimators.frames.panel import (
    Key,
    TimeSeries,
    first_rows,
    is_row_frame,
    join_series,
    shift_rows,
    split_series,
)
from klforecast.estimators.intervals import FollowedLevels, follow, offsets
from klforecast.estimators.local_pool import (
    LocalPool,
    fit_pool,
    pooled_forecasts,
    pooled_quantiles,
    pooled_window_quantiles,
    pooled_windows,
    rows_spared,
)
from klforecast.estimators.options import LINEAR, Options
from klforecast.estimators.parameters import check_parameters, check_sizes
from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.estimators.window_reader import WindowReader
from klforecast.local.model import LONGEST
from klforecast.ops.arrays import to_tensor
from klforecast.ops.conformal import Calibration
from klforecast.ops.missing import GapFiller, interpolate
from klforecast.training.nets import ForecastNet
from klforecast.training.rollback import unchanged_on_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DISTRIBUTION = (np.arange(100) + 0.5) / 100  # levels that stand for a whole distribution


class KLMemoryForecaster(SavedSktimeEstimator, BaseForecaster):
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
        Steps of one cycle. None: detected; 1: no cycle. One of more than 1,440 steps, such as a year
        of hours, is read as its leading harmonics, beside the shorter cycles that are detected; it
        takes rows of two such cycles.
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
    local_experts : bool, default=True
        Whether the closed form is pooled with filters of each series' own past (exponential smoothing,
        seasonal indices), as far as they forecast its newest rows better. Trained encoders have none.
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
    reach_ : int
        Rows before the cutoff that a forecast reads at most: `memory_depth_`, or 3,000 where local experts
        have a share in it.
    periods_ : list of int
        All cycles found, the leading one first.
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

    # The rows are kept here, in the form in which they are used.
    _config = {"remember_data": False}

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
            "reach_",
            "input_length_",
            "period_",
            "periods_",
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

    net_: ForecastNet
    effects_: Effects | None
    scalers_: dict[Key, Standardizer]
    gap_covariance_: Tensor
    calibration_: Calibration | None
    scale_lag_: int | None
    horizon_: int
    memory_depth_: int
    reach_: int
    period_: int
    n_channels_: int
    input_length_: int
    n_components_: int
    history_: pd.DataFrame
    pretraining_panel_: list[np.ndarray]

    _rows: KnownRows
    _covariates: Covariates | None
    _followed: FollowedLevels
    _open_stream: OpenStream | None
    _pool: LocalPool | None
    periods_: list[int]
    _cutoff: pd.Index | None
    _fh: ForecastingHorizon | None

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
        local_experts: bool = True,
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
        callbacks: Sequence[Callback] | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | RandomState | None = None,
        past_covariates: Sequence[Hashable] | None = None,
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
        self.local_experts = local_experts
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

    def _check_state(self) -> None:
        super()._check_state()
        if not hasattr(self, "net_"):
            return
        module = self.net_.module_
        kept = (self.horizon_, self.memory_depth_, self.n_channels_)
        made = (module.horizon, module.depth, self.gap_covariance_.shape[0])
        if kept != made or self.period_ < 1:
            raise ValueError(
                f"horizon, depth and channels are {kept}, of the net {made}, the period is "
                f"{self.period_}"
            )
        if not hasattr(self, "_rows"):
            return
        rows, levels = self._rows, self._followed.levels
        if not rows.series.keys() == rows.cutoffs.keys() == self.scalers_.keys() == levels.keys():
            raise ValueError("rows, cutoffs, scalers and levels are of different series")

    def __sklearn_tags__(self) -> Any:
        """Say what to use in place of the tools of scikit-learn, which take rows for independent."""
        raise TypeError(
            f"{type(self).__name__} is a forecaster of sktime, and scikit-learn's searches and "
            "cross-validation would shuffle its rows; use sktime's ForecastingGridSearchCV with a "
            "splitter of time, or `sktime.forecasting.model_evaluation.evaluate`"
        )

    def __post_init__(self) -> None:
        """Declare what sktime keeps when a user asks it to remember data."""
        self._y = None
        self._X = None

    def fit(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        """Learn from `y`; see :class:`sktime.forecasting.base.BaseForecaster` for the containers.

        Parameters
        ----------
        y : Series, DataFrame, ndarray or another sktime container
            One series, a panel or a hierarchy, in its own units; rows at regular times.
        X : DataFrame or another sktime container, optional
            Covariates, one numeric column each, with a row for every row of `y`; further rows do
            not matter. Columns whose future is not known are named in `past_covariates`.
        fh : ForecastingHorizon or what makes one, optional
            Kept for a `predict` without fh; learning does not depend on it.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For parameters or rows that cannot be used. The forecaster stays as it was.
        """
        if y is None:
            raise checks.name_refusal(y, "y")
        checks.check_alone(self)
        with unchanged_on_error(self):
            return super().fit(y, X=X, fh=fh)

    def fit_predict(self, y: Any, X: Any = None, fh: Any = None, X_pred: Any = None) -> Any:
        """Fit to `y` and forecast at `fh`: the same as `fit` and then `predict`."""
        return self.fit(y, X=X, fh=fh).predict(X=X_pred)

    def update(self, y: Any, X: Any = None, update_params: bool = True) -> Self:
        """Take in new rows; rows at known stamps replace the known ones.

        Parameters
        ----------
        y : Series, DataFrame, ndarray or another sktime container
            New rows of the fitted series, without a gap to the known ones. A numpy array has no
            index; its rows follow the last known row.
        X : DataFrame or another sktime container, optional
            Covariates at the new rows, needed if `fit` was given some; further rows are kept.
        update_params : bool, default=True
            False moves the context: forecasts start from the new rows, weights, modes and scalers
            stay as they are, and intervals follow the errors seen. True also learns again from all rows known so far.

        Returns
        -------
        self
        """
        check_flag("update_params", update_params)
        with unchanged_on_error(self):
            return super().update(y, X=X, update_params=update_params)

    def update_predict_single(
        self, y: Any = None, fh: Any = None, X: Any = None, update_params: bool = True
    ) -> Any:
        """Take in new rows and forecast from them: `update` and then `predict`."""
        with unchanged_on_error(self):
            return super().update_predict_single(y, fh=fh, X=X, update_params=update_params)

    def pretrain(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        """Learn the weights from a panel, for a later `fit` to a series of the same channels.

        A second call learns again from both panels. `fit` and `clone` keep what was learned here.

        Parameters
        ----------
        y : DataFrame or another sktime container of a panel or hierarchy
        X : ignored
            Effects of covariates are learned by `fit`; passing X here gives a UserWarning.
        fh : ignored

        Returns
        -------
        self
        """
        if y is None:
            raise checks.name_refusal(y, "y")
        if X is not None:
            checks.warn_unused_exogenous(type(self).__name__)
        with unchanged_on_error(self):
            if not hasattr(self, "pretraining_panel_"):
                self.reset()
            return super().pretrain(y, X=X, fh=fh)

    def predict_interval(self, fh: Any = None, X: Any = None, coverage: Any = 0.9) -> pd.DataFrame:
        """Forecast intervals that hold the truth with given probabilities.

        Parameters
        ----------
        fh, X : see `predict`
        coverage : float or sequence of distinct floats between 0 and 1, default=0.9
            Probabilities.

        Returns
        -------
        DataFrame, (rows, channels x coverage x 2)
            In the units of y; columns are channel, coverage and "lower" or "upper".

        Raises
        ------
        TypeError, ValueError
            For a horizon, covariates or probabilities that cannot be used.
        """
        coverage = check_levels("coverage", coverage, distinct=True)
        return super().predict_interval(fh=fh, X=X, coverage=coverage)

    def predict_quantiles(self, fh: Any = None, X: Any = None, alpha: Any = None) -> pd.DataFrame:
        """Forecast quantiles.

        Parameters
        ----------
        fh, X : see `predict`
        alpha : float, sequence of distinct floats between 0 and 1, or None, default=None
            Levels. None: 0.05 and 0.95.

        Returns
        -------
        DataFrame, (rows, channels x levels)
            In the units of y; columns are channel and level.

        Raises
        ------
        TypeError, ValueError
            For a horizon, covariates or levels that cannot be used.
        """
        if alpha is not None:
            alpha = check_levels("alpha", alpha, distinct=True)
        return super().predict_quantiles(fh=fh, X=X, alpha=alpha)

    def predict_var(self, fh: Any = None, X: Any = None, cov: bool = False) -> pd.DataFrame:
        """Forecast the variance of each step and channel.

        Parameters
        ----------
        fh, X : see `predict`
        cov : bool, default=False
            Only False: how errors of different steps vary together is not known.

        Returns
        -------
        DataFrame, (rows, channels)
            In squared units of y.
        """
        check_flag("cov", cov)
        return super().predict_var(fh=fh, X=X, cov=cov)

    def predict_proba(self, fh: Any = None, X: Any = None, marginal: bool = True) -> Any:
        """Forecast a distribution for each step and channel.

        Parameters
        ----------
        fh, X : see `predict`
        marginal : bool, default=True
            The distributions are marginal whatever it is.

        Returns
        -------
        skpro distribution
            Empirical where skpro is installed, see `docs/intervals.md`.
        """
        check_flag("marginal", marginal)
        return super().predict_proba(fh=fh, X=X, marginal=marginal)

    def predict_windows(
        self,
        y: pd.Series | pd.DataFrame | np.ndarray,  # (time, channels)
        cutoffs: Sequence[int] | np.ndarray,  # (n,)
        X: pd.DataFrame | np.ndarray | None = None,
        alpha: Sequence[float] | np.ndarray | None = None,  # (levels,)
    ) -> np.ndarray:  # (n, horizon, channels), or (n, horizon, channels, levels)
        """Forecast `horizon` steps from many cutoffs of a series with the fitted, frozen model.

        Parameters
        ----------
        y : Series, DataFrame or ndarray, (time, channels)
            Rows in the units of `fit`, with its columns.
        cutoffs : sequence of int, (n,)
            Positions in y. The forecast from cutoff c covers the rows c .. c + horizon - 1 and
            reads the rows before c only; 1 <= c <= time.
        X : DataFrame or ndarray, optional
            Covariates from the first row of y to the last step that is forecast, if `fit` was
            given some. An array has the rows of y and those that follow.
        alpha : sequence of float, optional
            Levels of quantiles, between 0 and 1, to return in place of point forecasts.

        Returns
        -------
        ndarray, (n, horizon, channels), float64
            In the units of y; with `alpha` one more axis, (n, horizon, channels, len(alpha)).

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
        frame = checks.read_rows(y)
        checks.check_rows(frame)
        values = split_series(pd.DataFrame(frame))[()].values
        if isinstance(y, pd.DataFrame):
            checks.check_columns(self._rows.columns, y.columns, "y")
        else:
            checks.check_channels(self.n_channels_, values.shape[1])
        positions = checks.check_cutoffs(cutoffs, len(values))
        covariates = of_windows(self._covariates, X, frame.index)
        read = slice(0, positions.max(initial=1))
        past = TimeSeries(values[read], frame.index[read])
        reader = self._reader()._replace(covariates=covariates)
        windows_of = reader.windows_within((), past, positions)
        scaler, horizon = self.scalers_[()], self.horizon
        core = reader.forecast(windows_of, len(positions), horizon)
        pasts = [((), first_rows(past, cutoff)) for cutoff in positions]
        point = pooled_windows(self._pool, reader, pasts, core)
        forecasts = scaler.inverse_transform(point)
        if covariates is not None and len(positions):
            forecasts = forecasts + effect_of_windows(
                self.effects_, covariates, past.index, positions, horizon
            )
        if alpha is None:
            return forecasts
        levels = np.asarray(check_levels("alpha", alpha))
        if np.ndim(alpha) == 0:
            raise ValueError(f"alpha is {alpha}; pass numbers between 0 and 1, such as [0.1, 0.9]")
        around = offsets(
            self._followed,
            self.calibration_,
            reader,
            windows_of,
            [()] * len(positions),
            positions,
            horizon,
            levels,
        )
        if self._pool is not None:
            own = core[..., None] + around
            pooled = pooled_window_quantiles(self._pool, reader, pasts, own, levels)
            around = pooled - point[..., None]
        quantiles = add_within_floats(
            forecasts[..., None], multiply_within_floats(around, scaler.scale[:, None])
        )
        if covariates is None or self.effects_ is None or not len(positions):
            return quantiles
        doubt = doubt_of_windows(self.effects_, covariates, past.index, positions, horizon)
        return add_within_floats(quantiles, doubt_quantiles(doubt, levels))

    def plot_modes(self, n_modes: int = 4, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the leading modes of the past that the model reads, each with its period.

        Each mode comes with its share of the variance. Of modes that are all fast only the newest
        ten cycles are drawn.

        Parameters
        ----------
        n_modes : int, default=4
            Modes to draw, largest eigenvalue first.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            Before `fit`.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> ax = KLMemoryForecaster(horizon=12).fit(load_airline()).plot_modes(2)
        >>> ax.get_legend_handles_labels()[1][0].split(",")[0]
        'mode 1: trend'
        """
        from klforecast.estimators.plots.memory import draw_modes

        self.check_is_fitted(method_name="plot_modes")
        return draw_modes(
            self._scaled_rows(), self.memory_depth_, self._rows.frequency, n_modes, ax
        )

    def plot_memory(self) -> "Figure":
        """Draw the spectrum of the past that the model reads, and how far back its forecast looks.

        On the left the share of the variance of each mode, largest first, with the number of
        components that a linear core keeps of each block. On the right how much a past step moves the
        forecast, by its age, at the last known rows. Below, where the memory reads the past, what
        each of its tokens attends to: the weight of each step in the token, dark where it is
        largest. For a trained encoder that is a derivative at the last known rows. The tokens of
        the linear core are its components, whose weights are their modes at any rows; the leading
        four of each block of the history are shown by name.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            Before `fit`.
        """
        from klforecast.estimators.plots.memory import draw_memory

        self.check_is_fitted(method_name="plot_memory")
        return draw_memory(
            self.net_.module_,
            self._scaled_rows(),
            self.memory_depth_,
            self.period_,
            self.n_components_,
            self._rows.frequency,
        )

    def _check_fh(self, fh: Any, pred_int: bool = False) -> Any:
        """Take `fh` over, or that of `fit`, or one whole horizon.

        Called by sktime, which reads its own note of it, and this another thread may overwrite.
        """
        if fh is None and not self.is_fitted:
            return None
        wanted = fh if fh is not None else self._fh
        read = read_horizon(
            self.horizon if wanted is None else wanted,
            self._rows.cutoffs,
            self._rows.frequency,
            len(self._rows.longest.values),
        )
        if fh is not None:
            self._fh = read
        return read

    def _check_X_y(self, X: Any = None, y: Any = None, **options: Any) -> tuple[Any, Any]:
        """Refuse bad rows in our own words, before sktime converts them."""
        in_rows = is_row_frame(y)
        checks.check_container(y, "y")
        if in_rows:
            checks.check_rows(y)
        if is_row_frame(X):
            checks.check_covariate_rows(X)
        try:
            X_inner, y_inner = super()._check_X_y(X=X, y=y, **options)
        except TypeError as error:
            bad = next((name for name in "yX" if f"input {name} must be" in str(error)), None)
            if bad is None:
                raise
            raise checks.name_refusal({"y": y, "X": X}[bad], bad) from error
        if X is not None and not is_row_frame(X):
            checks.check_covariate_rows(X_inner)
        if y is not None and not in_rows:
            checks.check_rows(y_inner)
        if isinstance(y, np.ndarray) and self.is_fitted and is_integer(self.cutoff[0]):
            y_inner = shift_rows(y_inner, int(self.cutoff[0]) + 1)
        if isinstance(X, np.ndarray) and self.is_fitted and is_integer(self.cutoff[0]):
            X_inner = shift_rows(X_inner, int(self.cutoff[0]) + 1)
        return X_inner, y_inner

    def _update_y_X(self, y: pd.DataFrame, X: Any = None, **options: Any) -> None:
        """Take over rows and cutoff; called by sktime before `_fit` and `_update`."""
        if self.is_fitted:
            rows = self._rows.joined(y)
            more = more_covariates(self._covariates, X)
            if self._covariates is not None:
                self._covariates = self._covariates.joined(more)
                for key, new in split_series(y).items():
                    self._covariates.table(key, new.index)
        else:
            rows = KnownRows.of(y)
            self._covariates = known_covariates(
                X, rows.series, rows.frequency, self.past_covariates, self.calendar_features
            )
        self._rows = rows
        super()._update_y_X(y, X, **options)

    def _set_cutoff_from_y(self, y: pd.DataFrame) -> None:
        """Note the latest cutoff for sktime.

        It would take the latest stamp of the rows just passed, which may be of one series of many,
        and fail at steps that pandas cannot infer.
        """
        self._cutoff = self._rows.latest()

    def _fit(self, y: pd.DataFrame, X: Any, fh: ForecastingHorizon | None) -> Self:
        check_parameters(self.get_params(deep=False))
        check_sizes(self.get_params(deep=False), len(self._rows.longest.values), y.shape[1])
        checks.check_values(self._rows.series, self._rows.columns)
        if hasattr(self, "pretraining_panel_"):
            checks.check_channels(self.n_channels_, y.shape[1])
        self._learn()
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._followed = follow(
            self._followed,
            self._known_rows(),
            self._rows.cutoffs,
            self._reader(),
            self.calibration_,
            self.horizon_,
        )
        if not update_params or hasattr(self, "pretraining_panel_"):
            return self
        options = Options.of(self.get_params(deep=False))
        opened = extend_fit(self._open_stream, self._rows.series, self.horizon, options)
        if opened is None:
            self._learn()
            return self
        spared = self._rows_spared()
        refitted = refit(self.net_, opened, self._rows.series, spared)
        self._open_stream = opened
        self.net_, self.scalers_, self.calibration_, earlier = refitted
        self._fit_pool(earlier, spared)
        return self

    def _pretrain(
        self, y: pd.DataFrame, X: Any = None, fh: ForecastingHorizon | None = None
    ) -> Self:
        check_parameters(self.get_params(deep=False))
        panel = split_series(y)
        check_sizes(
            self.get_params(deep=False), max(len(own.values) for own in panel.values()), y.shape[1]
        )
        frequency = checks.check_panel(panel)
        checks.check_values(panel, y.columns)
        known = getattr(self, "pretraining_panel_", ())
        if known:
            checks.check_channels(self.n_channels_, y.shape[1])
        self.pretraining_panel_ = [*known, *(series.values for series in panel.values())]
        rows = {(place,): values for place, values in enumerate(self.pretraining_panel_)}
        longest = max(map(len, self.pretraining_panel_))
        plan = self._plan(rows, frequency, checks.shrink_horizon(self.horizon, longest))
        self._fit_panel(rows, plan)
        return self

    def _learn(self) -> None:
        """Learn from all known rows: the effect of X, then what the memory makes of the rest."""
        pretrained = hasattr(self, "pretraining_panel_")
        series, covariates = self._rows.series, self._covariates
        longest = len(self._rows.longest.values)
        # A pretrained net has its horizon already, and no warning is due.
        horizon = (
            min(self.horizon, checks.longest_horizon(longest))
            if pretrained
            else checks.shrink_horizon(self.horizon, longest)
        )
        rows = {key: part.values for key, part in series.items()}
        plan = self._plan(rows, self._rows.frequency, horizon)
        season = (
            1 if pretrained else self._long_season(self._rows.longest.values, self._rows.frequency)
        )
        covariates = with_long_season(covariates, series, self._rows.frequency, season)
        self.effects_ = None
        if covariates is not None:
            pilot_plan = plan_pilot(
                [*map(len, rows.values())],
                plan,
                lambda ahead: self._plan(rows, self._rows.frequency, ahead),
            )
            self.effects_ = learn_effects(series, covariates, plan, pilot_plan)
        if covariates is not None and covariates.is_season_alone and self.effects_ is None:
            covariates = None
        self._covariates = covariates
        residual = {
            key: rest_rows(self.effects_, covariates, key, part) for key, part in series.items()
        }
        if self.effects_ is not None:
            # A season may be seen only where the covariates are taken off.
            plan = self._plan(residual, self._rows.frequency, horizon)
        self._open_stream, self._pool = None, None
        if pretrained:
            self.scalers_ = {
                key: Standardizer.fit(part, self.forgetting, self.scale_lag_)
                for key, part in residual.items()
            }
        else:
            spared = self._rows_spared()
            fitted = self._fit_panel(residual, plan, spared)
            self.scalers_ = fitted.scalers
            self._fit_pool(fitted.earlier, spared)
            # Effects of covariates are not learned online, and what they leave over changes with them.
            if covariates is None:
                self._open_stream = open_stream(fitted.stream, series)
        self._followed = FollowedLevels.start(self._rows.cutoffs, self.n_channels_)

    def _plan(
        self,
        panel: Mapping[Key, np.ndarray],  # (time, channels) each, in the units of the data
        frequency: BaseOffset | None,
        horizon: int,
    ) -> CorePlan:
        longest = max(panel.values(), key=len)
        self.periods_ = self._find_periods(list(panel.values()), frequency)
        return plan_core(
            [len(rows) for rows in panel.values()],
            longest.shape[1],
            horizon,
            self.periods_,
            Options.of(self.get_params(deep=False)).core,
        )

    def _find_periods(self, panel: Sequence[np.ndarray], frequency: BaseOffset | None) -> list[int]:
        """Cycles of the series that fit into a window, in steps, the leading one first."""
        if self.period is not None and self.period <= LONGEST_CYCLE:
            return [self.period] if self.period > 1 else []
        return [period for period in _periods_of(panel, frequency) if 1 < period <= LONGEST_CYCLE]

    def _long_season(self, rows: np.ndarray, frequency: BaseOffset | None) -> int:
        """The leading cycle of one series that fits into no window; 1 for none."""
        if self.period is not None and self.period <= LONGEST_CYCLE:
            return 1
        periods = _periods_of([rows], frequency) if self.period is None else [self.period]
        long = next((period for period in periods if period > LONGEST_CYCLE), 1)
        if len(rows) >= 2 * long:
            return long
        checks.warn_no_season(long, len(rows))
        return 1

    def _rows_spared(self) -> int:
        """Rows without which a linear core is solved once more, to be compared with local experts."""
        if not self.local_experts or self.encoder != LINEAR:
            return 0
        lengths = [len(part.values) for part in self._rows.series.values()]
        horizon = min(self.horizon, checks.longest_horizon(max(lengths)))
        return rows_spared(lengths, horizon, self._seasons())

    def _fit_pool(self, earlier: EarlierCore | None, spared: int) -> None:
        self._pool = None
        self.reach_ = self.memory_depth_
        if spared and earlier is not None:
            reader = self._reader()._replace(module=earlier.core, scalers=earlier.scalers)
            self._pool = fit_pool(self._rows.series, reader, self.horizon_, self._seasons(), spared)
        if self._pool is not None and self._pool.share.any():
            self.reach_ = max(self.reach_, LONGEST)

    def _seasons(self) -> Sequence[int]:
        """What local experts take for seasons: the period asked for, or all that there may be."""
        if self.period is not None:
            return self.periods_
        return candidate_seasons(self.periods_, self._rows.frequency)

    def _fit_panel(
        self, panel: Mapping[Key, np.ndarray], plan: CorePlan, spared: int = 0
    ) -> Fitted:
        """Turn rows into weights, and take over what was learned: the only place where the net is made."""
        self.horizon_ = plan.horizon
        self.scale_lag_ = plan.horizon if len(panel) > 1 else None
        options = Options.of(self.get_params(deep=False))
        fitted = fit_panel(panel, plan, self.scale_lag_, options, spared)
        self.n_channels_ = next(iter(panel.values())).shape[1]
        self.period_ = plan.period
        self.net_ = fitted.net
        self.gap_covariance_ = fitted.gap_covariance
        self.calibration_ = fitted.calibration
        self.input_length_, self.n_components_ = fitted.input_length, fitted.n_components
        self.memory_depth_ = self.reach_ = fitted.net.module_.depth
        self.history_ = pd.DataFrame(
            [{key: row[key] for key in row if key != "batches"} for row in fitted.net.history]
        )
        warn_shrunk("input_length", self.input_length, self.input_length_)
        if self.memory == "history":
            warn_shrunk("memory_depth", self.memory_depth, self.memory_depth_)
            if self.n_components is not None and not self.n_components_:
                checks.warn_no_history(self.n_components, self.memory_depth_)
            else:
                warn_shrunk("n_components", self.n_components, self.n_components_)
        return fitted

    def _predict(self, fh: ForecastingHorizon, X: Any = None) -> pd.DataFrame:
        known = self._known_rows()
        cutoffs = {key: past.index[-1] for key, past in known.items()}
        frequency = self._rows.frequency
        ahead = {cutoff: steps_ahead(fh, cutoff, frequency) for cutoff in set(cutoffs.values())}
        covariates = with_future(self._covariates, X, cutoffs)
        reader, places = self._reader(), list(known.items())
        longest = max(steps.max() for steps in ahead.values())
        core = reader.forecast(reader.windows_before(places), len(places), longest)
        scaled = pooled_forecasts(self._pool, reader, places, core)
        forecasts = {
            key: self.scalers_[key].inverse_transform(rows[ahead[cutoffs[key]] - 1])
            for key, rows in zip(known, scaled, strict=True)
        }
        if covariates is not None:
            for key, past in known.items():
                steps = ahead[cutoffs[key]]
                effect = effect_ahead(self.effects_, covariates, key, past.index, steps)
                forecasts[key] = forecasts[key] + effect
        stamps = [stamps_ahead(cutoff, ahead[cutoff], frequency) for cutoff in cutoffs.values()]
        return join_series(forecasts, stamps, self._rows.columns, self._rows.index_names)

    def _predict_quantiles(
        self, fh: ForecastingHorizon, X: Any, alpha: Sequence[float]
    ) -> pd.DataFrame:
        forecast = self._predict(fh=fh, X=X)
        values = add_within_floats(
            forecast.to_numpy()[..., None], self._offsets_ahead(fh, X, np.asarray(alpha))
        )
        columns = pd.MultiIndex.from_product([self._get_varnames(), alpha])
        return pd.DataFrame(values.reshape(len(values), -1), forecast.index, columns)

    def _predict_var(
        self, fh: ForecastingHorizon, X: Any = None, cov: bool = False
    ) -> pd.DataFrame:
        if cov:
            raise NotImplementedError(
                f"{type(self).__name__} knows the errors of each step and channel, not how they "
                f"vary together; pass cov=False"
            )
        forecast = self._predict(fh=fh, X=X)
        around = self._offsets_ahead(fh, X, _DISTRIBUTION)
        check_magnitude("the error of the forecasts", around)
        return pd.DataFrame(around.var(axis=-1), forecast.index, forecast.columns)

    def _predict_proba(
        self, fh: ForecastingHorizon, X: Any = None, marginal: bool = True
    ) -> Any:  # a distribution of skpro
        if not _check_soft_dependencies("skpro", severity="none"):
            return super()._predict_proba(fh=fh, X=X, marginal=marginal)
        from skpro.distributions.empirical import Empirical

        forecast = self._predict(fh=fh, X=X)
        values = add_within_floats(
            forecast.to_numpy()[..., None], self._offsets_ahead(fh, X, _DISTRIBUTION)
        )
        draws = [pd.DataFrame(draw, forecast.index, forecast.columns) for draw in values.T.mT]
        return Empirical(pd.concat(dict(enumerate(draws))))

    def _offsets_ahead(
        self, fh: ForecastingHorizon, X: Any, levels: np.ndarray
    ) -> np.ndarray:  # (rows, C, Q), in the order of `_predict`
        """Quantiles around the forecasts of all series, in the units of the data."""
        known = self._known_rows()
        ahead = [steps_ahead(fh, past.index[-1], self._rows.frequency) for past in known.values()]
        reader, places = self._reader(), list(known.items())
        windows_of, longest = reader.windows_before(places), max(own.max() for own in ahead)
        around = offsets(
            self._followed,
            self.calibration_,
            reader,
            windows_of,
            list(known),
            [len(past.values) for past in known.values()],
            longest,
            levels,
        )
        if self._pool is not None:
            core = reader.forecast(windows_of, len(places), longest)
            point = pooled_forecasts(self._pool, reader, places, core)
            own = core[..., None] + around
            around = pooled_quantiles(self._pool, reader, places, own, levels) - point[..., None]
        in_units = np.concatenate(
            [
                multiply_within_floats(
                    own_offsets[own_ahead - 1], self.scalers_[key].scale[:, None]
                )
                for key, own_offsets, own_ahead in zip(known, around, ahead, strict=True)
            ]
        )
        covariates = with_future(
            self._covariates, X, {key: past.index[-1] for key, past in known.items()}
        )
        if covariates is None or self.effects_ is None:
            return in_units
        doubts = [
            doubt_ahead(self.effects_, covariates, key, past.index, own_ahead)
            for (key, past), own_ahead in zip(known.items(), ahead, strict=True)
        ]
        return add_within_floats(in_units, doubt_quantiles(np.concatenate(doubts), levels))

    def known_rows(self) -> dict[Key, TimeSeries]:
        """Rows known so far, one array per series, up to its cutoff.

        Returns
        -------
        dict of tuple to TimeSeries
            By the labels of each series, ``()`` for a single one: `values`, (time, channels), in the
            units of the data, and `index`.

        Raises
        ------
        NotFittedError
            Before `fit`.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> forecaster = KLMemoryForecaster(horizon=12).fit(load_airline())
        >>> forecaster.known_rows()[()].values.shape
        (144, 1)
        """
        self.check_is_fitted(method_name="known_rows")
        return self._known_rows()

    def _known_rows(self) -> dict[Key, TimeSeries]:
        return self._rows.until_cutoffs()

    def _scaled_rows(self) -> list[np.ndarray]:
        return [
            self.scalers_[key].transform(part.values) for key, part in self._rows.series.items()
        ]

    def _reader(self) -> WindowReader:
        return WindowReader(
            self.net_.module_,
            self.effects_,
            self._covariates,
            self.scalers_,
            GapFiller(self.gap_covariance_),
            self.memory_depth_,
            self.period_,
            self.n_channels_,
        )


def _periods_of(panel: Sequence[np.ndarray], frequency: BaseOffset | None) -> tuple[int, ...]:
    whole = [
        interpolate(to_tensor(rows), 1).numpy() if np.isnan(rows).any() else rows for rows in panel
    ]
    return find_panel_periods(whole, frequency)

"""The forecaster: one Karhunen-Loeve memory model for a series, a panel or a hierarchy.

    fit       rows -> effect of X -> scaled panel -> closed form (or training) -> `net_`, a fitted skorch net
    predict   the rows up to the cutoff -> forecast, a pure function of those rows
    update    new rows -> the context moves on; `update_params=True` also absorbs them

This file is what a user and sktime see, and holds the parts: the rows known (`frames.known_rows`), the
stages of a fit (`stages`), what its net reads (`window_reader`), what it says (`forecasting`,
`distribution`), the levels of its intervals (`intervals`), what it tells of itself (`inspection`). What is
learned is replaced and never changed in place, so that a call that fails can be undone.
"""

from collections.abc import Hashable, Sequence
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.random import RandomState
from skorch.callbacks import Callback
from sktime.forecasting.base import ForecastingHorizon
from torch import Tensor

from klforecast.data.scaling import Standardizer
from klforecast.estimators import checks, stages
from klforecast.estimators.arguments import check_flag, check_integer, check_levels, check_seed
from klforecast.estimators.covariates.effects import Effects
from klforecast.estimators.covariates.table import (
    Covariates,
    covariates_joined,
    known_covariates,
    of_windows,
    with_future,
)
from klforecast.estimators.distribution import LEVELS, Distribution, joint_distribution
from klforecast.estimators.fitting import Fitted, OpenStream
from klforecast.estimators.following import update_levels
from klforecast.estimators.forecasting import Predictor, forecast_from_cutoffs, forecast_series
from klforecast.estimators.frames.containers import convert_checked
from klforecast.estimators.frames.horizon import StepsAhead
from klforecast.estimators.frames.known_rows import KnownRows
from klforecast.estimators.frames.panel import (
    Key,
    TimeSeries,
    first_rows,
    split_series,
)
from klforecast.estimators.inspection import InspectedForecaster
from klforecast.estimators.intervals import IntervalLevels
from klforecast.estimators.jobs import on_workers
from klforecast.estimators.local_pool import LocalPool
from klforecast.estimators.memory_options import MemoryOptions
from klforecast.estimators.options import Options
from klforecast.estimators.parameters import check_fit
from klforecast.estimators.paths import PATH_LEVELS, require_joint_errors, sample_paths
from klforecast.estimators.returning import ReturningEffects
from klforecast.estimators.shrinking import warn_of_shrunk
from klforecast.estimators.tags import FORECASTER_TAGS
from klforecast.estimators.window_reader import WindowReader
from klforecast.ops.conformal import Calibration
from klforecast.ops.missing import GapFiller
from klforecast.training.nets import ForecastNet
from klforecast.training.rollback import unchanged_on_error
from klforecast.training.seeding import draw_seed


class KLMemoryForecaster(InspectedForecaster):
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
        takes rows of two such cycles. Events of the year and trading days are looked for where no period is
        named.
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
    memory_options : MemoryOptions, str or None, default=None
        Of the memory of a trained encoder alone, apart from that of the closed form: source, sizes,
        decomposition, writer; or the name of a published variant, ``"v1"`` to ``"v4"``,
        ``"factorized"``, ``"spectral-memory"``. None: as the other arguments say.
    encoder : str, default="linear"
        ``"linear"`` is the closed form alone; any other is a network trained on top of it, by name:
        ``"transformer"``, ``"patchtst"``, ``"itransformer"``, ``"gru"``, ``"mamba"``,
        ``"deltanet"`` and the others of `klforecast.modules.encoders.ENCODERS`.
    linear_core : bool, default=True
        Whether a trained encoder corrects the closed form. False: it forecasts alone.
    local_experts : bool, default=True
        Whether the closed form is pooled with filters of each series' own past (exponential smoothing,
        seasonal indices), as far as they forecast its newest rows better, and what returns at the same date
        of every year is taken off the rows and put back, if that helps. Trained encoders have none.
    clean_outliers : bool, default=True
        Whether outliers of y are read as what would have been usual: one or two rows far from it, outages, values
        that got stuck. `outliers` lists them. False: rows are read as they are.
    token_mixer : {"factorized", "dense", "bottleneck"}, default="factorized"
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
        Where a net trains. ``"auto"`` takes CUDA where there is one, else Apple's graphics processor
        (``"mps"``), else the CPU. What needs double precision, of which MPS has none, is done on the CPU
        there: decompositions, and forecasts of a fitted model. ``"accelerate"`` shares the training of an
        encoder out among the processes of ``accelerate launch``, each of which fits the same rows.
    verbose : int, default=0
        1 or more prints the progress of training, and the `summary` of what was fitted.
    n_jobs : int or None, default=None
        Workers that share the channels, and the series whose local experts are asked, one thread each; -1
        takes all processors. None is one, with the threads that torch has, or what `joblib.parallel_config`
        says. The numbers are the same up to rounding. It pays from some dozen channels of some thousand
        rows on; panels beyond one machine have `klforecast.distributed`.
    random_state : int, RandomState or None, default=None
        Seed of everything random. The closed form uses none.
    past_covariates : sequence of str or None, default=None
        Columns of X whose future is not known; they are read up to the cutoff. All other columns
        are known-future: `predict` needs them for every step up to the last one of `fh`.
    calendar_features : sequence of str or None, default=None
        Made from the stamps of a dated index and used like known-future columns of X: some of
        ``"hour"``, ``"dayofweek"``, ``"day"``, ``"month"``, ``"quarter"``, ``"dayofyear"``, and public
        holidays and the days around them, as ``"holidays:DE"`` or ``"holidays:AU-VIC"`` (codes of ISO 3166;
        needs ``pip install klforecast[holidays]``).

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
    training_log_ : DataFrame
        One row per training epoch; empty for the closed form.
    scalers_ : dict of tuple to Standardizer
        Mean and scale of each series less the effect of its covariates, by its labels; ``()``
        names a single series.
    effects_ : Effects or None
        Effect of the covariates that help out of fold; None if none does.
    returning_ : ReturningEffects or None
        What returns at the same date of every year, in every week that windows are too short for, or with the
        weekdays of a month; None where it helps none out of fold.
    outlier_seasons_ : tuple of int or None
        Periods by which outliers are told; None where nobody looks for them.
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
      the new rows and is solved again, at a cost that does not depend on how many came before, but for a
      search of all rows for outliers (30 ns for each value of a series without any, some 600 for others); a
      trained encoder is trained again, from all rows. On a pretrained forecaster the weights stay as `pretrain` left
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

    _tags = FORECASTER_TAGS

    net_: ForecastNet
    effects_: Effects | None
    returning_: ReturningEffects | None
    outlier_seasons_: tuple[int, ...] | None
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
    training_log_: pd.DataFrame
    periods_: list[int]
    pretraining_panel_: list[np.ndarray]

    _rows: KnownRows
    _covariates: Covariates | None
    _interval_levels: IntervalLevels
    _open_stream: OpenStream | None
    _pool: LocalPool | None
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
        memory_options: MemoryOptions | str | None = None,
        encoder: str = "linear",
        linear_core: bool = True,
        local_experts: bool = True,
        clean_outliers: bool = True,
        token_mixer: str = "factorized",
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
        n_jobs: int | None = None,
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
        self.memory_options = memory_options
        self.encoder = encoder
        self.linear_core = linear_core
        self.local_experts = local_experts
        self.clean_outliers = clean_outliers
        self.token_mixer = token_mixer
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
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.past_covariates = past_covariates
        self.calendar_features = calendar_features
        super().__init__()

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small settings with which sktime's checks run in seconds."""
        return [
            {"horizon": 3, "random_state": 0},
            {
                "horizon": 2,
                "input_length": 4,
                "memory_depth": 8,
                "period": 1,
                "local_experts": False,
            },
        ]

    def _check_state(self) -> None:
        super()._check_state()
        if hasattr(self, "net_"):
            module, channels = self.net_.module_, len(self.gap_covariance_)
            kept = (self.horizon_, self.memory_depth_, self.n_channels_)
            checks.check_shape(kept, (module.horizon, module.depth, channels), self.period_)
        if hasattr(self, "net_") and hasattr(self, "_rows"):
            rows, levels = self._rows, self._interval_levels.levels
            checks.check_same_series(rows.series, rows.cutoffs, self.scalers_, levels)

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
            super().fit(y, X=X, fh=fh)
        if self.verbose:
            print(self.summary())
        return self

    def predict(self, fh: Any = None, X: Any = None) -> pd.Series | pd.DataFrame | Any:
        """Forecast from the last known rows; nothing is learned and nothing is kept of the call.

        Parameters
        ----------
        fh : int, sequence of int, stamps or ForecastingHorizon, optional
            Steps after the cutoff, from 1, or stamps. None: those of `fit`, or 1 ... `horizon_`.
        X : DataFrame or another sktime container, optional
            Covariates for every step up to the last one of `fh`, if `fit` was given some whose future
            is known.

        Returns
        -------
        Series, DataFrame or another sktime container
            In the container and the units of y: a Series for a Series, a frame with the same labels for a
            panel. Steps beyond `horizon_` are forecast from the forecasts before them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a horizon or covariates that cannot be used.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> forecast = KLMemoryForecaster(horizon=12).fit(load_airline()).predict(fh=[1, 12])
        >>> [str(month) for month in forecast.index]
        ['1961-01', '1961-12']
        """
        return super().predict(fh=fh, X=X)

    def fit_predict(
        self, y: Any, X: Any = None, fh: Any = None, X_pred: Any = None
    ) -> pd.Series | pd.DataFrame | Any:
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
    ) -> pd.Series | pd.DataFrame | Any:
        """Take in new rows and forecast from them: `update` and then `predict`."""
        with unchanged_on_error(self):
            return super().update_predict_single(y, fh=fh, X=X, update_params=update_params)

    def pretrain(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        """Learn the weights from a panel, for a later `fit` to series that need not be in it.

        `fit` then measures scale and cycles of its own series only, which takes milliseconds and a cycle or
        two of rows; it and `clone` keep what was learned here. A second call learns again from both panels.

        Parameters
        ----------
        y : DataFrame or another sktime container of a panel or hierarchy
        X : ignored
            Effects of covariates are learned by `fit`; passing X here gives a UserWarning.
        fh : ignored

        Returns
        -------
        self

        Examples
        --------
        A series of 15 months, forecast by what four long ones have taught:

        >>> import numpy as np
        >>> import pandas as pd
        >>> from klforecast import KLMemoryForecaster
        >>> month = np.arange(240)
        >>> panel = {f"s{k}": pd.DataFrame({"y": np.sin((month + k) * np.pi / 6)}) for k in range(4)}
        >>> forecaster = KLMemoryForecaster(horizon=12)
        >>> forecaster = forecaster.pretrain(pd.concat(panel, names=["id", "month"]))
        >>> new = 50 + 8 * np.cos(np.arange(27) * np.pi / 6)
        >>> bool(abs(forecaster.fit(new[:15]).predict().ravel() - new[15:]).max() < 1)
        True
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
            Only False; `simulate` draws paths whose errors vary together.

        Returns
        -------
        DataFrame, (rows, channels)
            In squared units of y.
        """
        check_flag("cov", cov)
        return super().predict_var(fh=fh, X=X, cov=cov)

    def predict_proba(self, fh: Any = None, X: Any = None, marginal: bool = True) -> Any:
        """Forecast a distribution for each step and channel, or one of all of them together.

        Parameters
        ----------
        fh, X : see `predict`
        marginal : bool, default=True
            True: each step and channel by itself, as 100 quantiles. False: the 1,000 paths of `simulate`,
            which `sample` of the distribution draws whole.

        Returns
        -------
        skpro distribution
            Empirical where skpro is installed, see `docs/method/intervals.md`.
        """
        check_flag("marginal", marginal)
        return super().predict_proba(fh=fh, X=X, marginal=marginal)

    def simulate(
        self,
        fh: Any = None,
        X: Any = None,
        n_paths: int = 1000,
        random_state: int | RandomState | None = None,
    ) -> pd.DataFrame:
        """Draw paths that the coming rows may take, whose steps and channels vary together.

        Sums, maxima and durations over many steps have the distribution of those of the paths. Each
        step by itself has the quantiles of `predict_quantiles`. Series of a panel are drawn apart from
        each other.

        Parameters
        ----------
        fh, X : see `predict`
        n_paths : int, default=1000
        random_state : int, RandomState or None, default=None
            Seed of the draw. None: that of the forecaster; new paths with each call if that is None too.

        Returns
        -------
        DataFrame, (n_paths x rows, channels)
            In the units of y; the levels of its index are "path", from 0, and those of y.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a horizon, covariates, number or seed that cannot be used.
        KLForecastError
            If the forecaster was saved by a version that kept nothing of how errors vary together.

        Notes
        -----
        About the time of `predict_quantiles` and O(n_paths x rows x channels); see `docs/method/intervals.md`.

        Examples
        --------
        What may the sum of a year be, with 80 %?

        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> forecaster = KLMemoryForecaster(horizon=12).fit(load_airline())
        >>> paths = forecaster.simulate(fh=range(1, 13), random_state=0)
        >>> paths.index.names, len(paths)
        (FrozenList(['path', 'Period']), 12000)
        >>> low, high = paths.groupby("path").sum().quantile([0.1, 0.9]).to_numpy()[:, 0]
        >>> bool(5000 < low < high < 7500)
        True
        """
        self.check_is_fitted(method_name="simulate")
        check_integer("n_paths", n_paths, minimum=1)
        check_seed("random_state", random_state)
        joint = require_joint_errors(self.calibration_)
        horizon = self._check_fh(fh)
        quantiles = self.predict_quantiles(horizon, X, alpha=PATH_LEVELS)
        ahead = StepsAhead.of(horizon, self._rows.cutoffs, self._rows.frequency)
        seed = draw_seed(self.random_state if random_state is None else random_state)
        return sample_paths(quantiles, list(ahead.steps.values()), joint, n_paths, seed)

    def predict_windows(
        self,
        y: pd.Series | pd.DataFrame | np.ndarray,  # (time, channels)
        cutoffs: Sequence[int] | np.ndarray,  # (n,)
        X: pd.DataFrame | np.ndarray | None = None,
        alpha: Sequence[float] | np.ndarray | None = None,  # (levels,)
        as_frame: bool = False,
    ) -> np.ndarray | pd.DataFrame:  # (n, horizon, channels), or (n, horizon, channels, levels)
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
        as_frame : bool, default=False
            Whether to label the forecasts, which takes longer than to make them.

        Returns
        -------
        ndarray, (n, horizon, channels), float64
            In the units of y; with `alpha` one more axis, (n, horizon, channels, len(alpha)). With
            `as_frame` a DataFrame like `Backtest.forecasts`: a row for each cutoff, step and channel, its
            stamps, the truth where y holds it, the forecast, and a column such as ``q0.1`` for each level.

        Examples
        --------
        >>> import numpy as np
        >>> from klforecast import KLMemoryForecaster
        >>> y = np.sin(np.arange(200) * np.pi / 6)[:, None]
        >>> forecaster = KLMemoryForecaster(horizon=24).fit(y[:150])
        >>> forecaster.predict_windows(y, [150, 151, 152]).shape
        (3, 24, 1)
        >>> forecaster.predict_windows(y, [150], as_frame=True)[["cutoff", "step", "time"]].head(2)
           cutoff  step  time
        0     149     1   150
        1     149     2   151
        """
        self.check_is_fitted(method_name="predict_windows")
        check_flag("as_frame", as_frame)
        forecasts, quantiles = self._windows_ahead(y, cutoffs, X, alpha)
        if as_frame:
            from klforecast.estimators.rolling.windows_frame import windows_frame

            return windows_frame(y, cutoffs, forecasts, quantiles, alpha, self._rows)
        return forecasts if quantiles is None else quantiles

    @on_workers
    def _windows_ahead(
        self,
        y: pd.Series | pd.DataFrame | np.ndarray,
        cutoffs: Sequence[int] | np.ndarray,
        X: pd.DataFrame | np.ndarray | None,
        alpha: Sequence[float] | np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Forecasts of `predict_windows`, and the quantiles that were asked for beside them."""
        checks.check_one_series(self.scalers_)
        series, positions = checks.check_windows(y, cutoffs, self._rows.columns)
        predictor = self._predictor(of_windows(self._covariates, X, series.index))
        levels = None if alpha is None else checks.window_levels(alpha)
        past = first_rows(series, positions.max(initial=1))
        return forecast_from_cutoffs(predictor, past, positions, self.horizon, levels)

    def _check_fh(self, fh: Any, pred_int: bool = False) -> Any:
        """Take `fh` over, or that of `fit`, or one whole horizon.

        Called by sktime, which reads its own note of it, and this another thread may overwrite.
        """
        if fh is None and not self.is_fitted:
            return None
        if fh is not None:
            self._fh = self._rows.read_horizon(fh)
            return self._fh
        return self._rows.read_horizon(self.horizon if self._fh is None else self._fh)

    def _check_X_y(self, X: Any = None, y: Any = None, **options: Any) -> tuple[Any, Any]:
        """Refuse bad rows in our own words, before sktime converts them."""
        return convert_checked(
            X,
            y,
            lambda: super(KLMemoryForecaster, self)._check_X_y(X=X, y=y, **options),
            self.cutoff[0] if self.is_fitted else None,
        )

    def _update_y_X(self, y: pd.DataFrame, X: Any = None, **options: Any) -> None:
        """Take over rows and cutoff; called by sktime before `_fit` and `_update`."""
        if self.is_fitted:
            self._rows = self._rows.joined(y)
            self._covariates = covariates_joined(self._covariates, X, split_series(y))
        else:
            self._rows = KnownRows.of(y)
            self._covariates = known_covariates(
                X, self._rows, self.past_covariates, self.calendar_features
            )
        super()._update_y_X(y, X, **options)

    def _set_cutoff_from_y(self, y: pd.DataFrame) -> None:
        """Note the latest cutoff; sktime would take the last of the rows just passed, of one series of many."""
        self._cutoff = self._rows.latest()

    @on_workers
    def _fit(self, y: pd.DataFrame, X: Any, fh: ForecastingHorizon | None) -> Self:
        known = self.n_channels_ if self._is_pretrained else None
        check_fit(self.get_params(deep=False), self._rows.series, y.columns, known)
        self._learn()
        return self

    @on_workers
    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        rows, reader = self._rows, self._reader()
        fitted = self._predictor(self._covariates)
        self._interval_levels = update_levels(
            fitted, self._known_rows(), rows.cutoffs, self.horizon_
        )
        if not update_params or self._is_pretrained:
            return self
        updated = stages.absorb(
            rows, self._open_stream, self.net_, reader, self.periods_, self._options()
        )
        if updated is None:
            self._learn()
            return self
        self.net_, self.scalers_, self.calibration_, _ = updated.refitted
        self._open_stream, self._pool = updated.open_stream, updated.pool
        self.reach_ = stages.reach(self.memory_depth_, self._pool)
        return self

    @on_workers
    def _pretrain(
        self, y: pd.DataFrame, X: Any = None, fh: ForecastingHorizon | None = None
    ) -> Self:
        panel, options = split_series(y), self._options()
        frequency = checks.check_panel(panel)
        known = self.n_channels_ if self._is_pretrained else None
        check_fit(self.get_params(deep=False), panel, y.columns, known)
        before = self.pretraining_panel_ if self._is_pretrained else []
        self.pretraining_panel_ = [*before, *(series.values for series in panel.values())]
        fitted, self.periods_ = stages.pretrain(self.pretraining_panel_, frequency, options)
        self._take(fitted)
        return self

    def _learn(self) -> None:
        """Learn from all known rows: the effect of X, then what the memory makes of the residual."""
        separated = stages.separate(
            self._rows, self._covariates, self._options(), self._is_pretrained
        )
        self._covariates, self.effects_ = separated.covariates, separated.effects
        self.returning_ = separated.returning
        self.outlier_seasons_ = separated.outlier_seasons
        self.periods_ = separated.plan.periods
        if self._is_pretrained:
            self.scalers_ = stages.scale_residual(separated, self.forgetting, self.scale_lag_)
            self._open_stream, self._pool = None, None
        else:
            fitted, self._open_stream, self._pool = stages.learn(
                self._rows, separated, self._options()
            )
            self._take(fitted)
            self.scalers_ = fitted.scalers
            self.reach_ = stages.reach(self.memory_depth_, self._pool)
        self._interval_levels = IntervalLevels.start(self._rows.cutoffs, self.n_channels_)

    def _take(self, fitted: Fitted) -> None:
        """Take over what was learned from a panel: the only place where the net changes its shape."""
        self.horizon_, self.scale_lag_ = fitted.plan.horizon, fitted.scale_lag
        self.period_, self.n_channels_ = fitted.plan.period, len(fitted.gap_covariance)
        self.net_ = fitted.net
        self.gap_covariance_, self.calibration_ = fitted.gap_covariance, fitted.calibration
        self.input_length_, self.n_components_ = fitted.input_length, fitted.n_components
        self.memory_depth_ = self.reach_ = fitted.net.module_.depth
        self.training_log_ = fitted.training_log()
        warn_of_shrunk(
            self.get_params(deep=False),
            self.input_length_,
            self.memory_depth_,
            self.n_components_,
            fitted.maps_components,
        )

    def _predict(self, fh: ForecastingHorizon, X: Any = None) -> pd.DataFrame:
        return self._forecast(fh, X).point

    def _predict_quantiles(
        self, fh: ForecastingHorizon, X: Any, alpha: Sequence[float]
    ) -> pd.DataFrame:
        return self._forecast(fh, X, np.asarray(alpha)).quantile_frame(self._get_varnames(), alpha)

    def _predict_var(
        self, fh: ForecastingHorizon, X: Any = None, cov: bool = False
    ) -> pd.DataFrame:
        checks.refuse_covariance(type(self).__name__, cov)
        return self._forecast(fh, X, LEVELS).variance()

    def _predict_proba(
        self, fh: ForecastingHorizon, X: Any = None, marginal: bool = True
    ) -> Any:  # a distribution of skpro
        if find_spec("skpro") is None:
            return super()._predict_proba(fh=fh, X=X, marginal=marginal)
        if not marginal:
            return joint_distribution(self.simulate(fh, X))
        return self._forecast(fh, X, LEVELS).empirical()

    @on_workers
    def _forecast(
        self, fh: ForecastingHorizon, X: Any, levels: np.ndarray | None = None
    ) -> Distribution:
        known, rows = self._known_rows(), self._rows
        ahead = StepsAhead.of(fh, rows.cutoffs, rows.frequency)
        predictor = self._predictor(with_future(self._covariates, X, rows.cutoffs))
        forecasts, around = forecast_series(predictor, known, ahead.steps, levels)
        return Distribution(ahead.join(forecasts, rows.columns, rows.index_names), around)

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

    @property
    def _is_pretrained(self) -> bool:
        return hasattr(self, "pretraining_panel_")

    def _options(self) -> Options:
        return Options.of(self.get_params(deep=False))

    def _predictor(self, covariates: Covariates | None) -> Predictor:
        reader = self._reader()._replace(covariates=covariates)
        return Predictor(reader, self._pool, self._interval_levels, self.calibration_)

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
            self.returning_,
            self.outlier_seasons_,
        )

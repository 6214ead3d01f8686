"""The reconciled forecaster: forecasts, intervals and paths of a hierarchy that add up.

    fit       rows -> totals -> base forecaster of all nodes; errors on held-out rows -> how to make them add up
    predict   base forecasts -> projection
    simulate  base quantiles, drawn with the correlations of the errors -> projection of each path

This file is what a user and sktime see. The mathematics is in `klforecast.ops.reconciliation`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.random import RandomState
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon

from klforecast.estimators.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_levels,
    check_seed,
    show,
)
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.containers import convert_checked
from klforecast.estimators.frames.panel import Key, TimeSeries, join_series, split_series
from klforecast.estimators.hierarchies.dependence import (
    Dependence,
    draw_margins,
    draw_paths,
    fit_dependence,
)
from klforecast.estimators.hierarchies.held_out import held_out_errors, steps_ahead
from klforecast.estimators.hierarchies.nodes import Nodes, find_nodes
from klforecast.estimators.hierarchies.reconciling import (
    METHODS,
    WEIGH_ERRORS,
    Reconciliation,
    fit_reconciliation,
)
from klforecast.estimators.paths import PATH_LEVELS, index_of_paths
from klforecast.estimators.rolling.forecasts import can_forecast_quantiles
from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.estimators.tags import COMMON_TAGS
from klforecast.ops.arrays import to_tensor
from klforecast.training.rollback import unchanged_on_error
from klforecast.training.seeding import draw_seed


class ReconciledForecaster(SavedSktimeEstimator, BaseForecaster):
    """Forecast a hierarchy so that its totals are the sums of its series.

    One forecaster forecasts all nodes, totals included, and the forecasts are moved as little as makes
    them add up, little being measured by how far each was off on held-out rows. Intervals are those of
    paths that add up too.

    Parameters
    ----------
    forecaster : forecaster of sktime or None, default=None
        Cloned and fitted to all nodes. None: `KLMemoryForecaster` with its defaults.
    method : str, default="mint_shrink"
        ``"mint_shrink"``: the least variance, by the shrunk covariance of held-out errors. ``"wls_var"``: by
        their variances alone. ``"wls_str"``, ``"ols"``: as if errors grew with the number of series, or were all
        alike. ``"bu"``: sums of the bottom forecasts. ``"td_share"``: past shares of the forecast of the total.
    crossed : bool, default=False
        For labels without totals: False takes each level to lie within the one before (state, then
        region); True sums over each level by itself too (state and purpose).
    return_totals : bool, default=True
        Whether forecasts hold the totals, labelled ``__total``, beside the bottom series.
    n_paths : int, default=1000
        Paths that intervals and quantiles are read from.
    random_state : int, RandomState or None, default=None
        Seed of these paths. None: 0 for intervals, so that they repeat, and new paths in each `simulate`.

    Attributes
    ----------
    forecaster_ : forecaster of sktime
        Fitted to all nodes.
    nodes_ : Nodes
        ``nodes_.keys`` are the labels, totals first.
    reconciliations_ : list of Reconciliation
        Of each channel.
    dependence_ : Dependence or None
        How errors of the nodes vary together; None where there are no quantiles.

    Notes
    -----
    - y has a MultiIndex whose last level is time, as in sktime. Totals are rows labelled ``__total``; where y
      has some, these are the nodes, and they must be the sums of their series. Where it has none, they are made.
    - All series have the same stamps. NaN marks a missing value; a total of it is missing too unless it is given.
    - X has rows of all nodes, or of the bottom series: totals then have the mean of their series.
    - Series that were never below zero are not forecast below it: what a method puts below is set to zero, and
      totals are summed again.
    - Quantiles of totals are not the sums of quantiles, nor should they be: each path adds up.
    - `update` hands new rows to the forecaster; the covariance of the errors stays that of `fit`.
    - Costs: one fit to three quarters of the rows beside that to all of them, and some forecasts of all nodes;
      ``"bu"``, ``"ols"``, ``"wls_str"`` and ``"td_share"`` do without, if the forecaster has no quantiles. The
      projection of n series and a totals takes O(a^3 + n) and no matrix of n by n.
    - Wickramasuriya, Athanasopoulos & Hyndman 2019, doi:10.1080/01621459.2018.1448825.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from klforecast import KLMemoryForecaster, ReconciledForecaster
    >>> months = pd.period_range("2015-01", periods=72, freq="M")
    >>> season = 5 + np.sin(np.arange(72) * np.pi / 6)
    >>> shops = {("north", "a"): 1.0, ("north", "b"): 2.0, ("south", "c"): 4.0}
    >>> y = pd.concat(
    ...     {shop: pd.DataFrame({"sales": size * season}, months) for shop, size in shops.items()},
    ...     names=["region", "shop", "month"],
    ... )
    >>> forecaster = ReconciledForecaster(KLMemoryForecaster(horizon=12)).fit(y)
    >>> forecaster.predict(fh=[1])["sales"].round(1).to_dict()
    {('__total', '__total', Period('2021-01', 'M')): 35.0, ('north', '__total', Period('2021-01', 'M')): 15.0, \
('north', 'a', Period('2021-01', 'M')): 5.0, ('north', 'b', Period('2021-01', 'M')): 10.0, \
('south', 'c', Period('2021-01', 'M')): 20.0}
    """

    _config = {"remember_data": False}

    _tags = {**COMMON_TAGS, "capability:unequal_length": False}

    forecaster_: BaseForecaster
    nodes_: Nodes
    reconciliations_: list[Reconciliation]
    dependence_: Dependence | None

    _columns: pd.Index
    _names: list
    _cutoff: pd.Index | None

    def __init__(
        self,
        forecaster: BaseForecaster | None = None,
        method: str = "mint_shrink",
        *,
        crossed: bool = False,
        return_totals: bool = True,
        n_paths: int = 1000,
        random_state: int | RandomState | None = None,
    ):
        self.forecaster = forecaster
        self.method = method
        self.crossed = crossed
        self.return_totals = return_totals
        self.n_paths = n_paths
        self.random_state = random_state
        super().__init__()

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small settings with which sktime's checks run in seconds."""
        light = KLMemoryForecaster(2, input_length=2, memory_depth=4, period=1, local_experts=False)
        return [
            {"forecaster": light, "n_paths": 20, "random_state": 0},
            {"forecaster": light, "method": "bu", "n_paths": 20, "return_totals": False},
        ]

    def __post_init__(self) -> None:
        """Declare what sktime keeps when a user asks it to remember data."""
        self._y = None
        self._X = None

    def _check_state(self) -> None:
        super()._check_state()
        if hasattr(self, "nodes_"):
            self.nodes_.check_parts()
            if len(self.reconciliations_) != len(self._columns):
                raise ValueError(
                    f"{len(self.reconciliations_)} reconciliations of {len(self._columns)} channels"
                )

    def fit(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        """Learn from `y`: fit the forecaster to all nodes, and see how far it is off on held-out rows.

        Parameters
        ----------
        y : DataFrame or another sktime container
            A hierarchy or a panel, in its own units; a single series is forecast as it is.
        X : DataFrame or another sktime container, optional
            Covariates of all nodes, or of the bottom series.
        fh : ForecastingHorizon or what makes one, optional
            Kept for a `predict` without fh, and the steps of held-out forecasts. None: the horizon of the
            forecaster, where it has one, else one step.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For parameters or rows that cannot be used. The forecaster stays as it was.
        """
        with unchanged_on_error(self):
            return super().fit(y, X=X, fh=fh)

    def update(self, y: Any, X: Any = None, update_params: bool = True) -> Self:
        """Take in new rows of all bottom series; totals are summed where they are not passed.

        Parameters
        ----------
        y, X : see `fit`
        update_params : bool, default=True
            Whether the forecaster learns from them; what makes forecasts add up stays that of `fit`.

        Returns
        -------
        self
        """
        check_flag("update_params", update_params)
        with unchanged_on_error(self):
            return super().update(y, X=X, update_params=update_params)

    def predict_interval(self, fh: Any = None, X: Any = None, coverage: Any = 0.9) -> pd.DataFrame:
        """Forecast intervals of all nodes from paths that add up.

        Parameters
        ----------
        fh, X : see `predict`
        coverage : float or sequence of distinct floats between 0 and 1, default=0.9

        Returns
        -------
        DataFrame, (rows, channels x coverage x 2)
            In the units of y; columns are channel, coverage and "lower" or "upper".
        """
        coverage = check_levels("coverage", coverage, distinct=True)
        return super().predict_interval(fh=fh, X=X, coverage=coverage)

    def simulate(
        self,
        fh: Any = None,
        X: Any = None,
        n_paths: int = 1000,
        random_state: int | RandomState | None = None,
    ) -> pd.DataFrame:
        """Draw paths of all nodes, each of which adds up.

        Steps vary together like the errors of one node, nodes like their errors on held-out rows.

        Parameters
        ----------
        fh, X : see `predict`
        n_paths, random_state : see `KLMemoryForecaster.simulate`

        Returns
        -------
        DataFrame, (n_paths x rows, channels)
            As `KLMemoryForecaster.simulate` returns it.

        Raises
        ------
        NotFittedError
            Before `fit`.
        NotImplementedError
            If the forecaster has no quantiles.
        """
        self.check_is_fitted(method_name="simulate")
        check_integer("n_paths", n_paths, minimum=1)
        check_seed("random_state", random_state)
        horizon = self._check_fh(fh)
        dependence, table, index = self._quantiles_of_nodes(horizon, self._check_X(X=X))
        steps = np.asarray(horizon.to_relative(self.cutoff).to_pandas(), dtype=np.int64)
        seed = draw_seed(self.random_state if random_state is None else random_state)
        parts = [
            self._added_up(paths) for paths in draw_paths(dependence, table, steps, n_paths, seed)
        ]
        paths = np.concatenate(parts, axis=-1)  # (nodes, steps, C, P)
        return pd.DataFrame(
            np.moveaxis(paths, -1, 0).reshape(-1, paths.shape[2]),
            index_of_paths(n_paths, index),
            self._columns,
        )

    def _check_fh(self, fh: Any, pred_int: bool = False) -> Any:
        """Take `fh` over, or that of `fit`, or one whole horizon of the forecaster."""
        if fh is None and self.is_fitted and self._fh is None:
            steps = getattr(self.forecaster_, "horizon_", None)
            fh = None if steps is None else np.arange(1, steps + 1)
        return super()._check_fh(fh, pred_int)

    def _check_X_y(self, X: Any = None, y: Any = None, **options: Any) -> tuple[Any, Any]:
        """Refuse bad rows in our own words, before sktime converts them."""
        return convert_checked(
            X,
            y,
            lambda: super(ReconciledForecaster, self)._check_X_y(X=X, y=y, **options),
            self.cutoff[0] if self.is_fitted else None,
        )

    def _fit(self, y: pd.DataFrame, X: Any, fh: ForecastingHorizon | None) -> Self:
        self._check_parameters()
        panel = split_series(y)
        self.nodes_ = find_nodes(panel, self.crossed)
        self._columns, self._names = y.columns, list(y.index.names)
        rows, whole = self._whole(panel)
        covariates = self.nodes_.averaged(X)
        forecaster = KLMemoryForecaster() if self.forecaster is None else self.forecaster
        has_quantiles = can_forecast_quantiles(forecaster)
        held_out = None
        if has_quantiles or self.method in WEIGH_ERRORS:
            known = None if covariates is None else covariates.reindex(whole.index)
            steps = steps_ahead(forecaster, fh, self.cutoff)
            held_out = held_out_errors(forecaster, whole, known, steps, self.nodes_.keys)
        self.reconciliations_ = [
            fit_reconciliation(self.method, self.nodes_, rows, held_out, channel)
            for channel in range(len(y.columns))
        ]
        self.dependence_ = fit_dependence(held_out) if held_out and has_quantiles else None
        self.forecaster_ = forecaster.clone().fit(whole, X=covariates, fh=fh)
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        panel = split_series(y)
        strange = [key for key in panel if key not in self.nodes_.keys]
        if strange:
            raise ValueError(f"{strange[0]} was not in y of fit; pass rows of the fitted series")
        _, whole = self._whole(panel)
        self.forecaster_.update(whole, X=self.nodes_.averaged(X), update_params=update_params)
        return self

    def _predict(self, fh: ForecastingHorizon, X: Any = None) -> pd.DataFrame:
        base = self.forecaster_.predict(fh=fh, X=self.nodes_.averaged(X))
        values, stamps = self.nodes_.forecast_rows(base)
        return self._frame(self._shown, self._added_up(values), stamps)

    def _predict_quantiles(
        self, fh: ForecastingHorizon, X: Any, alpha: Sequence[float]
    ) -> pd.DataFrame:
        dependence, table, index = self._quantiles_of_nodes(fh, X)
        seed = draw_seed(0 if self.random_state is None else self.random_state)
        found = []
        for drawn in draw_margins(dependence, table, self.n_paths, seed):
            paths = self._added_up(drawn[:, None])[:, 0]  # (nodes, C, P)
            found.append(np.quantile(paths, alpha, axis=-1))
        values = np.moveaxis(np.stack(found), (0, 1), (1, 3))  # (nodes, steps, C, levels)
        columns = pd.MultiIndex.from_product([self._get_varnames(), alpha])
        return pd.DataFrame(values.reshape(len(index), -1), index, columns)

    def _quantiles_of_nodes(
        self, fh: ForecastingHorizon, X: Any
    ) -> tuple[Dependence, np.ndarray, pd.Index]:
        """Base quantiles (N, steps, C, Q), and the index of forecasts."""
        if self.dependence_ is None:
            raise NotImplementedError(
                f"{type(self.forecaster_).__name__} forecasts no quantiles, of which intervals and paths "
                "are made; pass a forecaster that does, such as KLMemoryForecaster"
            )
        base = self.forecaster_.predict_quantiles(
            fh=fh, X=self.nodes_.averaged(X), alpha=PATH_LEVELS
        )
        values, stamps = self.nodes_.forecast_rows(base)
        table = values.reshape(*values.shape[:2], len(self._columns), len(PATH_LEVELS))
        shown = self._shown
        return self.dependence_, table, self._frame(shown, table[shown, ..., 0], stamps).index

    @property
    def _shown(self) -> np.ndarray:  # (nodes,) int
        return self.nodes_.in_order(self.return_totals)

    def _added_up(self, base: np.ndarray) -> np.ndarray:  # (N, steps, C, ...) -> (nodes, ...)
        channels = [
            reconciliation(self.nodes_.hierarchy, to_tensor(base[:, :, channel])).numpy()
            for channel, reconciliation in enumerate(self.reconciliations_)
        ]
        return np.stack(channels, axis=2)[self._shown]

    def _whole(self, panel: Mapping[Key, TimeSeries]) -> tuple[np.ndarray, pd.DataFrame]:
        """Rows of all nodes, (N, T, C), and the same as one frame."""
        rows = self.nodes_.stacked(panel)
        stamps = panel[self.nodes_.bottom[0]].index
        # In the order of labels sktime need not look whether each series is sorted, a fifth of a fit.
        order = self.nodes_.in_order(with_totals=True)
        return rows, self._frame(order, rows[order], stamps)

    def _frame(self, places: np.ndarray, rows: np.ndarray, stamps: pd.Index) -> pd.DataFrame:
        keys = [self.nodes_.keys[place] for place in places]
        own = dict(zip(keys, rows, strict=True))
        return join_series(own, [stamps] * len(own), self._columns, self._names)

    def _check_parameters(self) -> None:
        check_choice("method", self.method, METHODS)
        check_flag("crossed", self.crossed)
        check_flag("return_totals", self.return_totals)
        check_integer("n_paths", self.n_paths, minimum=2)
        check_seed("random_state", self.random_state)
        if not isinstance(self.forecaster, BaseForecaster | None):
            raise TypeError(
                f"forecaster is {show(self.forecaster)}; pass a forecaster of sktime, or None for a "
                "KLMemoryForecaster"
            )

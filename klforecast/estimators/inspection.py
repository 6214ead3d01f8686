"""What a fitted forecaster tells of itself: in words, in sums, as a file for other programs, in pictures.

Each method reads the fitted state of `KLMemoryForecaster`, which inherits them, and leaves it as it is.
"""

from collections.abc import Hashable
from os import PathLike
from typing import TYPE_CHECKING, Any

import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.core.linear_core import LinearCore
from klforecast.estimators.covariates.table import with_future
from klforecast.estimators.explanation.explain import check_view, explain_series, require_linear
from klforecast.estimators.explanation.frame import coefficient_frame, explanation_frame
from klforecast.estimators.exporting import export
from klforecast.estimators.frames.horizon import StepsAhead
from klforecast.estimators.outliers import outlier_frame
from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.estimators.summary import Summary, summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class InspectedForecaster(SavedSktimeEstimator, BaseForecaster):
    """Base of `KLMemoryForecaster`: `summary`, `outliers`, `explain`, `coefficients_`, `export` and the plots."""

    def summary(self) -> Summary:
        """Say what was fitted: rows, cycles, memory, experts, covariates and the error to expect.

        Returns
        -------
        Summary
            A named tuple; `print` gives it in words.

        Raises
        ------
        NotFittedError
            Before `fit`.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> summary = KLMemoryForecaster(horizon=12).fit(load_airline()).summary()
        >>> summary.rows, summary.periods, summary.components > 0
        (144, (12,), True)
        >>> print(summary)  # doctest: +ELLIPSIS
        rows           144 of 1 series, 1 channels each
        horizon        12 steps
        cycles         12 steps
        reads          ... steps, the last 24 as they are
        ...
        """
        self.check_is_fitted(method_name="summary")
        return summarize(self)

    def outliers(self) -> pd.DataFrame:
        """Say which of the known rows are read as something else: as what would have been usual.

        Far rows, outages and stuck values are told by the rows before them, see `klforecast.ops.outlier_runs`.
        With ``clean_outliers=False`` there are none.

        Returns
        -------
        DataFrame
            One line for each value, with the columns "series" ("y" for a single one), "time", "channel", "value" as
            it came, and "usual" as it is read, both in the units of y.

        Raises
        ------
        NotFittedError
            Before `fit`.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> y = load_airline()
        >>> y.iloc[100] = 9_999.0
        >>> found = KLMemoryForecaster(horizon=12).fit(y).outliers()
        >>> [(str(line.time), line.value, bool(300 < line.usual < 400)) for line in found.itertuples()]
        [('1957-05', 9999.0, True)]
        """
        self.check_is_fitted(method_name="outliers")
        return outlier_frame(self._reader(), self._known_rows(), self._rows.columns)

    def explain(self, fh: Any = None, X: Any = None, by: str = "lag") -> pd.DataFrame:
        """Take the point forecast apart into contributions that add up to it.

        Parameters
        ----------
        fh, X : see `predict`
        by : {"lag", "cycle", "component", "expert"}, default="lag"
            What the past is taken apart by: its rows; its cycles of `period_` rows; the steps that are
            read as they are and the K-L components of those before; the experts.

        Returns
        -------
        DataFrame
            A row for each series, channel, step (with its time) and contribution: its part ("level",
            "core", "local", "covariate", "season", "floor"), name, lag (1 for the newest row) and value,
            in the units of y. For each step the values add up to `predict`, up to rounding.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a horizon or covariates that cannot be used, for a trained encoder, which is not
            linear, and for ``by="cycle"`` where there is none.

        Notes
        -----
        - A contribution is a weight times the distance of a row from the mean of the training rows: the
          Shapley value of a linear map whose rows are taken as independent (Lundberg & Lee 2017,
          arXiv:1705.07874, corollary 1). The level is what is forecast when all rows are at the mean.
        - Rows are what is left of y without the effect of covariates, gaps filled.
        - The core is linear. Local experts of the logarithm, or of factors, are not: with "lag" and
          "cycle" their rows count along the tangent at the past, whose value at the mean is in the level.
          With "expert" the copies of the series that they filter count; with "component" they are one.
        - With "expert" the experts of the core are solved again. They are one where covariates, gaps or
          `pretrain` have left nothing to solve them from.
        - Cost of a forecast; where local experts have a share, "lag" and "cycle" take two local forecasts
          for each of the newest 3,000 rows or of their cycles: 0.05 s for 150 rows, half a minute for all.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> forecaster = KLMemoryForecaster(horizon=12).fit(load_airline())
        >>> parts = forecaster.explain(fh=[1, 12])
        >>> total = parts.groupby("step")["value"].sum()
        >>> bool(abs(total.to_numpy() - forecaster.predict(fh=[1, 12])).max() < 1e-9)
        True
        >>> forecaster.explain(fh=[1], by="cycle")[["part", "name", "lag"]].head(3)
            part     name   lag
        0  level    level  <NA>
        1   core  cycle 1     1
        2   core  cycle 2    13
        """
        self.check_is_fitted(method_name="explain")
        check_view(by, self.period_)
        core, rows = require_linear(self.net_.module_, self.encoder), self._rows
        X = self._check_X(X=X)
        ahead = StepsAhead.of(self._check_fh(fh), rows.cutoffs, rows.frequency)
        predictor = self._predictor(with_future(self._covariates, X, rows.cutoffs))
        blocks = explain_series(
            predictor, core, self._known_rows(), ahead.steps, by, self._open_stream
        )
        return explanation_frame(blocks, ahead, rows.columns)

    def plot_explanation(
        self,
        fh: Any = None,
        X: Any = None,
        *,
        series: Hashable = None,
        channel: Hashable = None,
        unit: str | None = None,
    ) -> "Figure":
        """Draw which rows of the past, which cycles and which covariates make up the point forecast.

        Parameters
        ----------
        fh, X : see `predict`
        series, channel : label, optional
            Which one to draw; the first ones by default.
        unit : str, optional
            Unit of y, for the names of the axes.

        Returns
        -------
        matplotlib Figure
            See `klforecast.estimators.plots.explanations.plot_explanation`. Without matplotlib this is
            an ImportError; otherwise it raises what `explain` does.
        """
        from klforecast.estimators.plots.explanations import plot_explanation

        explanation = self.explain(fh, X)
        return plot_explanation(
            explanation, period=self.period_, series=series, channel=channel, unit=unit
        )

    def fitted_values(self) -> pd.DataFrame:
        """Forecast known rows one step ahead, each by a fit that has not seen it.

        A clone fitted to the first quarter of the rows forecasts the second quarter, one fitted to the first
        half the rest; the rows before a row are its past. The first quarter has no forecasts.

        Returns
        -------
        DataFrame
            One row for each series, channel and known row: columns series (``"y"`` for a single one),
            channel, cutoff, step (1), time, truth and forecast in the units of y, as in a backtest. Of series
            of a panel the newest rows, as many as the shortest one has.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the shortest series has too few rows.

        Notes
        -----
        Less than one fit to all rows, and a forecast for each row: for one series all at once, for a panel one
        after the other.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> fitted = KLMemoryForecaster(horizon=12).fit(load_airline()).fitted_values()
        >>> len(fitted), str(fitted["time"][0])
        (108, '1952-01')
        >>> bool((fitted["truth"] - fitted["forecast"]).abs().mean() < 20)
        True
        """
        from klforecast.estimators.fitted_values import held_out_values

        self.check_is_fitted(method_name="fitted_values")
        return held_out_values(self, self._rows, self._covariates, self.horizon_)

    def plot_residuals(
        self, *, series: Hashable = None, channel: Hashable = None, unit: str | None = None
    ) -> "Figure":
        """Draw the errors of `fitted_values`: over time, by size, and what they share over time.

        Parameters
        ----------
        series, channel : label, optional
            Which one to draw; the first ones by default.
        unit : str, optional
            Unit of y, for the names of the axes.

        Returns
        -------
        matplotlib Figure
            See `klforecast.estimators.plots.residuals.plot_residuals`, which also draws those of a backtest.
            Without matplotlib this is an ImportError; otherwise it raises what `fitted_values` does.
        """
        from klforecast.estimators.plots.residuals import plot_residuals

        return plot_residuals(self.fitted_values(), series=series, channel=channel, unit=unit)

    @property
    def coefficients_(self) -> pd.DataFrame:
        """Coefficients of the linear core, (channels x horizon, memory depth), newest lag first.

        The forecast of the core is the mean of the training rows, plus the sum over lags of the
        coefficient times the distance of the row from that mean. Local experts have none.

        Raises
        ------
        AttributeError
            Before `fit`, and for a trained encoder, which is not linear.
        """
        self.check_is_fitted(method_name="coefficients_")
        module = self.net_.module_
        if not isinstance(module, LinearCore):
            raise AttributeError(f"encoder={self.encoder!r} is not linear and has no coefficients")
        return coefficient_frame(require_linear(module, self.encoder), self._rows.columns)

    def export(self, path: str | PathLike, format: str = "onnx", series: Hashable = None) -> None:
        """Write the fitted map as a file that other programs run, without klforecast.

        Its input "past" is (windows, `memory_depth_`, channels) of rows in the units of y, without gaps;
        its output (windows, `horizon_`, channels) is what `predict` says after these rows. Both are in
        double precision, and there may be any number of windows. Outliers are read as they are.

        Parameters
        ----------
        path : str or path
            The file; one that is there is replaced in one step.
        format : {"onnx", "torch"}, default="onnx"
            ONNX, for onnxruntime and others; or a program of `torch.export`, for `torch.export.load`.
        series : label, optional
            Of a panel, the series whose scale the file holds.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If forecasts are more than a map of a window: where local experts have a share, covariates an
            effect, or an encoder was trained. The message says what to set.
        ImportError
            If ONNX was asked for, and onnx is not installed.

        Examples
        --------
        >>> import tempfile
        >>> import torch
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> y = load_airline()
        >>> forecaster = KLMemoryForecaster(horizon=12, local_experts=False).fit(y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     forecaster.export(f"{folder}/airline.pt2", format="torch")
        ...     program = torch.export.load(f"{folder}/airline.pt2").module()
        >>> past = torch.tensor(y[-forecaster.memory_depth_ :].to_numpy())
        >>> forecast = program(past[None, :, None]).ravel().numpy()
        >>> bool(abs(forecast - forecaster.predict()).max() < 1e-9)
        True
        """
        self.check_is_fitted(method_name="export")
        export(self, path, format, series)

    def plot_modes(self, n_modes: int = 4, *, ax: "Axes | None" = None) -> "Axes":
        """Draw the leading modes of the past that the model reads, each with its period.

        Each mode comes with its share of the variance. Of modes that are all fast only the newest
        ten cycles are drawn.

        Parameters
        ----------
        n_modes : int, default=4
            Modes to draw, largest eigenvalue first.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default. Without matplotlib that is an ImportError.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from klforecast import KLMemoryForecaster
        >>> ax = KLMemoryForecaster(horizon=12).fit(load_airline()).plot_modes(2)
        >>> ax.get_legend_handles_labels()[1][0].split(",")[0]
        'mode 1: yearly'
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
        each of its tokens attends to, dark where most: for a trained encoder a derivative at the last
        known rows, for the linear core its components, whose weights are their modes at any rows; the
        leading four of each block are shown by name. Without matplotlib this is an ImportError.
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

"""Pictures of forecasts, of backtests and of the memory behind them.

`plot_forecast` and `plot_modes` are in `plotting`, `plot_backtest` in `backtests`, `plot_residuals` in
`residuals`, `plot_detections` in `detections`, `plot_explanation` in `explanations`; all
need the `plot` extra (matplotlib).
"""

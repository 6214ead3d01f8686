"""Pictures of forecasts and of the memory behind them."""

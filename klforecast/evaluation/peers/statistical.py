"""Models of statsforecast, fitted to each channel at each cutoff: AutoETS, AutoTheta, AutoCES.

Paper     Garza, Mergenthaler Canseco, Challú & Olivares (2022), "StatsForecast: Lightning fast
          forecasting with statistical and econometric models", PyCon Salt Lake City
Needs     the extra `peers` (`pip install klforecast[peers]`)
"""

from typing import Any

import numpy as np

from klforecast.evaluation.suites.forecasters import LocalForecaster
from klforecast.evaluation.suites.scores import LEVELS, Forecast


class Statistical(LocalForecaster):
    """A model of statsforecast by name, with its own prediction intervals.

    Parameters
    ----------
    name : str
        Class in `statsforecast.models`.
    horizon, season : int
        Steps ahead; steps of one season, 1 for none.
    """

    def __init__(self, name: str, horizon: int, season: int):
        from statsforecast import models

        super().__init__(horizon, season)
        self.name = name
        self._model = getattr(models, name)(season_length=season)

    def get_params(self) -> dict[str, Any]:
        """Settings that decide the forecast."""
        return {**super().get_params(), "name": self.name}

    def _channel(self, filled: np.ndarray, rows: np.ndarray) -> Forecast:
        widths = [round(100 * (1 - 2 * level)) for level in LEVELS if level < 0.5]
        made = self._model.forecast(y=filled, h=self.horizon, level=widths)
        lower = [made[f"lo-{width}"] for width in widths]
        upper = [made[f"hi-{width}"] for width in reversed(widths)]
        point = np.asarray(made["mean"], dtype=float)
        return Forecast(point, np.stack([*lower, point, *upper], axis=1).astype(float))

import numpy as np
import pandas as pd

from klforecast.data.datasets import Dataset
from klforecast.evaluation.studies import wandering_series
from klforecast.evaluation.studies.wandering_series import errors, weekly_panels


def many_series(n_series, rows, seed=0):
    values = np.random.default_rng(seed).normal(size=(n_series, rows)).cumsum(axis=1)
    index = pd.MultiIndex.from_product([range(n_series), range(rows)], names=["series", "week"])
    frame = pd.DataFrame({"value": values.ravel()}, index=index)
    return Dataset(
        name="made up",
        frame=frame,
        sha256="0" * 64,
        periods=(52,),
        borders=None,
        target="value",
        source="nowhere",
        licence="none",
    )


def test_panels_hold_the_last_rows_of_series_that_are_long_enough_each_once():
    data = many_series(16, 970)
    panels = weekly_panels(data, n_panels=5)
    assert [panel.frame.shape for panel in panels] == [(966, 7)] * 2
    drawn = np.concatenate([panel.frame.to_numpy() for panel in panels], axis=1)
    assert len(np.unique(drawn[-1])) == 14
    last = data.frame["value"].unstack("week").to_numpy()[:, -966:]
    assert all((column == last).all(axis=1).any() for column in drawn.T)
    assert weekly_panels(many_series(16, 900), n_panels=5) == []


def test_every_model_is_scored_on_every_panel(monkeypatch):
    monkeypatch.setattr(
        wandering_series, "MODELS", (("ols", {"lookback": 36}), ("persistence", {}))
    )
    found = errors(weekly_panels(many_series(14, 966), 2), horizon=24)
    assert found.shape == (2, 2)
    assert list(found) == ["ols 36", "persistence"]
    assert (found > 0).all(axis=None)

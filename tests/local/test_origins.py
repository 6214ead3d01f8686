"""Where forecasts are judged."""

import numpy as np

from klforecast.local.origins import rolling_origins


def test_a_large_panel_has_fewer_origins_over_the_same_rows():
    few = rolling_origins(np.zeros((20, 200)), 12, ()).offsets
    many = rolling_origins(np.zeros((10_000, 200)), 12, ()).offsets
    assert len(few) == 24 + 2
    assert len(many) == 10 + 3
    assert abs(int(few[-1]) - int(many[-1])) <= 12

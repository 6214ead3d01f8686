"""Series side by side are measured as each of them alone."""

import numpy as np
import pytest
import torch

from klforecast.core.stream import scale_before
from klforecast.data.scaling import RowStatistics
from klforecast.estimators import side_by_side as blocks
from klforecast.estimators.side_by_side import side_by_side
from klforecast.ops.missing import GapFiller, gap_covariance

LAG, SPARED = 4, 9


@pytest.fixture
def panel():
    rng = np.random.default_rng(0)
    lengths = [40, 30, 40, 40, 30]
    return {
        (f"s{place}",): 10.0**place * (place + rng.normal(size=(rows, 2)).cumsum(axis=0))
        for place, rows in enumerate(lengths)
    }


@pytest.mark.parametrize("values_per_block", [1, 200, 1 << 17])
def test_statistics_rows_and_scales_are_those_of_each_series_alone(
    panel, monkeypatch, values_per_block
):
    monkeypatch.setattr(blocks, "_VALUES_PER_BLOCK", values_per_block)
    seen = []
    for block in side_by_side(panel, 0.99, LAG):
        statistics, rows = block.statistics_apart(), block.rows_apart()
        scalers, earlier = block.scalers(), block.scalers(SPARED, LAG)
        for key in block.keys:
            alone = RowStatistics.of(panel[key], 0.99, LAG)
            known = alone.standardizer()
            np.testing.assert_allclose(statistics[key].mean, alone.mean, rtol=1e-12)
            np.testing.assert_allclose(statistics[key].changes.tail, alone.changes.tail)
            np.testing.assert_allclose(scalers[key].scale, known.scale, rtol=1e-12)
            scaled = torch.tensor(known.transform(panel[key]))
            torch.testing.assert_close(rows[key], scaled, rtol=0, atol=1e-12)
            before = known.then(scale_before(scaled, SPARED, 0.99, LAG))
            np.testing.assert_allclose(earlier[key].mean, before.mean, rtol=1e-12)
            np.testing.assert_allclose(earlier[key].scale, before.scale, rtol=1e-12)
            seen.append(key)
    assert sorted(seen) == sorted(panel)


def test_gaps_are_filled_as_those_of_a_series_alone(panel):
    panel["s2",][10:13, 1] = np.nan
    scaled = {
        key: rows
        for block in side_by_side(panel, 1.0, None)
        for key, rows in block.rows_apart().items()
    }
    filler = GapFiller(gap_covariance(list(scaled.values()), period=1))
    for block in side_by_side(panel, 1.0, None):
        for key, rows in block.filled(filler).rows_apart().items():
            torch.testing.assert_close(rows, filler.fill(scaled[key]), rtol=0, atol=1e-12)

import math

import torch

from klforecast.evaluation.studies.interval_rates import follow_out_of_fold
from klforecast.ops.conformal import Residuals


def test_levels_that_follow_come_closer_to_the_coverage_of_each_spell():
    generator = torch.Generator().manual_seed(0)
    # Five spells of different size, which the past does not announce.
    size = torch.tensor([1.0, 2.0, 0.5, 2.0, 1.0]).repeat_interleave(80)[:, None, None]
    errors = size * torch.randn(400, 4, 1, generator=generator)
    residuals = Residuals(errors, torch.full((400, 1, 3), torch.nan), rows=1600)
    still = follow_out_of_fold(residuals, math.inf)
    moving = follow_out_of_fold(residuals, 20)
    assert moving["deviation_80"] < 0.8 * still["deviation_80"]
    assert abs(moving["coverage_80"] - 0.8) < 0.05

import math

import pytest

from klforecast.training.callbacks import warm_cosine


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine_to_zero():
    rates = [warm_cosine(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert rates[55] == pytest.approx((1 + math.cos(math.pi * 45 / 90)) / 2)
    assert rates[-1] < 1e-3
    assert warm_cosine(0, 4, 0.0) == 1

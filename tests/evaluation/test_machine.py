import re
import sys
from pathlib import Path

import numpy as np
import pytest

from klforecast.evaluation import machine


def test_versions_name_the_libraries_and_what_is_missing():
    found = machine.versions(["a-distribution-that-nobody-wrote"])
    assert found["torch"].startswith("2.")
    assert found["a-distribution-that-nobody-wrote"] is None


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be reset on Linux only")
def test_the_peak_counts_from_the_reset():
    np.ones(40_000_000)  # 320 MB, gone at once
    machine.reset_peak_memory()
    low = machine.peak_memory_mb()
    held = np.ones(20_000_000)
    assert machine.peak_memory_mb() - low > 0.9 * held.nbytes / 2**20


CHECKOUT = Path(__file__).parents[2]


@pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="the tests run outside a checkout")
def test_the_commit_of_the_checkout_is_told():
    assert re.fullmatch("[0-9a-f]{12}(-dirty)?", machine.commit())

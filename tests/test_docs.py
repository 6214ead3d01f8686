"""The Python of a page that is made to be copied runs from top to bottom."""

import re
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    "page",
    [
        *("learn/backtest", "learn/detection", "learn/explanation", "learn/hierarchies"),
        *("learn/long_frames", "learn/plug_in_memory", "evidence/suites"),
    ],
)
def test_the_python_of_a_page_runs(page):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    assert blocks
    torch.manual_seed(0)
    exec("\n".join(blocks), {})

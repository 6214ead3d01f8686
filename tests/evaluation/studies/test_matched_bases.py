import json

import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.studies import matched_bases
from klforecast.evaluation.studies.matched_bases import (
    BASES,
    KNOWN_ROWS,
    LENGTH,
    main,
    measure,
    windows_of,
)


@pytest.fixture(scope="module")
def data():
    walk = np.random.default_rng(0).standard_normal((7000, 2)).cumsum(axis=0)
    steps = np.arange(7000)[:, None]
    frame = pd.DataFrame(walk + 8 * np.sin(2 * np.pi * steps / 12))
    return Dataset("walk", frame, "", (), Borders(3500, 4500, 7000), "0", source="", licence="")


def test_windows_are_spread_evenly_and_have_no_mean():
    rows = np.arange(20_000.0)[:, None] ** 2
    windows = windows_of(rows)
    assert windows.shape[1] == LENGTH
    assert 4000 <= len(windows) < 8000
    np.testing.assert_allclose(windows.mean(1), 0, atol=1e-6)


def test_with_few_rows_cosines_are_ahead_and_with_many_the_modes(data):
    share = {
        (known, basis): measure(data, known, basis)["share"]
        for known in (576, None)
        for basis in ("kl", "auto")
    }
    assert share[576, "auto"] > share[576, "kl"] + 0.01
    assert share[None, "kl"] > share[None, "auto"] + 0.01


def test_rows_of_the_test_part_teach_nothing(data):
    later = data.frame.copy()
    later.iloc[4500:] += np.random.default_rng(1).standard_normal((2500, 2))
    other = Dataset("walk", later, "", (), data.borders, "0", source="", licence="")
    assert measure(other, 1024, "auto")["residuals"] == measure(data, 1024, "auto")["residuals"]


def test_the_command_resumes_and_writes_a_table(tmp_path, monkeypatch, data):
    monkeypatch.setattr(matched_bases, "load_set", lambda name: data)
    rows, page = tmp_path / "rows.jsonl", tmp_path / "page.md"
    command = ["--datasets", "ETTh1", "--out", str(rows), "--page", str(page)]
    main(command)
    written = rows.read_text()
    assert len(written.splitlines()) == len(BASES) * len(KNOWN_ROWS)
    first = json.loads(written.splitlines()[0])
    assert f"| ETTh1 | {first['share']:.3f} / " in page.read_text()
    main(command)
    assert rows.read_text() == written

import json

import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.studies import equal_size_bases
from klforecast.evaluation.studies.equal_size_bases import (
    DEPTH,
    FEW,
    HORIZON,
    RECENT,
    Case,
    cases,
    main,
    make_parts,
    measure,
    rows_of,
    solve,
    squared_error,
)
from klforecast.evaluation.studies.equal_size_page import COLUMNS, Errors, lines_of, settings_of
from klforecast.ops.fixed_bases import dct_basis

OLDER = DEPTH - RECENT


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    steps = np.arange(4200)[:, None]
    waves = np.sin(2 * np.pi * steps / 300 + np.arange(2)) + 0.3 * rng.standard_normal((4200, 2))
    frame = pd.DataFrame(waves, columns=["a", "b"])
    borders = Borders(2500, 3200, 4200)
    return Dataset("waves", frame, "", (), borders, "a", source="", licence="")


@pytest.fixture(scope="module")
def parts(data):
    return make_parts(data, None)


def windows_of(data, first, last):
    rows = data.frame.to_numpy()
    train = rows[: data.borders.train_end]
    rows = (rows - train.mean(0)) / train.std(0)
    cut = np.lib.stride_tricks.sliding_window_view(rows[first - DEPTH : last], DEPTH + HORIZON, 0)
    cut = cut.reshape(-1, DEPTH + HORIZON)
    return cut - cut[:, OLDER:DEPTH].mean(1, keepdims=True)


def test_the_error_is_that_of_the_plain_regression_on_all_windows(data, parts):
    row = measure(parts, Case("DCT", 4))
    basis = dct_basis(OLDER)[:, :4].numpy()

    def inputs(windows):
        return np.hstack([windows[:, :OLDER] @ basis, windows[:, OLDER:DEPTH]])

    known, test = windows_of(data, DEPTH, 3200), windows_of(data, 3200, 4200)
    x = inputs(known)
    penalty = row["strength"] * np.square(x).sum() / x.shape[1]
    coef = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ known[:, DEPTH:])
    errors = inputs(test) @ coef - test[:, DEPTH:]
    assert row["mse"] == pytest.approx(np.square(errors).mean(), rel=1e-6)
    older = test[:, :OLDER]
    assert row["share"] == pytest.approx(np.square(older @ basis).sum() / np.square(older).sum())
    assert row["n_windows"] == len(test) / 2


def test_the_strength_is_the_best_of_the_validation_part(parts):
    case = Case("Haar", 16)
    judged = {
        strength: squared_error(parts.validation, solve(parts.train, case, [strength])[0])
        for strength in (1e-4, 1e-2, 1.0)
    }
    chosen = measure(parts, case)["strength"]
    error = squared_error(parts.validation, solve(parts.train, case, [chosen])[0])
    assert error <= min(judged.values())


def test_modes_hold_most_of_the_windows_they_come_from_and_the_last_ones_least(parts):
    same = parts._replace(test=parts.known)
    share = {case.basis: measure(same, case)["share"] for case in cases() if case.n_components == 4}
    assert max(share, key=share.__getitem__) == "K-L"
    assert min(share, key=share.__getitem__) == "K-L, smallest"


def test_few_rows_are_the_newest_before_the_test_part(data):
    few = make_parts(data, FEW)
    windows = windows_of(data, 3200 - FEW + DEPTH, 3200)
    np.testing.assert_allclose(few.known.numpy(), windows.T @ windows, rtol=1e-6, atol=1e-5)
    windows = windows_of(data, 3200 - FEW // 4, 3200)
    np.testing.assert_allclose(few.validation.numpy(), windows.T @ windows, rtol=1e-6, atol=1e-5)


def test_rows_that_are_held_are_not_measured_again(tmp_path):
    held = [
        {"dataset": "nowhere", "known_rows": None, **case._asdict(), "mse": 1.0} for case in cases()
    ]
    out = tmp_path / "rows.jsonl"
    assert rows_of("nowhere", None, held, out) == held
    assert not out.exists()


def test_the_last_line_is_the_mean_change_of_the_logarithm():
    rows = [
        {
            "dataset": name,
            "known_rows": None,
            **case._asdict(),
            "mse": 2.0 if case.basis == "no history" else 2.0 * ratio,
        }
        for name, ratio in (("one", 0.5), ("other", 0.98))
        for case in cases()
    ]
    lines = lines_of(Errors(rows), 16)
    assert [line[0] for line in lines] == ["one", "other", "mean change"]
    assert lines[-1][1:] == ["+0.0 %", *["-30.0 %"] * (len(COLUMNS) - 1)]
    assert list(settings_of(rows)) == ["all rows known"]


def test_the_command_writes_rows_a_page_and_a_picture(tmp_path, monkeypatch, data):
    monkeypatch.setattr(equal_size_bases, "load_set", lambda name: data)
    monkeypatch.setattr(equal_size_bases, "SIZES", (4,))
    rows, page, picture = (tmp_path / name for name in ("rows.jsonl", "page.md", "picture.png"))
    command = [
        "--datasets",
        "ETTh1",
        "--out",
        str(rows),
        "--page",
        str(page),
        "--picture",
        str(picture),
    ]
    main(command)
    written = [json.loads(line) for line in rows.read_text().splitlines()]
    assert len(written) == 2 * len(list(cases()))
    assert "4 coefficients, the newest 2,000 rows known:" in page.read_text()
    assert picture.stat().st_size > 5000

import hashlib

import numpy as np
import pandas as pd
import pytest

from klforecast.data import Standardizer, dataset_names, load, sliding_windows, window_cutoffs
from klforecast.data.datasets import _dated
from klforecast.data.files import FOLDER_VARIABLE, OfficialFile


def persistence_mse(data, horizon: int) -> float:
    """Mean squared error of repeating the last value, in units of the training variance."""
    rows = data.frame.to_numpy()
    scaled = Standardizer.fit(rows[: data.borders.train_end]).transform(rows)
    cutoffs = window_cutoffs(*data.borders.test, horizon)
    future = sliding_windows(scaled, horizon)[cutoffs]
    last = scaled[cutoffs - 1]
    return float(np.mean((future - last[:, None]) ** 2))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ETTh1", {96: 1.2944, 192: 1.3249, 336: 1.3299, 720: 1.3351}),
        ("Exchange", {96: 0.0811, 192: 0.1671, 336: 0.3057, 720: 0.8101}),
    ],
)
def test_the_persistence_forecast_has_its_published_error(load_real, name, expected):
    data = load_real(name)
    assert {h: round(persistence_mse(data, h), 4) for h in expected} == expected


@pytest.mark.parametrize(
    ("name", "shape", "freq"),
    [
        ("ETTh1", (17_420, 7), "h"),
        ("ETTm1", (69_680, 7), "15min"),
        ("Weather", (52_696, 21), None),
        ("Exchange", (7_588, 8), None),
        ("VicElec", (52_608, 3), "30min"),
    ],
)
def test_a_real_series_keeps_every_row_of_its_file(load_real, name, shape, freq):
    data = load_real(name)
    assert data.name == name
    assert data.frame.shape == shape
    assert set(data.frame.dtypes) == {np.dtype("float64")}
    assert getattr(data.frame.index, "freqstr", None) == freq
    assert not data.frame.isna().any(axis=None)
    assert data.target in data.frame.columns
    assert data.borders.test_end <= len(data.frame)


def test_an_irregular_calendar_is_told_and_not_repaired(load_real):
    data = load_real("Weather")
    assert isinstance(data.frame.index, pd.RangeIndex)
    assert "2 of the steps between dates are not the usual 0 days 00:10:00" in data.note
    assert "2020-05-12 06:00:00, 2020-05-29 11:10:00" in data.note


def test_the_units_of_the_weather_are_readable(load_real):
    columns = load_real("Weather").frame.columns
    assert {"SWDR (W/m²)", "PAR (µmol/m²/s)", "max. PAR (µmol/m²/s)"} <= set(columns)


def test_the_weekly_panel_ends_with_its_official_test_part(load_real):
    data = load_real("M4Weekly")
    lengths = data.frame.groupby(level="series").size()
    assert len(lengths) == 359
    assert data.horizon == 13
    assert (lengths.min(), lengths.max()) == (93, 2610)
    assert data.frame.loc["W1", "value"].iloc[-13] == 35397.16
    assert not data.frame.isna().any(axis=None)


@pytest.mark.parametrize(
    ("name", "shape", "covariates"),
    [
        ("airline", (144, 1), 0),
        ("lynx", (114, 1), 0),
        ("shampoo", (36, 1), 0),
        ("longley", (16, 6), 5),
        ("uschange", (187, 5), 4),
        ("PBS", (204, 1), 0),
        ("macroeconomic", (203, 12), 0),
    ],
)
def test_bundled_series_need_no_file(monkeypatch, name, shape, covariates):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    data = load(name)
    assert data.frame.shape == shape
    assert set(data.frame.dtypes) == {np.dtype("float64")}
    assert len(data.covariates) == covariates
    assert data.target not in data.covariates
    assert data.sha256 == hashlib.sha256(data.frame.to_numpy().tobytes()).hexdigest()


def test_a_name_is_known_in_any_case():
    assert load("AIRLINE").name == "airline"


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown data set 'ETTh3'; pass one of ETTh1, ETTh2"):
        load("ETTh3")
    assert len(dataset_names()) == len(set(dataset_names())) >= 18


def dated_csv(tmp_path, monkeypatch, dates):
    lines = ["date,a,OT", *(f"{date},{i},{i / 2}" for i, date in enumerate(dates))]
    content = "\n".join(lines).encode()
    (tmp_path / "sea.csv").write_bytes(content)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    file = OfficialFile("sea.csv", (hashlib.sha256(content).hexdigest(),))
    return _dated("Sea", file, periods=(52,), source="", licence="")


def test_regular_dates_become_an_index_with_a_frequency(tmp_path, monkeypatch):
    dates = pd.date_range("2002-01-01", periods=20, freq="7D")
    data = dated_csv(tmp_path, monkeypatch, dates)
    assert data.frame.index.freqstr == "W-TUE"
    assert data.frame.index[0] == pd.Timestamp("2002-01-01")
    assert data.note == ""
    assert data.borders.test == (16, 20)
    assert data.frame["OT"].iloc[-1] == 9.5


def test_dates_with_a_gap_become_row_numbers_and_a_note(tmp_path, monkeypatch):
    dates = pd.date_range("2002-01-01", periods=20, freq="D").delete(7)
    data = dated_csv(tmp_path, monkeypatch, dates)
    assert data.frame.index.equals(pd.RangeIndex(19))
    assert "1 of the steps between dates are not the usual 1 days" in data.note
    assert "before 2002-01-09" in data.note

import pandas as pd
import pytest

from klforecast.evaluation.studies import parquet_cost as study

pytest.importorskip("pyarrow", reason="Parquet needs pyarrow: pip install 'klforecast[parquet]'")


def test_files_hold_each_series_once_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "_SERIES_PER_FILE", 4)
    size = study.write_panel(tmp_path, series=10, rows=24)
    rows = pd.concat(map(pd.read_parquet, sorted(tmp_path.glob("*.parquet"))))
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert rows["unique_id"].is_monotonic_increasing
    assert (rows.groupby("unique_id").size() == 24).all()
    assert rows["unique_id"].nunique() == 10


def test_a_panel_in_files_is_measured_and_deleted(tmp_path):
    cost = study.parquet_cost(30, 48, scratch=str(tmp_path))
    assert cost.seconds > 0
    assert cost.bytes > 0
    assert cost.peak_mb is None or cost.peak_mb >= cost.before_mb
    assert not list(tmp_path.iterdir())
    assert len(study.table([cost]).rows) == 1

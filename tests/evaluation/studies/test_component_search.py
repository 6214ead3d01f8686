import numpy as np
import pytest

from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.studies import component_search
from klforecast.evaluation.studies.component_search import (
    Found,
    Panel,
    main,
    measure,
    page_of,
    search_forecaster,
    search_regressor,
)

HORIZON, PERIOD = 3, 12
GRID = component_search.grid_of(PERIOD)

pytestmark = pytest.mark.filterwarnings(
    "ignore:The default of config ``remember_data``:FutureWarning"
)


@pytest.fixture(scope="module")
def panel():
    """Years that repeat but for noise: a mode of the last but one is not enough to see them."""
    rng = np.random.default_rng(0)
    year = 100 + 30 * rng.standard_normal(12)
    rows = {f"s{i}": np.tile(year, 6) * (1 + i) + rng.standard_normal(72) for i in range(4)}
    return Panel(
        HORIZON,
        PERIOD,
        {key: row[:-HORIZON] for key, row in rows.items()},
        {key: row[-HORIZON:] for key, row in rows.items()},
    )


def found_of(panel):
    """A search whose liking rises with the number, as does its forecast."""
    forecasts = {n: {key: lost + 1 / n for key, lost in panel.lost.items()} for n in GRID}
    return Found({n: 1 / n for n in GRID}, forecasts)


def test_the_number_found_is_compared_with_the_one_liked_least_and_the_default(panel):
    row = measure(panel, found_of)
    assert (row["found"], row["worst"]) == (12, 1)
    assert row["beside_worst"] == pytest.approx([100 * np.log(1 / 12)] * 4)
    assert row["beside_default"] == pytest.approx([0] * 4)


def test_both_worlds_forecast_what_was_lost_with_every_number(panel):
    for found in (search_forecaster(panel, local_experts=False), search_regressor(panel)):
        assert set(found.scores) == set(found.forecasts) == set(GRID)
        assert len(set(found.scores.values())) == len(GRID)
        for made in found.forecasts.values():
            assert {forecast.shape for forecast in made.values()} == {(HORIZON,)}
    errors = {
        n: np.mean([np.abs(made[key] - lost).mean() for key, lost in panel.lost.items()])
        for n, made in found.forecasts.items()
    }
    assert errors[12] < errors[1] / 2


def test_rows_that_the_file_holds_are_not_measured_again(panel, tmp_path, monkeypatch):
    calls = []

    def search(own):
        calls.append(own)
        return found_of(own)

    monkeypatch.setattr(component_search, "SEARCHES", {"one": search})
    monkeypatch.setattr(component_search, "panel_of", lambda name: panel)
    out, page = tmp_path / "rows.jsonl", tmp_path / "page.md"
    for sets in (["M1/monthly"], ["M1/monthly", "M3/monthly"]):
        main(["--datasets", *sets, "--out", str(out), "--page", str(page)])
    assert len(calls) == 2
    assert page.read_text() == page_of(read_lines(out))
    assert "| M3/monthly | one | 12 | 1 | -248.5 ± 0.0 % | +0.0 ± 0.0 % | 4 |" in page.read_text()

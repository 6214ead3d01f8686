from html.parser import HTMLParser

import numpy as np
import pytest

from klforecast.evaluation.benchmark.published import (
    published_average,
    published_for,
    published_results,
)
from klforecast.evaluation.report.figures import accuracy_against_cost
from klforecast.evaluation.report.html import render_html
from klforecast.evaluation.report.markdown import render_markdown
from klforecast.evaluation.report.tables import build_tables

_VOID = {"meta", "br", "path", "use", "rect"}


class Page(HTMLParser):
    """Reads a page, keeps its texts by tag, and insists that every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.links = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def of(self, tag):
        return [text for opened, text in self.texts if opened == tag]


@pytest.fixture
def rows(make_row):
    errors = {
        "klmemory": (0.35, 0.39, 0.41, 0.43),
        "nlinear": (0.37, 0.41, 0.43, 0.44),
        "persistence": (1.29, 1.32, 1.33, 1.34),
    }
    return [
        make_row(
            model=model,
            horizon=horizon,
            seed=seed,
            mse=mse + 0.01 * seed,
            mae=mse / 2,
            published={"mse": 0.413, "lookback": 336, "source": "the authors"}
            if model == "nlinear"
            else None,
        )
        for model, values in errors.items()
        for seed in ((0, 1) if model == "nlinear" else (0,))
        for horizon, mse in zip((96, 192, 336, 720), values, strict=True)
    ]


def test_seeds_are_averaged_and_their_spread_is_kept(rows):
    (table,) = build_tables(rows)
    assert [line.label for line in table.lines] == ["klmemory", "nlinear", "persistence"]
    nlinear = table.lines[1]
    assert nlinear.average("mse", table.horizons) == pytest.approx(0.4125 + 0.005)
    assert nlinear.spread("mse", table.horizons) == pytest.approx(0.01 / 2**0.5)
    assert table.lines[0].spread("mse", table.horizons) is None
    assert nlinear.seconds(table.horizons) == pytest.approx(12)


def test_regimes_never_share_a_table(rows, make_row):
    short = make_row(regime="lookback96", mse=0.4, mae=0.4)
    free, limited = build_tables([*rows, short])
    assert (free.regime, limited.regime) == ("free", "lookback96")
    assert [line.label for line in limited.lines] == ["nlinear"]
    assert {entry.regime for entry in limited.published} == {"lookback96"}


def test_what_differs_from_the_default_has_its_own_line(make_row):
    rows = [
        make_row(mse=0.4, mae=0.4),
        make_row(mse=0.3, mae=0.4, changed_params={"lookback": 96}),
        make_row(mse=0.2, mae=0.4, fit_on="train"),
    ]
    (table,) = build_tables(rows)
    assert [line.label for line in table.lines] == [
        "nlinear (fitted on train)",
        "nlinear (lookback=96)",
        "nlinear",
    ]


def test_a_later_row_of_a_cell_replaces_the_earlier_one_but_no_failure_does(make_row):
    rows = [
        make_row(mse=0.4, mae=0.4),
        make_row(mse=0.3, mae=0.4, versions={"torch": "3"}),
        make_row(error="ValueError: no"),
    ]
    (table,) = build_tables(rows)
    assert table.lines[0].mean("mse", 96) == 0.3
    assert table.failed == []


def test_a_missing_horizon_leaves_the_average_open(make_row):
    rows = [make_row(mse=0.4, mae=0.4), make_row(mse=0.5, mae=0.4, horizon=192, model="ols")]
    (table,) = build_tables(rows)
    assert table.lines[0].average("mse", table.horizons) is None
    assert table.lines[0].seconds(table.horizons) is None


def test_the_page_opens_and_needs_nothing_else(rows, make_row):
    failed = make_row(model="dlinear", error="RuntimeError: <no> luck")
    page = Page(render_html([*rows, failed], "Title & more"))
    assert page.of("h1") == ["Title & more"]
    assert all(link.startswith("#") for link in page.links)  # pictures are in the page
    assert "klmemory" in page.of("td")
    assert any("RuntimeError: <no> luck" in text for text in page.of("td"))
    assert any("best published: TimeBase 0.3966" in text for text in page.of("text"))
    assert any("torch 2.13.0" in text for text in page.of("td"))


def test_the_page_is_the_same_for_the_same_rows(rows):
    assert render_html(rows) == render_html(rows)


def test_series_that_were_held_out_have_a_part_of_their_own(rows, make_row):
    weekly = make_row(dataset="M4Weekly", horizon=13, borders=None, smape=9.16, mase=2.78)
    page = Page(render_html([*rows, weekly]))
    assert page.of("h2") == ["Lookback free", "Short and ordinary series", "Measured with"]
    assert "9.160" in page.of("td")


def test_markdown_holds_the_same_numbers(rows):
    text = render_markdown(rows)
    assert "| klmemory | 0.3500 | 0.3900 | 0.4100 | 0.4300 | **0.3950** |" in text
    assert "| nlinear | 0.3750 | 0.4150 | 0.4350 | 0.4450 | 0.4175 |" in text
    assert text.count("**") == 2
    assert "*TimeBase, published*" in text
    assert "0.413 (the authors)" in text


def test_every_model_has_a_height_of_its_own_beside_one_that_is_far_off(make_row):
    errors = {"klmemory": 0.30, "nlinear": 0.303, "ols": 0.33, "theta": 0.6, "persistence": 3.0}
    (table,) = build_tables(make_row(model=m, mse=e, mae=e, horizon=96) for m, e in errors.items())
    axes = accuracy_against_cost(table).axes[0]
    points = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert points == pytest.approx(sorted(errors.values()))
    heights = [
        axes.transAxes.inverted().transform(axes.transData.transform((1, e)))[1] for e in points
    ]
    assert min(np.diff(heights)) > 0.02  # of the height of the picture
    assert heights[0] > 0
    assert heights[-1] < 1
    labels = [text.get_text() for text in axes.texts]
    assert set(errors) <= set(labels)


def test_no_rows_are_an_error():
    with pytest.raises(ValueError, match="run `klforecast benchmark` first"):
        render_html([])
    with pytest.raises(ValueError, match="run `klforecast benchmark` first"):
        render_markdown([])


def test_published_averages_agree_with_their_horizons():
    for entry in published_results():
        if entry.mse is not None and entry.mse_average is not None:
            mean = sum(entry.mse.values()) / len(entry.mse)
            assert mean == pytest.approx(entry.mse_average, abs=0.0021), entry


def test_an_average_over_other_horizons_is_not_the_printed_one():
    entry = published_for("ETTh1", "free")[0]
    assert entry.average([96, 192, 336, 720]) == 0.3966
    assert entry.average([96, 720]) == pytest.approx((0.3499 + 0.4397) / 2)
    assert entry.average([96, 100]) is None


def test_skewed_loaders_are_in_no_table(rows):
    (table,) = build_tables(rows)
    assert table.published
    assert all(entry.loader in ("clean", "one window per batch") for entry in table.published)


@pytest.mark.parametrize(
    ("model", "regime", "mse", "lookback"),
    [
        ("nlinear", "free", 0.413, 336),
        ("nlinear", "lookback96", 0.4535, 96),
        ("itransformer", "free", 0.454, 96),
        ("itransformer", "lookback96", 0.454, 96),
    ],
)
def test_a_peer_is_held_to_the_number_of_its_own_lookback(model, regime, mse, lookback):
    note = published_average(model, "ETTh1", regime)
    assert (note["mse"], note["lookback"]) == (mse, lookback)


def test_no_number_is_known_for_our_own_model():
    assert published_average("klmemory", "ETTh1", "free") is None


def test_markup_in_a_row_is_shown_and_not_obeyed(make_row):
    evil = '<script>alert("x")</script> & <img src=x onerror=y> $\\frac | [a](b)'
    rows = [
        make_row(mse=0.3 + 0.1 * place, mae=0.4, horizon=horizon, dataset=evil, model=model)
        | {"dataset_sha256": evil, "borders": [evil, 2, 3], "n_test_windows": evil}
        | {"versions": {evil: evil}, "machine": {"cpu": evil}, "commit": evil}
        for place, model in enumerate((evil, "second", "third"))
        for horizon in (96, 192, 336)
    ]
    rows.append(make_row(error=evil, model=evil, dataset=evil, seed=evil))
    page = render_html(rows, evil)
    assert "<script" not in page
    assert "<img" not in page
    assert evil in Page(page).of("h1")
    assert evil in Page(page).of("h3")
    markdown = render_markdown(rows)
    assert "<script" not in markdown
    assert "<img" not in markdown
    cells = [
        line.count("|") - line.count("\\|") for line in markdown.splitlines() if line[:1] == "|"
    ]
    assert len(set(cells)) == 1

from html.parser import HTMLParser

import pytest

from klforecast.evaluation.report.html import render_html
from klforecast.evaluation.report.markdown import render_markdown
from klforecast.evaluation.suites.published import published_on, reference_on
from klforecast.evaluation.suites.rows import complete
from klforecast.evaluation.suites.standing import entries_of, shared_configs

CONFIGS = ("us_births/D/short", "us_births/W/short", "hospital/M/short")


class Cells(HTMLParser):
    """Texts of the table rows of a page, by the class of the row."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.kind = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append((dict(attrs).get("class", ""), []))

    def handle_data(self, data):
        if self.rows and data.strip():
            self.rows[-1][1].append(data.strip())


def make_row(model: str, config: str, factor: float | None = None, **fields) -> dict:
    """A row whose scores are `factor` times those of the published seasonal naive."""
    naive = reference_on("gift-eval")
    row = {
        "suite": "gift-eval",
        "config": config,
        "domain": "all kinds",
        "model": model,
        "changed_params": {},
        "seed": 0,
        "horizon": 12,
        "n_windows": 1,
        "n_series": 1,
        "n_channels": 1,
        "fit_seconds": 1.0,
        "predict_seconds": 1.0,
        "cpu_seconds": 2.0,
        "versions": {"klforecast": "0.1.0"},
    }
    if factor is not None:
        row["mase"] = row["mase_median"] = factor * naive.mase[config]
        row["crps"] = factor**2 * naive.crps[config]
        row["coverage_80"] = 0.8
    return complete(row | fields)


@pytest.fixture
def rows():
    ours = [make_row("klmemory", c, f) for c, f in zip(CONFIGS, (0.25, 0.5, 1.0), strict=True)]
    return [*ours, *(make_row("theta", config, 0.9) for config in CONFIGS[:2])]


def entry_of(rows, label):
    return next(entry for entry in entries_of("gift-eval", rows) if entry.label == label)


def test_a_standing_is_the_geometric_mean_over_seasonal_naive(rows):
    ours = entry_of(rows, "klmemory")
    assert ours.mean("mase", CONFIGS) == pytest.approx(0.5)
    assert ours.mean("crps", CONFIGS) == pytest.approx(0.25)


def test_a_model_that_misses_a_configuration_has_no_standing(rows):
    assert entry_of(rows, "theta").mean("mase", CONFIGS) is None
    assert entry_of(rows, "theta").mean("mase", CONFIGS[:2]) == pytest.approx(0.9)


def test_published_models_are_averaged_over_the_measured_configurations_alone(rows):
    assert shared_configs("gift-eval", rows) == list(CONFIGS)
    printed = next(p for p in published_on("gift-eval") if p.model == "Chronos-2")
    naive = reference_on("gift-eval")
    entry = entry_of(rows, "Chronos-2")
    assert set(entry.mase) == set(CONFIGS)
    for config in CONFIGS:
        assert entry.crps[config] == printed.crps[config] / naive.crps[config]


def test_without_a_published_seasonal_naive_the_measured_one_divides():
    scored = {"mase": 3.0, "nd": 0.05, "crps": 0.04, "suite": "competitions"}
    naive = make_row("seasonal-naive", "M3/other", **scored)
    ours = make_row("klmemory", "M3/other", **scored | {"mase": 1.5, "crps": 0.01})
    entry = entries_of("competitions", [ours, naive])[0]
    assert entry.mase == {"M3/other": 0.5}
    assert entry.crps == {"M3/other": pytest.approx(0.2)}
    # What nobody has published stands outside the average that is held against print.
    assert shared_configs("competitions", [ours, naive]) == []


def test_the_page_says_where_we_lose_first_and_greys_what_is_published(rows):
    page = render_html([], "Title", (), rows)
    cells = Cells(page).rows
    kinds = {texts[0]: kind for kind, texts in cells if len(texts) > 6}
    assert kinds["klmemory"] == "ours"
    assert kinds["Chronos-2"] == "published"
    assert page.count("<svg") == 2
    header = next(i for i, (_, texts) in enumerate(cells) if "best rival" in texts)
    ratios = [float(texts[-1]) for _, texts in cells[header + 1 :] if len(texts) == 6]
    assert ratios == sorted(ratios, reverse=True)
    assert min(ratios) > 1
    assert "SalesforceAIResearch/gift-eval, results/*/all_results.csv @ 4fd98a9f803a" in page
    assert render_html([], "Title", (), rows) == page


def test_domains_are_averaged_and_wins_counted(rows):
    lines = render_markdown([], (), rows).splitlines()
    (domain,) = [line for line in lines if line.startswith("| all kinds |")]
    assert domain.startswith("| all kinds | 0.50 / 0.25 | - / - |")
    (theta,) = [line for line in lines if line.startswith("| theta | 2 of 3 |")]
    assert "| 2, 2 |" in theta


def test_a_failed_configuration_is_told_and_not_counted(rows):
    failed = make_row("mean", CONFIGS[0], error="ValueError: too short")
    text = render_markdown([], (), [*rows, failed])
    assert "| us_births/D/short | mean | ValueError: too short |" in text
    assert "| mean | 0 of" not in text


def test_markup_in_a_row_of_a_suite_is_shown_and_not_obeyed():
    evil = '<script>alert("x")</script> & <img src=x onerror=y> $\\frac | [a](b)\nline'
    rows = [
        make_row(
            "klmemory", config, 0.5, changed_params={evil: evil}, domain=evil, versions={evil: evil}
        )
        for config in CONFIGS
    ]
    rows += [make_row("theta", config, 0.9) for config in CONFIGS]
    rows.append(make_row("theta", evil, error=evil))
    page, markdown = render_html([], evil, (), rows), render_markdown([], (), rows)
    for text in (page, markdown):
        assert "<script" not in text
        assert "<img" not in text
        assert "&lt;script&gt;" in text
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    (failed,) = [line for line in lines if "line | theta | " in line]
    assert failed.count("|") - failed.count("\\|") == 4


def test_worlds_are_told_with_their_broken_rules():
    world = {
        "error": 3.0,
        "errors": [3.0],
        "metric": "mae",
        "references": {"mean": 1.0, "theta": 2.0},
        "best": "mean",
        "ratio": 3.0,
        "broken": ["worse"],
    }
    row = make_row("klmemory", "noise/60", suite="worlds", coverage_90=0.9, world=world)
    text = render_markdown([], (), [row])
    assert "| noise/60 | 3 MAE | mean | 1 | 3 | 0.90 | 2.0 | worse |" in text


def test_a_part_that_nobody_published_does_not_count_for_its_domain():
    fields = {"suite": "competitions", "crps": 0.1, "nd": 0.1, "domain": "M3"}
    rows = [
        make_row("klmemory", "M3/other", mase=9.0, **fields),
        make_row("seasonal-naive", "M3/other", mase=1.0, **fields),
        make_row("klmemory", "M3/yearly", mase=3.17171 / 2, **fields),
    ]
    lines = render_markdown([], (), rows).splitlines()
    (domain,) = [line for line in lines if line.startswith("| M3 |")]
    assert domain.startswith("| M3 | 0.50 / 0.60 | - / - |")


def test_configurations_stand_in_the_order_of_their_suite(rows):
    page = render_markdown([], (), rows[::-1])
    text = page[page.index("### MASE / CRPS") :]
    places = [text.index(f"\n| {config} |") for config in CONFIGS]
    assert places == sorted(places)

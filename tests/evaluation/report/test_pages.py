"""The tables of the pages are those of the rows that lie beside them."""

from pathlib import Path

import pytest

from klforecast.evaluation.benchmark.rows import read_rows
from klforecast.evaluation.classification.run import render_table
from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.lra.run_rows import read_runs
from klforecast.evaluation.report.markdown import render_markdown
from klforecast.evaluation.studies import (
    component_search,
    does_memory_help,
    equal_size_page,
    matched_bases,
    published_encoders,
)

DOCS = Path(__file__).parents[3] / "docs"


def results(*names: str) -> list[Path]:
    return [DOCS / "results" / f"{name}.jsonl" for name in names]


PAGES = {
    "evidence/does_memory_help.md": lambda: does_memory_help.render_page(
        read_rows(*results("encoders")),
        read_lines(*results("long_recall")),
        read_rows(*results("memory_grid")),
    ),
    "evidence/published_encoders.md": lambda: published_encoders.render_page(
        read_rows(*results("published_encoders"))
    ),
    "results/component_search.md": lambda: component_search.page_of(
        read_lines(*results("component_search"))
    ),
    "results/equal_size_bases.md": lambda: equal_size_page.page_of(
        read_lines(*results("equal_size_bases"))
    ),
    "results/matched_bases.md": lambda: matched_bases.page_of(
        read_lines(*results("matched_bases"))
    ),
    "results/tables.md": lambda: render_markdown(
        read_rows(*results("free", "lookback96", "train_only", "peers", "m4"))
    ),
    "results/lra_synthetic_tables.md": lambda: render_markdown(
        [], read_runs(*results("lra_synthetic"))
    ),
    "results/classification.md": lambda: render_table(read_lines(*results("classification"))),
    "results/classification_gradient.md": lambda: render_table(
        read_lines(*results("classification_gradient"))
    ),
}


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_those_of_its_rows(page):
    written = table_lines((DOCS / page).read_text(encoding="utf-8"))
    assert written
    assert written == table_lines(PAGES[page]())


def table_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]

"""The parts of the suites as sections of a page, in HTML and in Markdown."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from klforecast.evaluation.lra.page import in_markdown
from klforecast.evaluation.suites.parts import Line, Part, suite_parts

_WIDE = 24  # letters; a longer cell is text and wraps


def html_sections(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sections of an HTML page, a suite after the other, with pictures."""
    return [_html(part) for part in suite_parts(rows)]


def markdown_sections(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sections in Markdown, without pictures."""
    parts = (part for part in suite_parts(rows) if part.columns or part.level == 2)
    return [text for part in parts for text in _markdown(part)]


def _html(part: Part) -> str:
    text = [f"<h{part.level}>{escape(part.title)}</h{part.level}>"]
    if part.note:
        text.append(f'<p class="note">{escape(part.note)}</p>')
    if part.draw is not None:
        text.append(_html_picture(part.draw, part.caption))
    if part.columns:
        head = "".join(f"<th>{escape(column)}</th>" for column in part.columns)
        body = "\n".join(map(_html_line, part.lines))
        text.append(
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n'
            f"</tbody></table></div>"
        )
    return "\n".join(text)


def _html_picture(draw: Callable[[], Any], caption: str) -> str:
    # Imported here: Markdown has no pictures and needs no matplotlib.
    from klforecast.evaluation.report.figures import as_svg

    figure = draw()
    if figure is None:
        return '<p class="note">No measured model has all configurations yet.</p>'
    return f"<figure>{as_svg(figure)}<figcaption>{escape(caption)}</figcaption></figure>"


def _html_line(line: Line) -> str:
    start = f'<tr class="{line.kind}">' if line.kind else "<tr>"
    cells = (
        f'<td class="text">{escape(cell)}</td>' if len(cell) > _WIDE else f"<td>{escape(cell)}</td>"
        for cell in line.cells
    )
    return f"{start}{''.join(cells)}</tr>"


def _markdown(part: Part) -> list[str]:
    text = [f"{'#' * part.level} {in_markdown(part.title)}"]
    if part.note:
        text.append(in_markdown(part.note))
    if part.columns:
        head = f"| {' | '.join(map(in_markdown, part.columns))} |\n|:--{'|--:' * (len(part.columns) - 1)}|"
        text.append("\n".join([head, *map(_markdown_line, part.lines)]))
    return text


def _markdown_line(line: Line) -> str:
    marks = {"ours": "**", "published": "*"}
    mark = marks.get(line.kind, "")
    cells = [f"{mark}{in_markdown(cell)}{mark}" if cell else "" for cell in line.cells]
    return f"| {' | '.join(cells)} |"

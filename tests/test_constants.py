"""Every number that a module fixes says where it comes from."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "klforecast"
FOLDERS = (
    "classify",
    "core",
    "data",
    "estimators",
    "evaluation",
    "local",
    "modules",
    "ops",
    "training",
)
FILES = sorted(path for folder in FOLDERS for path in (PACKAGE / folder).rglob("*.py"))


def unexplained(source: str) -> list[str]:
    """Numeric constants of a module without a comment beside or above them, or a docstring below.

    A comment on lines of its own serves all assignments that follow it without a blank line.
    """
    beside, above = set(), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            own_line = token.line[: token.start[1]].strip() == ""
            (above if own_line else beside).add(token.start[0])
    found, body = [], ast.parse(source).body
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        lines = range(statement.lineno, statement.end_lineno + 1)
        if lines[0] - 1 in above:
            above.add(lines[-1])
        elif holds_number(statement.value) and not (
            beside.intersection(lines) or above.intersection(lines) or is_text(after)
        ):
            found.append(ast.unparse(statement).partition(" = ")[0])
    return found


def holds_number(value: ast.expr | None) -> bool:
    """Whether a number that is no truth value stands anywhere in the expression."""
    return value is not None and any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
        for node in ast.walk(value)
    )


def is_text(statement: ast.stmt | None) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_numeric_constant_has_its_reason(path):
    assert unexplained(path.read_text(encoding="utf-8")) == []


def test_a_reason_stands_beside_above_or_below():
    assert unexplained("A = 3\n\nB = 4  # days\n") == ["A"]
    assert unexplained("# Weeks.\nA = 3\nB = 4\n\nC = {'x': -1.5}\n") == ["C"]
    assert unexplained("A = 3\n'''Days.'''\nB: int = 5\n") == ["B: int"]
    assert unexplained("A = (\n    3,  # days\n    4,\n)\nB = 'name'\nC = True\n") == []

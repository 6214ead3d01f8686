import statistics

import numpy as np
import pytest

from klforecast.evaluation.lra import listops
from klforecast.evaluation.lra.listops import TOKENS, draw_expression, evaluate, synthesise

SMALL = {"n_train": 200, "n_validation": 40, "n_test": 60, "min_length": 5, "max_length": 60}


REFERENCE = {
    "[MIN": lambda digits: sorted(digits)[0],
    "[MAX": lambda digits: sorted(digits)[-1],
    "[MED": lambda digits: int(statistics.median(digits)),
    "[SM": lambda digits: int(str(sum(digits))[-1]),
}


def words(tokens) -> list[str]:
    return [TOKENS[token - 1] for token in tokens if token]


def value_of(expression: list[str]) -> int:
    """Independent reference: rewrite the innermost list until a digit is left."""
    expression = list(expression)
    while len(expression) > 1:
        end = expression.index("]")
        start = max(i for i in range(end) if expression[i].startswith("["))
        digits = [int(word) for word in expression[start + 1 : end]]
        assert len(digits) >= 2
        value = REFERENCE[expression[start]](digits)
        expression[start : end + 1] = [str(value)]
    return int(expression[0])


def depth_of(expression: list[str]) -> int:
    level = deepest = 0
    for word in expression:
        level += word.startswith("[")
        deepest = max(deepest, level)
        level -= word == "]"
    return deepest


def test_every_label_is_the_value_of_its_expression():
    for part in synthesise(max_depth=6, max_args=5, **SMALL):
        for sequence, label in zip(part.sequences, part.labels, strict=True):
            assert value_of(words(sequence)) == label


def test_depth_arguments_and_length_stay_within_their_limits():
    data = synthesise(max_depth=4, max_args=3, **SMALL)
    expressions = [words(sequence) for part in data for sequence in part.sequences]
    assert max(map(depth_of, expressions)) == 3  # a digit has depth 1 itself
    assert all(5 < len(expression) < 60 for expression in expressions)
    innermost = [
        " ".join(expression).split("]")[0].split("[")[-1].split()[1:] for expression in expressions
    ]
    assert {len(digits) for digits in innermost} == {2, 3}


def test_a_digit_comes_with_probability_three_quarters_and_operators_uniformly():
    generator = np.random.default_rng(0)
    drawn = [draw_expression(generator, 2, 2, 10)[0] for _ in range(4000)]
    assert np.mean([len(tokens) == 1 for tokens in drawn]) == pytest.approx(0.75, abs=0.03)
    operators = [words(tokens)[0] for tokens in drawn if len(tokens) > 1]
    for operator in ("[MIN", "[MAX", "[MED", "[SM"):
        assert operators.count(operator) / len(operators) == pytest.approx(0.25, abs=0.06)


def test_no_expression_occurs_twice_in_any_part():
    data = synthesise(max_depth=4, max_args=3, **SMALL)
    rows = np.concatenate([part.sequences for part in data])
    assert len(np.unique(rows, axis=0)) == len(rows) == 300


def test_the_seed_decides_the_sequences():
    assert synthesise(**SMALL, seed=1).sha256 == synthesise(**SMALL, seed=1).sha256
    assert synthesise(**SMALL, seed=1).sha256 != synthesise(**SMALL, seed=2).sha256


def test_the_official_files_are_read_without_their_round_brackets(tmp_path):
    lines = [
        ("( ( ( ( [MED 1 ) 4 ) ( ( ( [SM 9 ) 8 ) ] ) ) ] )", "4"),
        ("( ( ( [MAX 2 ) 7 ) ] )", "7"),
    ]
    for name in ("train", "val", "test"):
        rows = ["Source\tTarget", *("\t".join(line) for line in lines)]
        (tmp_path / f"basic_{name}.tsv").write_text("\n".join(rows) + "\n")
    data = listops.load(tmp_path, max_length=9)
    assert data.train.sequences.shape == (2, 9)
    assert words(data.test.sequences[0]) == ["[MED", "1", "4", "[SM", "9", "8", "]", "]"]
    for sequence, label in zip(*data.validation, strict=True):
        assert value_of(words(sequence)) == label


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "basic_train.tsv").write_text("Source\tTarget\n[FIRST 1 2 ]\t1\n")
    with pytest.raises(ValueError, match=r"holds '\[FIRST', which is no token of ListOps"):
        listops.load(tmp_path)


def test_an_unknown_operator_is_refused():
    with pytest.raises(ValueError, match="pass one of MIN, MAX, MED, SM"):
        evaluate("FIRST", [1, 2])

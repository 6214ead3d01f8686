"""ListOps: nested lists of operations on digits, and what they evaluate to.

    [MAX 2 9 [MIN 4 7 ] 0 ]  ->  9

Definition: Nangia & Bowman, arXiv 1804.06028, with the operators MAX, MIN, MED (median, cut to an
integer) and SM (sum modulo 10). An expression is a digit with probability 3/4 and, above
`max_depth`, always; otherwise an operator with 2 to `max_args` expressions, all choices uniform.
Long Range Arena (arXiv 2011.04006) keeps expressions of more than 500 and fewer than 2,000 tokens,
with depths and arguments up to 10; no expression occurs twice.
"""

import csv
from pathlib import Path

import numpy as np

from klforecast.evaluation.lra.parts import Part, TaskData, pad

OPERATORS = ("MIN", "MAX", "MED", "SM")
TOKENS = ("[MIN", "[MAX", "[MED", "[SM", "]", *"0123456789")
VOCAB_SIZE = 1 + len(TOKENS)  # with the padding
_OPERATION_PROBABILITY = 0.25  # of an argument that is an operation itself, see above
# 0 is the padding.
_IDS = {token: index for index, token in enumerate(TOKENS, start=1)}
_END = _IDS["]"]
_ZERO = _IDS["0"]


class _TooLong(Exception):
    """An expression has outgrown the limit and is of no use."""


def evaluate(operator: str, arguments: list[int]) -> int:
    """Value of one operation.

    Examples
    --------
    >>> evaluate("MED", [1, 4]), evaluate("SM", [7, 8])
    (2, 5)
    """
    if operator == "MIN":
        return min(arguments)
    if operator == "MAX":
        return max(arguments)
    if operator == "MED":
        return int(np.median(arguments))
    if operator == "SM":
        return sum(arguments) % 10
    raise ValueError(f"operator is {operator!r}; pass one of {', '.join(OPERATORS)}")


def draw_expression(
    generator: np.random.Generator, max_depth: int, max_args: int, max_length: int
) -> tuple[bytes, int] | None:
    """Draw token ids and the value of one expression; None if it has `max_length` tokens or more.

    Parameters
    ----------
    generator : numpy Generator
        Source of all choices.
    max_depth : int
        Depth at which every expression is a digit; the outermost expression has depth 1.
    max_args : int
        Most arguments of an operation.
    max_length : int
        Tokens, the closing brackets counted.
    """
    tokens: list[int] = []

    def draw(depth: int) -> int:
        if depth >= max_depth or generator.random() > _OPERATION_PROBABILITY:
            value = int(generator.integers(10))
            tokens.append(_ZERO + value)
        else:
            operator = int(generator.integers(len(OPERATORS)))
            tokens.append(1 + operator)
            n_arguments = int(generator.integers(2, max_args + 1))
            value = evaluate(OPERATORS[operator], [draw(depth + 1) for _ in range(n_arguments)])
            tokens.append(_END)
        if len(tokens) >= max_length:
            raise _TooLong
        return value

    try:
        value = draw(depth=1)
    except _TooLong:
        return None
    return bytes(tokens), value


def synthesise(
    *,
    n_train: int,
    n_validation: int,
    n_test: int,
    max_depth: int = 10,
    max_args: int = 10,
    min_length: int = 500,
    max_length: int = 2000,
    seed: int = 0,
) -> TaskData:
    """Draw the three parts; no expression is in two of them, or twice in one.

    Parameters
    ----------
    n_train, n_validation, n_test : int
        Expressions per part.
    max_depth, max_args : int
        See `draw_expression`.
    min_length, max_length : int
        Expressions have more tokens than the first and fewer than the second.
    seed : int, default=0
        Decides everything.
    """
    generator = np.random.default_rng(seed)
    found: dict[bytes, int] = {}
    wanted = n_train + n_validation + n_test
    while len(found) < wanted:
        drawn = draw_expression(generator, max_depth, max_args, max_length)
        if drawn is not None and len(drawn[0]) > min_length:
            found.setdefault(*drawn)
    sequences = pad(list(found), max_length - 1)
    labels = np.fromiter(found.values(), np.int64)
    ends = np.cumsum([n_train, n_validation])
    return TaskData(*map(Part, np.split(sequences, ends), np.split(labels, ends)))


def load(folder: Path, *, max_length: int = 2000) -> TaskData:
    """Read the official files basic_train.tsv, basic_val.tsv and basic_test.tsv.

    Parameters
    ----------
    folder : Path
        Folder of the three files, each with the columns Source and Target.
    max_length : int, default=2000
        Tokens that an expression is cut to, as in Long Range Arena.
    """
    return TaskData(
        *(_read(folder / f"basic_{name}.tsv", max_length) for name in ("train", "val", "test"))
    )


def _read(path: Path, max_length: int) -> Part:
    rows, labels = [], []
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file, delimiter="\t"):
            # The round brackets spell the binary tree out and are no part of the sequence.
            words = [word for word in line["Source"].split() if word not in "()"]
            unknown = sorted(set(words) - set(TOKENS))
            if unknown:
                raise ValueError(
                    f"{path} holds {unknown[0]!r}, which is no token of ListOps; "
                    "pass the folder of the official files"
                )
            rows.append(bytes(_IDS[word] for word in words))
            labels.append(int(line["Target"]))
    return Part(pad(rows, max_length), np.array(labels, np.int64))

import re

import numpy as np
import pytest

from klforecast.evaluation.lra import text
from klforecast.evaluation.lra.text import draw_review, encode, synthesise

SIZE = {"n_train": 20, "n_validation": 10, "n_test": 10}


def decode(tokens) -> str:
    return bytes(int(token) - 1 for token in tokens if token).decode()


def test_the_class_of_a_review_is_that_of_most_of_its_opinions():
    data = synthesise(**SIZE, n_opinions=5, n_plain=3)
    for part in data:
        for sequence, label in zip(*part, strict=True):
            review = decode(sequence)
            balance = 0
            for denial, word in re.findall(r"was (not )?(\w+)\.", review):
                if word in text._GOOD or word in text._BAD:
                    balance += 1 if (word in text._GOOD) != bool(denial) else -1
            assert (balance > 0) == label
            assert abs(balance) in (1, 3, 5)


def test_the_seed_decides_the_reviews():
    assert synthesise(**SIZE, seed=1).sha256 == synthesise(**SIZE, seed=1).sha256
    assert synthesise(**SIZE, seed=1).sha256 != synthesise(**SIZE, seed=2).sha256


def test_reviews_that_could_tie_or_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="n_opinions is 2; pass an odd number"):
        draw_review(np.random.default_rng(0), 2, 0)
    with pytest.raises(ValueError, match="max_length is 20; pass fewer sentences"):
        synthesise(**SIZE, max_length=20)


def test_bytes_become_tokens_and_padding_stays_free():
    assert decode(encode("häuser".encode())) == "häuser"
    assert 0 not in encode(bytes(range(256)))
    assert len(encode(b"")) == 1


def test_the_official_folder_is_read_and_parted_by_class(tmp_path):
    for part in ("train", "test"):
        for label, name in enumerate(("neg", "pos")):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(10):
                path = tmp_path / part / name / f"{i}_{7 * label}.txt"
                path.write_text(f"{part} {name} {i}, très long", encoding="utf-8")
    data = text.load(tmp_path, max_length=16, validation_fraction=0.2)
    assert [len(part.labels) for part in data] == [16, 4, 20]
    assert [part.labels.mean() for part in data] == [0.5, 0.5, 0.5]
    for sequence, label in zip(*data.test, strict=True):
        assert decode(sequence).startswith(f"test {('neg', 'pos')[label]}")
    together = np.concatenate([data.train.sequences, data.validation.sequences])
    assert len(np.unique(together, axis=0)) == 20


def test_a_folder_without_reviews_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="pass the folder aclImdb"):
        text.load(tmp_path)

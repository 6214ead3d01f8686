import numpy as np
import pytest

from klforecast.evaluation.lra import retrieval
from klforecast.evaluation.lra.retrieval import draw_words, synthesise

SIZE = {"n_train": 200, "n_validation": 20, "n_test": 20}


def decode(tokens) -> str:
    return bytes(int(token) - 1 for token in tokens if token).decode()


def test_documents_belong_together_exactly_if_their_topics_are_the_same():
    words = draw_words((4 + 5) * 12, np.random.default_rng(0))
    topic_of = {word: i // 12 for i, word in enumerate(words[: 4 * 12])}
    labels = []
    for part in synthesise(**SIZE):
        for pair, label in zip(*part, strict=True):
            topics = [
                {topic_of[word] for word in decode(document).split() if word in topic_of}
                for document in pair
            ]
            assert [len(found) for found in topics] == [1, 1]
            assert (topics[0] == topics[1]) == label
            labels.append(label)
    assert abs(np.mean(labels) - 0.5) < 0.1


def test_the_seed_decides_the_documents():
    assert synthesise(**SIZE, seed=1).sha256 == synthesise(**SIZE, seed=1).sha256
    assert synthesise(**SIZE, seed=1).sha256 != synthesise(**SIZE, seed=2).sha256


def test_the_official_files_are_read_with_texts_written_as_bytes_or_plain(tmp_path):
    for part in ("train", "eval", "test"):
        (tmp_path / f"new_aan_pairs.{part}.tsv").write_text(
            '1.0\tA00-1\tB00-2\tb\'abc \\xc3\\xa9\'\tb"it\'s"\n0.0\tA00-1\tC00-3\tplain "text"\té\n',
            encoding="utf-8",
        )
    data = retrieval.load(tmp_path, max_length=12)
    assert data.train.sequences.shape == (2, 2, 12)
    assert data.validation.labels.tolist() == [1, 0]
    assert [decode(document) for document in data.test.sequences[0]] == ["abc é", "it's"]
    assert [decode(document) for document in data.test.sequences[1]] == ['plain "text"', "é"]


def test_a_file_of_other_columns_is_refused(tmp_path):
    (tmp_path / "new_aan_pairs.train.tsv").write_text("1.0\tA00-1\tB00-2\n")
    with pytest.raises(ValueError, match="line 1 has 3 columns and not 5"):
        retrieval.load(tmp_path)

"""Retrieval: do two documents belong together? Each is read byte by byte, by itself.

Long Range Arena (arXiv 2011.04006) asks whether one paper of the ACL Anthology Network cites the
other. `synthesise` draws documents of our own, in invented words: every topic has words that no
other has, and two documents belong together if they have the same topic.
"""

from ast import literal_eval
from pathlib import Path

import numpy as np

from klforecast.evaluation.lra.parts import Part, TaskData, pad
from klforecast.evaluation.lra.text import VOCAB_SIZE, encode

__all__ = ["VOCAB_SIZE", "draw_words", "load", "synthesise"]

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_FILES = ("new_aan_pairs.train.tsv", "new_aan_pairs.eval.tsv", "new_aan_pairs.test.tsv")


def draw_words(n: int, generator: np.random.Generator) -> list[str]:
    """Draw different words of two or three syllables.

    Examples
    --------
    >>> len(set(draw_words(5, np.random.default_rng(0))))
    5
    """
    words: dict[str, None] = {}
    while len(words) < n:
        syllables = [
            _CONSONANTS[generator.integers(len(_CONSONANTS))]
            + _VOWELS[generator.integers(len(_VOWELS))]
            for _ in range(generator.integers(2, 4))
        ]
        words["".join(syllables)] = None
    return list(words)


def synthesise(
    *,
    n_train: int,
    n_validation: int,
    n_test: int,
    n_topics: int = 4,
    words_per_topic: int = 12,
    n_words: int = 16,
    topic_share: float = 0.4,
    seed: int = 0,
) -> TaskData:
    """Draw the three parts.

    Parameters
    ----------
    n_train, n_validation, n_test : int
        Pairs per part; a fair coin decides whether the topics of a pair are the same.
    n_topics : int, default=4
        Topics.
    words_per_topic : int, default=12
        Words of each topic; five times as many belong to no topic.
    n_words : int, default=16
        Words of a document.
    topic_share : float, default=0.4
        Probability that a word of a document is one of its topic; one always is.
    seed : int, default=0
        Decides everything.
    """
    generator = np.random.default_rng(seed)
    words = np.array(draw_words((n_topics + 5) * words_per_topic, generator))
    topics = words[: n_topics * words_per_topic].reshape(n_topics, words_per_topic)
    common = words[n_topics * words_per_topic :]

    def document(topic: int) -> bytes:
        from_topic = generator.random(n_words) < topic_share
        from_topic[generator.integers(n_words)] = True
        drawn = np.where(
            from_topic,
            generator.choice(topics[topic], n_words),
            generator.choice(common, n_words),
        )
        return encode(" ".join(drawn).encode())

    wanted = n_train + n_validation + n_test
    labels = generator.integers(2, size=wanted)
    first = generator.integers(n_topics, size=wanted)
    other = (first + generator.integers(1, n_topics, size=wanted)) % n_topics
    second = np.where(labels == 1, first, other)
    documents = [document(topic) for topic in np.stack([first, second], axis=1).ravel()]
    longest = max(map(len, documents))
    sequences = pad(documents, longest).reshape(wanted, 2, longest)
    ends = np.cumsum([n_train, n_validation])
    return TaskData(*map(Part, np.split(sequences, ends), np.split(labels, ends)))


def load(folder: Path, *, max_length: int = 4000) -> TaskData:
    """Read the official files new_aan_pairs.train.tsv, .eval.tsv and .test.tsv.

    Parameters
    ----------
    folder : Path
        Folder of the three files, without header: class, two names, two texts. A text that is
        written as bytes of Python, b'...', is decoded.
    max_length : int, default=4000
        Bytes that a document is cut to.
    """
    train, validation, test = (_read(folder / name, max_length) for name in _FILES)
    return TaskData(train, validation, test)


def _read(path: Path, max_length: int) -> Part:
    rows: list[bytes] = []
    labels: list[int] = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            line = text.rstrip("\r\n").split("\t")
            if len(line) != 5:
                raise ValueError(
                    f"{path}, line {number} has {len(line)} columns and not 5 (class, two names, "
                    "two texts); pass the folder of the official files"
                )
            labels.append(int(float(line[0])))
            rows += [encode(_bytes(document)[:max_length]) for document in line[3:]]
    sequences = pad(rows, max_length).reshape(len(labels), 2, max_length)
    return Part(sequences, np.array(labels, np.int64))


def _bytes(text: str) -> bytes:
    return literal_eval(text) if text[:2] in ("b'", 'b"') else text.encode()

"""Text: is a review good or bad? It is read byte by byte.

Long Range Arena (arXiv 2011.04006) takes the film reviews of Maas et al. (2011). `synthesise` draws
reviews of our own from a small grammar: opinions on aspects of a film, some of them negated, among
sentences without one. The class is whether more opinions are good than bad.
"""

from pathlib import Path

import numpy as np

from klforecast.evaluation.lra.parts import Part, TaskData, pad, split_off

# A byte becomes the token above it, so that 0 is padding; 255 does not occur in UTF-8.
VOCAB_SIZE = 256

_ASPECTS = ("plot", "cast", "score", "ending", "pace", "camera", "script", "hero", "villain", "cut")
_GOOD = ("superb", "moving", "clever", "lovely", "gripping", "fresh", "honest", "bright")
_BAD = ("dull", "clumsy", "shallow", "tired", "noisy", "bland", "awkward", "cheap")
_PLAIN = (
    "i saw it on a monday.",
    "the hall was half full.",
    "it runs for two hours.",
    "my friend paid for us.",
    "we sat in the third row.",
    "it was shot in the north.",
)


def encode(text: bytes) -> bytes:
    """Token ids of a text; one that says nothing becomes a space, so that it has a step.

    Examples
    --------
    >>> list(encode(b"AB"))
    [66, 67]
    """
    return bytes(min(byte, 254) + 1 for byte in text) or bytes([ord(" ") + 1])


def draw_review(generator: np.random.Generator, n_opinions: int, n_plain: int) -> tuple[str, int]:
    """Draw a review and its class, 1 for good.

    Parameters
    ----------
    generator : numpy Generator
        Source of all choices.
    n_opinions : int
        Sentences with an opinion, an odd number; a quarter of them are negated.
    n_plain : int
        Sentences without one.
    """
    if n_opinions % 2 == 0:
        raise ValueError(f"n_opinions is {n_opinions}; pass an odd number, so that no review ties")
    sentences, balance = [], 0
    for _ in range(n_opinions):
        good, negated = bool(generator.integers(2)), generator.random() < 0.25
        word = generator.choice(_GOOD if good else _BAD)
        denial = "not " if negated else ""
        sentences.append(f"the {generator.choice(_ASPECTS)} was {denial}{word}.")
        balance += 1 if good != negated else -1
    sentences += generator.choice(_PLAIN, n_plain).tolist()
    return " ".join(generator.permutation(sentences)), int(balance > 0)


def synthesise(
    *,
    n_train: int,
    n_validation: int,
    n_test: int,
    n_opinions: int = 3,
    n_plain: int = 2,
    max_length: int = 256,
    seed: int = 0,
) -> TaskData:
    """Draw the three parts.

    Parameters
    ----------
    n_train, n_validation, n_test : int
        Reviews per part.
    n_opinions, n_plain : int
        See `draw_review`.
    max_length : int, default=256
        Bytes; a longer review is refused, since what is cut off may decide its class.
    seed : int, default=0
        Decides everything.
    """
    generator = np.random.default_rng(seed)
    drawn = [
        draw_review(generator, n_opinions, n_plain) for _ in range(n_train + n_validation + n_test)
    ]
    longest = max(len(text) for text, _ in drawn)
    if longest > max_length:
        raise ValueError(
            f"a review has {longest} bytes and max_length is {max_length}; "
            "pass fewer sentences or a larger max_length"
        )
    sequences = pad([encode(text.encode()) for text, _ in drawn], max_length)
    labels = np.array([label for _, label in drawn], np.int64)
    ends = np.cumsum([n_train, n_validation])
    return TaskData(*map(Part, np.split(sequences, ends), np.split(labels, ends)))


def load(
    folder: Path, *, max_length: int = 4096, validation_fraction: float = 0.1, seed: int = 0
) -> TaskData:
    """Read the official folder of film reviews, aclImdb.

    Parameters
    ----------
    folder : Path
        It holds train/pos, train/neg, test/pos and test/neg, with a text file per review.
    max_length : int, default=4096
        Bytes that a review is cut to.
    validation_fraction : float, default=0.1
        Share of the training reviews of each class that validates.
    seed : int, default=0
        Draws the validation part.
    """
    training, test = (_read(folder / name, max_length) for name in ("train", "test"))
    return TaskData(*split_off(training, validation_fraction, seed), test)


def _read(folder: Path, max_length: int) -> Part:
    rows: list[bytes] = []
    labels: list[int] = []
    for label, name in enumerate(("neg", "pos")):
        files = sorted((folder / name).glob("*.txt"))
        if not files:
            raise FileNotFoundError(f"{folder / name} has no *.txt; pass the folder aclImdb")
        rows += [encode(path.read_bytes()) for path in files]
        labels += [label] * len(files)
    return Part(pad(rows, max_length), np.array(labels, np.int64))

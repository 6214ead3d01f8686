"""Sequences with their classes: the parts of a task, and how they become batches of tensors.

Tokens are stored as bytes, because a full task has a hundred million of them. Token 0 is padding.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

PADDING = 0  # the first token, so that fresh arrays are all padding


class Part(NamedTuple):
    """Sequences and their classes."""

    sequences: np.ndarray  # (n, length), or (n, 2, length) for pairs; uint8
    labels: np.ndarray  # (n,), int64


class TaskData(NamedTuple):
    """What a task trains, stops and is scored on."""

    train: Part
    validation: Part
    test: Part

    @property
    def length(self) -> int:
        """Longest sequence of all parts, in steps."""
        return max(part.sequences.shape[-1] for part in self)

    @property
    def sha256(self) -> str:
        """Checksum over all sequences and classes, in order."""
        digest = hashlib.sha256()
        for part in self:
            digest.update(str(part.sequences.shape).encode())
            digest.update(np.ascontiguousarray(part.sequences).tobytes())
            digest.update(part.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    @property
    def majority(self) -> float:
        """Accuracy on the test part of always answering the most frequent class of training."""
        frequent = np.bincount(self.train.labels).argmax()
        return float((self.test.labels == frequent).mean())


class Sequences(Dataset):
    """Batches of a part, cut to their longest sequence.

    Parameters
    ----------
    part : Part
        The sequences.
    is_tokens : bool
        Token ids, of which 0 is padding, or grey values from 0 to 255, which become one channel
        from -1 to 1.
    """

    def __init__(self, part: Part, is_tokens: bool):
        self.part = part
        self.is_tokens = is_tokens

    def __len__(self) -> int:
        return len(self.part.labels)

    def __getitems__(self, indices: Sequence[int]) -> tuple[dict[str, Tensor], Tensor]:
        """Inputs of the network and classes of a batch."""
        labels = torch.from_numpy(self.part.labels[indices])
        stored = torch.from_numpy(self.part.sequences[indices])
        if not self.is_tokens:
            return {"x": stored[..., None].float() / 127.5 - 1}, labels
        observed = stored != PADDING
        longest = max(1, int(observed.flatten(0, -2).any(0).sum()))
        inputs = {"x": stored[..., :longest].long(), "mask": observed[..., :longest]}
        return inputs, labels


def pad(rows: Sequence[bytes], length: int) -> np.ndarray:  # (len(rows), length), uint8
    """Cut rows of tokens to a length, and fill them up with padding."""
    padded = np.full((len(rows), length), PADDING, np.uint8)
    for filled, row in zip(padded, rows, strict=True):
        tokens = np.frombuffer(row[:length], np.uint8)
        filled[: len(tokens)] = tokens
    return padded


def split_off(part: Part, fraction: float, seed: int) -> tuple[Part, Part]:
    """Split a share of every class off, drawn at random: what is left, and the share."""
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(part.labels), bool)
    for label in np.unique(part.labels):
        members = generator.permutation(np.flatnonzero(part.labels == label))
        chosen[members[: round(fraction * len(members))]] = True
    if not chosen.any() or chosen.all():
        raise ValueError(
            f"a share of {fraction} of {len(chosen)} sequences leaves one side empty; "
            "pass more sequences"
        )
    return (
        Part(part.sequences[~chosen], part.labels[~chosen]),
        Part(part.sequences[chosen], part.labels[chosen]),
    )

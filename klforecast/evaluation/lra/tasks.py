"""The tasks: what a network reads, what it answers, and where the sequences come from."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from klforecast.evaluation.lra import listops, pathfinder, retrieval, text
from klforecast.evaluation.lra.parts import TaskData
from klforecast.modules.ssm.heads import SequencePredictor
from klforecast.modules.ssm.pair import PairPredictor


class Task(NamedTuple):
    """One task of Long Range Arena."""

    about: str
    n_classes: int
    vocab_size: int | None  # None: grey values, one real channel
    is_pair: bool
    synthesise: Callable[..., TaskData]  # our own generator
    load: Callable[..., TaskData]  # from the folder of the official files
    official: str  # what that folder is

    @property
    def module(self) -> type[nn.Module]:
        """Network for one sequence, or for a pair."""
        return PairPredictor if self.is_pair else SequencePredictor

    @property
    def reads(self) -> dict[str, int]:
        """Arguments of the network that say what it reads."""
        return {"n_channels": 1} if self.vocab_size is None else {"vocab_size": self.vocab_size}


# Classes of each task: Tay et al. 2021 (arXiv:2011.04006), section 2.2.
TASKS = {
    "listops": Task(
        "value of nested operations on digits",
        10,
        listops.VOCAB_SIZE,
        False,
        listops.synthesise,
        listops.load,
        "listops-1000, with basic_train.tsv, basic_val.tsv and basic_test.tsv",
    ),
    "text": Task(
        "good or bad review, byte by byte",
        2,
        text.VOCAB_SIZE,
        False,
        text.synthesise,
        text.load,
        "aclImdb, with train/pos and so on",
    ),
    "retrieval": Task(
        "do two documents belong together, byte by byte",
        2,
        retrieval.VOCAB_SIZE,
        True,
        retrieval.synthesise,
        retrieval.load,
        "tsv_data, with new_aan_pairs.train.tsv and so on",
    ),
    "pathfinder": Task(
        "are two dots joined by a dashed path, pixel by pixel",
        2,
        None,
        False,
        pathfinder.synthesise,
        pathfinder.load,
        "pathfinder32/curv_contour_length_14, with imgs and metadata",
    ),
}

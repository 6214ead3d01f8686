import numpy as np
import pytest
import torch

from klforecast.evaluation.studies.classifier_heads import HEADS, Task, compare, halved, table


def places(n, seed):
    """White noise with a part of larger variance, early or late."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    values = rng.normal(size=(n, 1, 100))
    for row, label in zip(values, labels, strict=True):
        row[:, 20 + 40 * label : 40 + 40 * label] *= 3
    return list(torch.from_numpy(values)), torch.from_numpy(labels)


def test_every_choice_of_heads_answers_the_same_series():
    rows = compare(Task("places", *places(40, 0), *places(60, 1)), seed=0)
    assert [row["heads"] for row in rows] == list(HEADS)
    assert all(row["n_test"] == 60 for row in rows)
    ridge, _, _, both = (row["log_loss"] for row in rows)
    assert both < 0.7 * ridge
    assert table(rows).row_count == len(HEADS)


@pytest.mark.parametrize("name", ["ArrowHead", "JapaneseVowels"])
def test_half_of_each_class_of_the_training_part_is_learned_from(name):
    task = halved(name, 0)
    known, new = task.labels.bincount(), task.new_labels.bincount()
    assert set((known - new).tolist()) <= {0, 1}
    again = halved(name, 0)
    assert torch.equal(again.series[0], task.series[0])
    assert not torch.equal(halved(name, 1).series[0], task.series[0])

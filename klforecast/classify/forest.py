"""Extremely randomised trees, grown by scikit-learn and kept as plain numbers.

The rows are dealt out to five folds, of each class as many to each, and a fifth of the trees is
grown without each fold. A split is the best of random thresholds on a random share of the features
(Geurts, Ernst & Wehenkel 2006). All trees answer for new rows, and for a training row those that have
not seen it. Trees on rows drawn with repetition, the usual way to have such, err more: see
docs/method/spectral_ssm.md. Kept are arrays over all nodes, so that a forest is saved as numbers and answers
in a few gathers for each level.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from torch import Tensor

from klforecast.ops.arrays import to_tensor

_TREES_OF_FOLD = 40  # 200 in all, as in QUANT
_FOLDS = 5  # with eight, 25 trees answer for a row, and their answer varies more
N_TREES = _FOLDS * _TREES_OF_FOLD
_SHARE = 0.1  # of the features, at each split; as in QUANT, where half of them are noise
_MOST_TRIED = 1.3e9  # rows times features tried times depth times trees: ten seconds of one core
_LEAST_TRIED = 10  # features at a split, however many rows
_ROWS_AT_ONCE = 500  # that are answered at a time


class Forest(NamedTuple):
    """Nodes of all trees, one after the other; children stand after their parents.

    Attributes
    ----------
    roots : Tensor (trees,)
        Where each tree starts.
    feature : Tensor (nodes,)
        Which one a node asks for; negative at a leaf.
    threshold : Tensor (nodes,)
        Rows up to it go left.
    left, right : Tensor (nodes,)
        Children.
    value : Tensor (nodes, outputs)
        Of a leaf: shares of the classes, or the mean of the target.
    """

    roots: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor

    def check_parts(self) -> None:
        """Raise a ValueError unless every tree ends in leaves; for forests read from a file."""
        nodes = torch.arange(len(self.feature))
        inner = self.feature >= 0
        children = torch.cat([self.left[inner] - nodes[inner], self.right[inner] - nodes[inner]])
        within = [self.roots, self.left[inner], self.right[inner]]
        if (children <= 0).any() or any(
            len(part) and (part.min() < 0 or part.max() >= len(nodes)) for part in within
        ):
            raise ValueError("a tree leads back or out of its forest")


def grow_forest(
    features: Tensor,  # (n, features), float32
    targets: Tensor,  # (n,), classes from 0, or numbers
    *,
    n_classes: int | None,
    seed: int,
    weights: Tensor | None = None,  # (n,)
    n_jobs: int | None = None,
) -> tuple[Forest, Tensor]:  # (n, outputs), answers of trees that have not seen the row
    """Grow a forest; O(trees n log n) times the features tried at a split.

    Parameters
    ----------
    features, targets : Tensor
        Rows to learn from; every class has a row.
    n_classes : int or None
        Split by entropy, and answer with shares of the classes; None: by squared error.
    weights : Tensor or None, default=None
        What each row counts for in a split and a leaf; None: one.
    seed : int
        Decides all that is drawn; `n_jobs`, which counts processors, changes nothing.

    Notes
    -----
    The only row of its class belongs to no fold, since without it a tree would not know the class;
    its answer is that of a tree that knows nothing.
    """
    n, width = features.shape
    work = N_TREES * n * np.log2(n + 1)
    options: dict[str, Any] = {
        "n_estimators": _TREES_OF_FOLD,
        "max_features": max(1, int(min(_SHARE * width, max(_LEAST_TRIED, _MOST_TRIED / work)))),
        "n_jobs": n_jobs,
    }
    folds = deal(torch.zeros(n, dtype=torch.long) if n_classes is None else targets, seed)
    start = float(targets.mean()) if n_classes is None else 1 / n_classes
    unseen = torch.full((n, n_classes or 1), start, dtype=torch.float64)
    trees = []
    for fold in range(_FOLDS):
        kept, out = folds != fold, folds == fold
        if n_classes is None:
            model = ExtraTreesRegressor(random_state=seed + fold, **options)
        else:
            model = ExtraTreesClassifier(criterion="entropy", random_state=seed + fold, **options)
        model.fit(
            features[kept].numpy(),
            targets[kept].numpy(),
            sample_weight=None if weights is None else weights[kept].numpy(),
        )
        grown = _joined([tree.tree_ for tree in model.estimators_])
        if out.any():
            unseen[out] = answer(grown, features[out])
        trees += [tree.tree_ for tree in model.estimators_]
    return _joined(trees), unseen


def deal(
    groups: Tensor,  # (n,), integers from 0
    seed: int,
) -> Tensor:  # (n,), fold of each row, -1 for none
    """Deal rows out to folds at random, so that each has as many of a group as the others.

    Examples
    --------
    >>> folds = deal(torch.tensor([0] * 10 + [1] * 5 + [2]), seed=0)
    >>> folds[:10].bincount().tolist(), folds[10:15].bincount().tolist(), int(folds[15])
    ([2, 2, 2, 2, 2], [1, 1, 1, 1, 1], -1)
    """
    generator = torch.Generator().manual_seed(seed)
    folds = torch.full((len(groups),), -1)
    dealt = 0
    for group in groups.unique():
        members = torch.nonzero(groups == group)[:, 0]
        if len(members) > 1:
            order = torch.randperm(len(members), generator=generator)
            folds[members[order]] = (dealt + torch.arange(len(members))) % _FOLDS
            dealt += len(members)
    return folds


def answer(
    forest: Forest,
    features: Tensor,  # (n, features), float32
) -> Tensor:  # (n, outputs)
    """Mean answer of the trees."""
    return torch.cat([_some(forest, part) for part in features.split(_ROWS_AT_ONCE)])


def _some(forest: Forest, features: Tensor) -> Tensor:
    rows = torch.arange(len(features))
    node = forest.roots[:, None].expand(-1, len(features))
    asked = forest.feature[node]
    while (asked >= 0).any():
        inner = asked >= 0
        goes_left = features[rows, asked.clamp(min=0)] <= forest.threshold[node]
        child = torch.where(goes_left, forest.left[node], forest.right[node])
        node = torch.where(inner, child, node)
        asked = forest.feature[node]
    return torch.stack([forest.value[places].double().mean(0) for places in node.T])


def _joined(trees: Sequence[Any]) -> Forest:
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    shifted = list(zip(trees, starts, strict=True))
    return Forest(
        roots=to_tensor(starts),
        feature=_column([tree.feature for tree in trees], np.int32),
        threshold=_column([tree.threshold for tree in trees], np.float64),
        left=_column([tree.children_left + start for tree, start in shifted], np.int32),
        right=_column([tree.children_right + start for tree, start in shifted], np.int32),
        value=_column([tree.value[:, 0] for tree in trees], np.float32),
    )


def _column(parts: Sequence[np.ndarray], dtype: type) -> Tensor:
    return to_tensor(np.concatenate(parts).astype(dtype))

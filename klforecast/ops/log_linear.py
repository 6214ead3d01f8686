"""Weights of several scores under which the answers are most likely: a log-linear opinion pool.

    p(x) = softmax(sum_h a_h s_h(x))
    a    = argmin mean cross-entropy of p + sum_h pull_h a_h^2, with a_h >= floor_h

The loss is convex in a, so that there is one answer whatever the start. Steps are Newton's on the
weights that are free to move, cut at the floors (Bertsekas 1982, SIAM J. Control Optim. 20(2)).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# Newton's steps double the digits; five to ten are usual, and flat losses of separable rows take more.
_MOST_STEPS = 60
_HALVINGS = 30  # of a step, to a billionth of it
_ENOUGH = 1e-9  # of the loss, which is of the order of one: no answer depends on less


def log_linear_weights(
    scores: Tensor,  # (heads, n, classes)
    targets: Tensor,  # (n, classes), they sum to one
    weights: Tensor,  # (n,)
    floors: Sequence[float],
    pulls: Sequence[float],
) -> Tensor:  # (heads,)
    """Find the weights of the heads by maximum likelihood; O(heads^2 n classes) a step.

    Parameters
    ----------
    scores : Tensor (heads, n, classes)
        Logits by each head, for rows that it has not seen.
    targets : Tensor (n, classes)
        Probabilities that are wanted.
    weights : Tensor (n,)
        Weight of each row in the loss.
    floors : sequence of float
        Least weight of each head.
    pulls : sequence of float
        How strongly each weight is drawn towards zero.

    Returns
    -------
    Tensor (heads,)

    Examples
    --------
    The second head says the contrary of the truth:

    >>> truth = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    >>> wanted = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
    >>> log_linear_weights(torch.stack([truth, -truth]), wanted, torch.ones(2), (0, 0), (0, 0))
    tensor([1.0986, 0.0000], dtype=torch.float64)
    """
    scores, weights = scores.double(), weights.double() / weights.sum()
    least = torch.tensor(floors, dtype=torch.float64)
    pull = torch.tensor(pulls, dtype=torch.float64)
    found = least + 1 / len(least)
    loss = _loss(found, scores, targets, weights, pull)
    for _ in range(_MOST_STEPS):
        slope, curvature = _derivatives(found, scores, targets, weights, pull)
        free = (found > least) | (slope < 0)
        step = torch.zeros_like(found)
        step[free] = torch.linalg.solve(curvature[free][:, free], slope[free])
        for halving in range(_HALVINGS):
            moved = torch.maximum(found - step / 2**halving, least)
            after = _loss(moved, scores, targets, weights, pull)
            if after < loss:
                break
        else:
            return found
        gained, found, loss = loss - after, moved, after
        if gained < _ENOUGH:
            return found
    return found


def _loss(found: Tensor, scores: Tensor, targets: Tensor, weights: Tensor, pull: Tensor) -> float:
    logits = torch.einsum("h,hnk->nk", found, scores)
    losses = F.cross_entropy(logits, targets, reduction="none")
    return float(weights @ losses + pull @ found.square())


def _derivatives(
    found: Tensor, scores: Tensor, targets: Tensor, weights: Tensor, pull: Tensor
) -> tuple[Tensor, Tensor]:  # (heads,), (heads, heads)
    probabilities = torch.einsum("h,hnk->nk", found, scores).softmax(1)
    slope = torch.einsum("n,nk,hnk->h", weights, probabilities - targets, scores)
    centred = scores - torch.einsum("nk,hnk->hn", probabilities, scores)[..., None]
    curvature = torch.einsum("n,nk,hnk,gnk->hg", weights, probabilities, centred, centred)
    # A head without variance has no curvature, and two that agree have one between them.
    ridge = 1e-9 * (1 + curvature.diagonal().mean())
    return slope + 2 * pull * found, curvature + torch.diag(2 * pull + ridge)

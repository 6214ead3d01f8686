"""How much wider than its past errors a forecast has to be told, where these have grown or are few.

Errors that have grown from part to part of time:

    log a_k = a + b k + noise                          a_k: mean |z - m| in run k of K runs of time, k = 0 ... K - 1
    w       = exp((K + 1) / 2  max(0, b - t s_b))      s_b: standard error of the slope b; w < 1.1 counts as 1, w <= 2
    z      -> m + w (z - m)                            z: score of a window at a step, m: median over windows

Quantiles are read from the scores of all runs, whose middle is (K + 1) / 2 runs before the next one. Scores whose size
has no trend have no slope to speak of. Those of a series that outgrows what its scale knows of, such as sales that grow
by a tenth every year, are larger in every run than before, and will be so in the next one. w is the lower end of a
confidence interval of that growth, so that chance widens little; it never narrows. b is that of the channel by itself
or that of the mean over all channels, whichever says more: five runs of one channel see little.

Errors far ahead, of which there are few that are independent:

    log a_h = a + g log h + noise     up to the last step k of at least 20 independent errors; g from 0 to 1/2
    z_h    -> z_h max(1, a_k (h / k)^g / a_h)^(1 - n_h / 20)                        for the steps h beyond it

Near steps have many independent errors, and how these grow, up to the square root of the steps of a random walk, says
how far a series may drift. a_k is that of the line. A few horizons that happened to be calm do not narrow this.

Letters   n windows in order of time, H horizon, C channels, K runs, a mean sizes, n_h independent errors at step h
"""

import scipy.stats
import torch
from torch import Tensor

_RUNS = 5  # as many as the blocks of time that errors out of fold come from
_CONFIDENCE = 0.95  # one-sided, as where columns of X are chosen
_REST = 1e-3  # of the mean size, below which a run counts as at rest, as for volatility
_MOST = 2.0  # further than twice the width five runs are not believed
_ENOUGH = 20.0  # independent errors that speak for themselves, as many as tell the two signs apart
_FEWEST_STEPS = 4  # that a slope over the logarithm of the step is read from
_RANDOM_WALK = 0.5  # growth of errors that add up, the most that is believed
_LEAST = 1.1  # less is what chance does to the slope over runs of a few independent horizons each


def widen_growing(scores: Tensor) -> Tensor:
    """Scores, their distance from the median of each step widened by `widening`; shape (n, H, C) as before."""
    median = scores.median(dim=0).values
    factor = widening(scores)
    return torch.where(factor > 1, median + factor * (scores - median), scores)


def widening(scores: Tensor) -> Tensor:
    """Factor by which quantiles of scores are to be widened, one for each channel.

    Parameters
    ----------
    scores : Tensor of shape (n, H, C)
        Scaled errors, in order of time or in a few blocks of time one after another.

    Returns
    -------
    Tensor of shape (C,)
        From 1 to 2; 1 for fewer windows than two for each run.

    Examples
    --------
    >>> import torch
    >>> growing = (-1.0) ** torch.arange(50) * 1.1 ** (torch.arange(50) // 10)
    >>> widening(growing[:, None, None].double()).round(decimals=2)
    tensor([1.3300], dtype=torch.float64)
    """
    n = len(scores)
    scores = scores - scores.median(dim=0).values
    if n < 2 * _RUNS:
        return scores.new_ones(scores.shape[2])
    size = scores.abs().mean(dim=1)
    run = torch.arange(n) * _RUNS // n
    means = torch.stack([size[run == k].mean(dim=0) for k in range(_RUNS)])
    tiny = torch.finfo(scores.dtype).tiny
    logarithm = means.clamp(min=_REST * means.mean(dim=0) + tiny).log()
    together = logarithm.mean(dim=1, keepdim=True)
    growth = torch.maximum(_least_slope(logarithm), _least_slope(together))
    factor = ((_RUNS + 1) / 2 * growth).exp().clamp(max=_MOST)
    return torch.where(factor < _LEAST, 1.0, factor)


def _least_slope(logarithm: Tensor) -> Tensor:  # (K, C) -> (C,)
    """Lower end of the confidence interval of the slope over the runs."""
    place = torch.arange(_RUNS, dtype=logarithm.dtype) - (_RUNS - 1) / 2
    spread = place.square().sum()
    slope = place @ logarithm / spread
    rest = logarithm - logarithm.mean(dim=0) - place[:, None] * slope
    error = (rest.square().sum(dim=0) / (_RUNS - 2) / spread).sqrt()
    return slope - float(scipy.stats.t.ppf(_CONFIDENCE, _RUNS - 2)) * error


def widen_far(scores: Tensor, independent: Tensor) -> Tensor:
    """Scores whose far steps are as wide, at least, as the growth over near steps says.

    Parameters
    ----------
    scores : Tensor of shape (n, H, C)
        Scaled errors around zero.
    independent : Tensor of shape (H,)
        Independent ones among them at each step, not increasing.

    Returns
    -------
    Tensor of shape (n, H, C)
        As they are where fewer than four steps have 20 independent errors, and where all have.

    Examples
    --------
    The last step was calm by chance, and one independent error does not speak against a random walk:

    >>> import torch
    >>> scores = torch.tensor([1.0, 2.0, 3.0, 4.0, 4.0]).sqrt()[None, :, None]
    >>> widen_far(scores, torch.tensor([80.0, 40.0, 27.0, 20.0, 1.0]))[0, :, 0].square().round(decimals=2)
    tensor([1.0000, 2.0000, 3.0000, 4.0000, 4.9400])
    """
    near = int((independent >= _ENOUGH).sum())
    if near < _FEWEST_STEPS or near == len(independent):
        return scores
    size = scores.abs().mean(dim=0)
    size = size.clamp(min=torch.finfo(scores.dtype).tiny)
    step = torch.arange(1, len(size) + 1, dtype=scores.dtype).log()
    place = step[:near] - step[:near].mean()
    logarithm = size[:near].log()
    growth = (place @ logarithm / place.square().sum()).clamp(0, _RANDOM_WALK)
    expected = logarithm.mean(dim=0) + growth * (step[near:] - step[:near].mean())[:, None]
    few = 1 - independent[near:, None] / _ENOUGH
    factor = (few * (expected - size[near:].log())).clamp(min=0).exp()
    return torch.cat([scores[:, :near], scores[:, near:] * factor], dim=1)

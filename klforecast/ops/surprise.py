"""How surprising the error of a forecast is, and when surprises of one sign add up to a change.

    rank     p = (1 + #{i : s_i >= s}) / (n + 1)
    tail     p = k / (n + 1) (1 + x(s) / v)^-(k - 1 - j)                        for s > u
             x(s) = log(s / u), heavy, or s - u, light
             v = sum of x(s_i) over the k - 1 - j smaller of the k - 1 scores above u,
                 and j times the largest of these

Conformal p-values of a score s among n scores of undisturbed rows (Vovk, Gammerman & Shafer 2005,
"Algorithmic Learning in a Random World", chapter 2): if all n + 1 are exchangeable, p <= a has a
probability of at most a. Ranks end at 1 / (n + 1). Beyond u, the k-th largest score, the tail is that
of a Pareto law (Hill 1975), or of an exponential one, whose rate is integrated out: x is exponential,
v a Gamma variable of k - 1 - j degrees (Epstein & Sobel 1953, "Life Testing"), and another x exceeds r v
with probability (1 + r)^-(k - 1 - j). The j largest count only as larger than the others, so that
outliers among the references do not hide new ones. Lighter tails than the law's give p-values that are
too large: fewer false alarms than stated, not more.

    bet      e(p) = integral over h in (0, 1) of h p^(h - 1) = (1 - p + p log p) / (p log(p)^2)
    sum      R_j = (1 + R_{j-1}) e(p_j)
    alarm    mean of R over the kinds of change, such as up and down, >= A

The bet is worth one on average or less whenever p is a p-value (Vovk, Nouretdinov & Gammerman 2003,
"Testing Exchangeability On-Line"), so the mean of R_j less j is a supermartingale, and with independent
p-values the first alarm takes A steps on average or more (Roberts 1966; Pollak 1985, "Optimal Detection of
a Change in Distribution").

Letters   n references, m scores, k references in the tail, j of them not measured, A average run length
"""

import torch
from torch import Tensor

# References in the tail: one of twenty, so that light tails are not taken for heavier ones than need be;
# ten where these are fewer, whose sum varies by a half; never more than one of five, since the middle of
# few scores says nothing of their tail.
_TAIL_SHARE, _TAIL, _LARGEST_SHARE = 20, 10, 5
_LEAST_TAIL = 3  # two of which are above the border, and one of these measured
_NOT_MEASURED = 3  # one of three in the tail, so that one row of sixty may be an outlier
_NO_BET = 0.999  # p-values from here on; e(1) = 1/2, which the formula has as 0 / 0


def surprise(scores: Tensor, references: Tensor, *, heavy: bool = True) -> Tensor:
    """P-values of scores among references: the probability of one as large or larger.

    Parameters
    ----------
    scores : Tensor of shape (m,)
        NaN for none.
    references : Tensor of shape (n,)
        Of undisturbed rows; NaN for none.
    heavy : bool, default=True
        Whether the tail of the references falls off as a power, else exponentially. A heavy one asks for
        scores that are not negative.

    Returns
    -------
    Tensor of shape (m,), float64
        NaN where the score is.

    Examples
    --------
    A score in the middle of ninety-nine, one between the second and the third, and one far above all:

    >>> import torch
    >>> references = torch.arange(1.0, 100.0)
    >>> surprise(torch.tensor([50.0, 97.5, 5000.0]), references)
    tensor([5.1000e-01, 3.5234e-02, 7.3330e-08], dtype=torch.float64)
    """
    scores = scores.double().contiguous()
    ordered = references[~references.isnan()].double().sort(descending=True).values
    n = len(ordered)
    # The references not below a score are counted from the other end.
    not_below = n - torch.searchsorted(ordered.flip(0), scores, side="left")
    p = (1 + not_below) / (n + 1)
    k = _tail_size(n)
    if k >= _LEAST_TAIL and (ordered[k - 1] > 0 or not heavy):
        border, j = ordered[k - 1], k // _NOT_MEASURED

        def beyond(values: Tensor) -> Tensor:
            return (values / border).log() if heavy else values - border

        excesses = beyond(ordered[j : k - 1])
        total = excesses.sum() + j * excesses[0]
        if total > 0:
            ratio = beyond(scores.clamp(min=border)) / total
            p = torch.where(scores > border, k / (n + 1) * (1 + ratio) ** (1 + j - k), p)
    return torch.where(scores.isnan(), scores, p)


def surprise_among(scores: Tensor, *, heavy: bool = True) -> Tensor:
    """P-values of scores, each among all the others.

    Parameters
    ----------
    scores : Tensor of shape (n,)
        NaN for none.
    heavy : bool, default=True
        As for `surprise`.

    Returns
    -------
    Tensor of shape (n,), float64

    Examples
    --------
    >>> import torch
    >>> surprise_among(torch.tensor([3.0, 1.0, 2.0, 4.0]))
    tensor([0.5000, 1.0000, 0.7500, 0.2500], dtype=torch.float64)
    """
    p = torch.full_like(scores, torch.nan, dtype=torch.float64)
    seen = (~scores.isnan()).nonzero()[:, 0]
    ascending, n = scores[seen].sort().values, len(seen)
    below = torch.searchsorted(ascending, scores[seen], side="left")
    p[seen] = (n - below).double() / n
    # Only scores of the tail, which are few, have a tail that is not that of all of them.
    for place in seen[scores[seen].argsort(descending=True)[: _tail_size(n) + 1]]:
        others = scores.clone()
        others[place] = torch.nan
        p[place] = surprise(scores[place : place + 1], others, heavy=heavy)[0]
    return p


def _tail_size(n: int) -> int:
    return min(max(_TAIL, n // _TAIL_SHARE), n // _LARGEST_SHARE)


def bet(p: Tensor) -> Tensor:
    """What a bet on small p-values pays; one on average, at most, if there is nothing to find.

    Examples
    --------
    >>> import torch
    >>> bet(torch.tensor([1.0, 0.1, 0.001])).round(decimals=2)
    tensor([ 0.5000,  1.2600, 20.7900])
    """
    p = p.clamp(min=torch.finfo(torch.float32).tiny)
    inside = p.clamp(max=_NO_BET)
    log = inside.log()
    return torch.where(p < _NO_BET, (1 - inside + inside * log) / (inside * log**2), 0.5)


def sequential_alarms(p: Tensor, run_length: float) -> Tensor:
    """Where surprises of one kind have added up to a change; each alarm starts anew.

    Parameters
    ----------
    p : Tensor of shape (m, K)
        P-values of K kinds, such as large and small scores, in order of time; NaN passes without a bet.
    run_length : float
        A, the steps between two false alarms on average, at least, whatever K is.

    Returns
    -------
    Tensor of shape (m,), int64
        At an alarm the kind that has the largest sum, -1 elsewhere.

    Examples
    --------
    >>> import torch
    >>> up, down = torch.tensor([0.5, 0.02, 0.01, 0.01]), torch.tensor([0.5, 1.0, 1.0, 1.0])
    >>> sequential_alarms(torch.stack([up, down], dim=1), run_length=30)
    tensor([-1, -1, -1,  0])
    """
    alarms = torch.full((len(p),), -1)
    sums = torch.zeros(p.shape[1], dtype=torch.float64)
    for step, bets in enumerate(bet(p.double())):
        # Without a bet a sum stays as it is.
        sums = torch.where(bets.isnan(), sums, (1 + sums) * bets)
        if sums.mean() >= run_length:
            alarms[step] = sums.argmax()
            sums = torch.zeros_like(sums)
    return alarms

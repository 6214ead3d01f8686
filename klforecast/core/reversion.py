"""How strongly the mean of a series pulls it back.

The rows are cut into K equal parts. Of their variance, the share that lies between the parts is

    s = 1 - (W / (n - K)) / (V / (n - 1))       W: squares about the means of the parts
                                                V: squares about the mean of all n rows

(adjusted R^2), 0 on average for noise and 1 - 1/K^2 for a long straight line. Of the variance of
long random walks 1 - 1/K lies there: a Brownian path of length T varies by T / 6 about its mean,
each part by T / 6K. The mean of a series that wanders attracts every stretch inside the sample and
nothing after it, so that stretches held out between others cannot tell; the share can.

A season is variance within the parts, so that a level that wanders beside one has a smaller share:
where there is a season, the weight falls earlier, and the far level is left to maps around the mean of
the window (`klforecast.core.experts.ridge`).
"""

import torch
from torch import Tensor

_N_PARTS = 5  # of time, as many as the blocks on which the experts are judged
# Shares at which the weight starts to fall and is gone. Without a season: half of the random walks lie below 0.75.
# Beside one, three pairs are equal within 0.3 % on domains left out (docs/method/weights.md); this is the gentlest.
_WITHOUT_SEASON = (0.7, 0.85)
_WITH_SEASON = (0.2, 0.7)


def variance_between_parts(rows: Tensor) -> Tensor:
    """Share of the variance of each channel that lies between fifths of the time.

    Parameters
    ----------
    rows : Tensor of shape (time, channels)
        Up to four at the start that do not fill the parts are left out.

    Returns
    -------
    Tensor of shape (channels,)
        At most 1; 0 for a constant and for fewer than ten rows, which say nothing.

    Examples
    --------
    >>> import torch
    >>> line = torch.arange(100.0)
    >>> wave = torch.sin(line * torch.pi / 5)
    >>> variance_between_parts(torch.stack([line, wave], dim=1)).round(decimals=2)
    tensor([ 0.9600, -0.0400])
    """
    length = len(rows) // _N_PARTS * _N_PARTS
    if length < 2 * _N_PARTS:
        return rows.new_zeros(rows.shape[1])
    parts = rows[len(rows) - length :].reshape(_N_PARTS, -1, rows.shape[1])
    total = parts.flatten(0, 1).var(dim=0)
    within = parts.var(dim=1).mean(dim=0)
    return torch.where(total > 0, 1 - within / total, 0.0)


def reversion_weight(share: Tensor, seasonal: bool) -> Tensor:
    """Weight of forecasts that return to the mean, from 1 for what does not wander to 0 for what does.

    Parameters
    ----------
    share : Tensor
        Of the variance that lies between fifths of the time.
    seasonal : bool
        Whether the series has a cycle: the weight then falls from a share of 0.2 to one of 0.7, else from 0.7 to 0.85.

    Returns
    -------
    Tensor
        Of the same shape.

    Examples
    --------
    >>> import torch
    >>> reversion_weight(torch.tensor([0.1, 0.45, 0.8]), seasonal=True)
    tensor([1.0000, 0.5000, 0.0000])
    >>> reversion_weight(torch.tensor([0.2, 0.775, 0.96]), seasonal=False)
    tensor([1.0000, 0.5000, 0.0000])
    """
    returns, wanders = _WITH_SEASON if seasonal else _WITHOUT_SEASON
    return ((wanders - share) / (wanders - returns)).clamp(0, 1)

"""How the errors of different steps and channels vary together: a Gaussian copula in Karhunen-Loeve coordinates.

    score         z_ihc = Phi^-1((rank of error i at step h and channel c - 1/2) / n),  to variance 1
    correlation   R = (1 - a) mean_ic z z' + a T                        T_hk = rho^|h - k|
    coordinates   y_ikc = sum_h V_hk z_ihc                              V: the leading modes of R
    between       S_k = D_k^1/2 ((1 - b) corr_k + b I) D_k^1/2          corr_k: of y_k over channels, D_k: its variances
    draw          z_hc = sum_k V_hk y_kc + what V leaves, to variance 1

Ranks have no margins: a path is the quantile of its step and channel at the level Phi(z). Modes are common to the
channels (Flury 1984, Journal of the American Statistical Association 79, 892-898), and each coordinate has its own
covariance between channels, since slow errors of two channels may have more in common than fast ones. Coordinates
are drawn apart from each other. What V leaves is white over steps, with a correlation between channels of its own.

a and b are the shares that lose least (Schafer & Strimmer 2005, doi:10.2202/1544-6115.1175),

    a = sum (1 - T^2)^2 / n_h / sum (R - T)^2                           b = the same of corr_k and T = I

with n_h the independent windows, not the overlapping ones: a short series has errors like those of an autoregression
of the first order, and channels on their own.

Beyond the horizon, step H + j is rho^j z_H + (1 - rho^2j)^1/2 z'_j with z' the next draw.

Letters   n windows, H horizon, C channels, K modes, P paths
"""

from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.linalg import safe_eigh

_MOST_MODES = (
    24  # a day of hours; with a share of 0.99 ETTm1 has 17 of 96 steps, weekly series 8 of 13
)
_SHARE = 0.99  # of the variance that the modes hold; the rest is white
_CORRELATED = 4096  # windows of all channels together: neighbours among more are nearly the same
_FEWEST_WINDOWS = 128  # of them for each channel, where channels are many
_MOST_CHANNELS = (
    128  # that have covariances: more would take longer than the fit, and a gigabyte from 3,000 on
)
_NOTHING = 1e-12  # beside variances of one
# Neighbouring errors of a random walk, one and two steps ahead, where a horizon of one step has no neighbours.
_RANDOM_WALK = 0.5**0.5


class JointErrors(NamedTuple):
    """What errors of one window have in common.

    Attributes
    ----------
    modes : Tensor of shape (H, K)
        Over the steps, in columns.
    between : Tensor of shape (K + 1, C, C)
        Covariance between channels of each coordinate, and of what the modes leave. Of more than 128
        channels variances alone, of shape (K + 1, C): these are drawn apart from each other.
    neighbour : Tensor of shape ()
        rho, the correlation of errors one step apart.
    """

    modes: Tensor
    between: Tensor
    neighbour: Tensor

    def check_parts(self) -> None:
        """Raise a ValueError if the shapes do not fit together."""
        apart = (self.modes.shape[-1] + 1, self.between.shape[-1])
        if self.modes.ndim != 2 or self.between.shape not in (apart, (*apart, apart[1])):
            raise ValueError(
                f"modes of shape {tuple(self.modes.shape)} do not go with covariances of shape "
                f"{tuple(self.between.shape)}; pass (H, K) and (K + 1, C, C)"
            )


def fit_joint_errors(scores: Tensor, independent: Tensor) -> JointErrors:
    """Learn how the errors of a window vary together.

    Parameters
    ----------
    scores : Tensor of shape (n, H, C)
        Errors in any units of their own for each step and channel.
    independent : Tensor of shape ()
        Windows among them that tell something new, at least 1.

    Returns
    -------
    JointErrors
        In float32.

    Notes
    -----
    O(n log n H C + 4096 H^2 + H^3 + K C^2 n).

    Examples
    --------
    Errors of a random walk:

    >>> import torch
    >>> steps = torch.randn(1000, 4, 1, generator=torch.Generator().manual_seed(0))
    >>> joint = fit_joint_errors(steps.cumsum(dim=1), torch.tensor(1000.0))
    >>> z = draw_normal_scores(joint, 4000, 4, torch.Generator().manual_seed(0))[..., 0]
    >>> torch.corrcoef(z.T)[0].round(decimals=1)
    tensor([1.0000, 0.7000, 0.6000, 0.4000])
    """
    z = _some_windows(_normal_scores(scores.double()))
    n, horizon, channels = z.shape
    flat = z.mT.reshape(n * channels, horizon)
    correlation = flat.T @ flat / len(flat)
    neighbour = (
        correlation.diagonal(1).mean().clamp(0, 1)
        if horizon > 1
        else correlation.new_tensor(_RANDOM_WALK)
    )
    apart = torch.arange(horizon, dtype=z.dtype)
    target = neighbour ** (apart[:, None] - apart).abs()
    shrink = _shrinkage(correlation, target, independent)
    shrunk = (1 - shrink) * correlation + shrink * target
    eigenvalues, modes = safe_eigh(shrunk)
    held = eigenvalues.cumsum(0) / eigenvalues.sum()
    kept = min(_MOST_MODES, int((held < _SHARE).sum()) + 1)
    modes = modes[:, :kept]
    coordinates = torch.einsum("hk,nhc->knc", modes, z)
    left = z - torch.einsum("hk,knc->nhc", modes, coordinates)
    between = [
        _between_channels(own, ((modes[:, place] @ target) @ modes[:, place]), shrink, independent)
        for place, own in enumerate(coordinates)
    ]
    between.append(
        _between_channels(left.flatten(0, 1), left.new_ones(()), left.new_ones(()), independent)
    )
    return JointErrors(modes.float(), torch.stack(between).float(), neighbour.float())


def draw_normal_scores(
    joint: JointErrors, n_paths: int, steps: int, generator: torch.Generator
) -> Tensor:
    """Draw paths of scores, each with the normal distribution at every step and channel.

    Parameters
    ----------
    joint : JointErrors
    n_paths : int
    steps : int
        Steps ahead; may exceed the horizon.
    generator : torch.Generator

    Returns
    -------
    Tensor of shape (n_paths, steps, C), float32
    """
    horizon = len(joint.modes)
    roots = _roots(joint.between)
    parts = [_draw(joint, roots, n_paths, generator)]
    for _ in range(horizon, steps, horizon):
        fresh = _draw(joint, roots, n_paths, generator)
        kept = (joint.neighbour ** torch.arange(1, horizon + 1))[:, None]
        parts.append(kept * parts[-1][:, -1:] + (1 - kept**2).sqrt() * fresh)
    return torch.cat(parts, dim=1)[:, :steps]


def _draw(
    joint: JointErrors, roots: Tensor, n_paths: int, generator: torch.Generator
) -> Tensor:  # (P, H, C)
    modes = joint.modes
    horizon, kept = modes.shape
    channels = roots.shape[-1]
    white = torch.randn(n_paths, kept, channels, generator=generator)
    coordinates = _coloured(white, roots[:-1])
    smooth = torch.einsum("hk,pkc->phc", modes, coordinates)
    # What is left of a variance of one is a root of rounding where nothing is: small in float64 alone.
    variance = modes.double() ** 2 @ _variances(joint.between)[:-1].double()
    rough = torch.randn(n_paths, horizon, channels, generator=generator)
    rough = _coloured(rough, roots[-1])
    left = (1 - variance).clamp(min=0).sqrt().float()
    return smooth.div_(variance.clamp(min=1).sqrt().float()).addcmul_(left, rough)


def _variances(between: Tensor) -> Tensor:  # (K + 1, C)
    return between if between.ndim == 2 else between.diagonal(dim1=1, dim2=2)


def _roots(between: Tensor) -> Tensor:
    if between.ndim == 2:
        return between.sqrt()
    values, vectors = torch.linalg.eigh(between.double())
    return (vectors * values.clamp(min=0).sqrt()[..., None, :]).float()


def _coloured(white: Tensor, roots: Tensor) -> Tensor:
    """White draws (P, k, C) with the covariances of their roots, (k, C, C) or (C, C); of many channels variances."""
    if white.shape[-1] > _MOST_CHANNELS:
        return white * roots
    return torch.einsum("pkd,...kcd->pkc" if roots.ndim == 3 else "pkd,cd->pkc", white, roots)


def _normal_scores(scores: Tensor) -> Tensor:
    """Ranks over the windows as quantiles of the normal distribution."""
    order = scores.argsort(dim=0)
    levels = (torch.arange(len(scores), dtype=scores.dtype) + 0.5) / len(scores)
    ordered = torch.special.ndtri(levels)[:, None, None].expand_as(scores)
    return torch.empty_like(scores).scatter_(0, order, ordered)


def _some_windows(z: Tensor) -> Tensor:
    """So many as tell something, with variance one at every step and channel."""
    most = max(_FEWEST_WINDOWS, _CORRELATED // z.shape[2])
    if len(z) > most:
        z = z[torch.linspace(0, len(z) - 1, most).long()]
    return z / z.square().mean(dim=0).clamp(min=_NOTHING).sqrt()


def _shrinkage(correlation: Tensor, target: Tensor, independent: Tensor) -> Tensor:
    """Share of the target in a correlation from so many windows that loses least, from 0 to 1."""
    noise = (1 - target**2).square().sum() / independent
    return (noise / (correlation - target).square().sum().clamp(min=_NOTHING)).clamp(max=1)


def _between_channels(
    values: Tensor,  # (m, C)
    expected: Tensor,  # variance where nothing was seen
    shrink: Tensor,
    independent: Tensor,
) -> Tensor:  # (C, C), or (C,) of many channels
    """Covariance between channels: variances and correlations, each shrunk."""
    seen = values.square().mean(dim=0)
    variance = (1 - shrink) * seen + shrink * expected
    if len(variance) > _MOST_CHANNELS:
        return variance
    unit = values / seen.clamp(min=_NOTHING).sqrt()
    correlation = unit.T @ unit / len(values)
    alone = torch.eye(values.shape[1], dtype=values.dtype)
    apart = _shrinkage(correlation, alone, independent)
    # The diagonal is known.
    correlation = torch.where(alone > 0, alone, (1 - apart) * correlation)
    return variance.outer(variance).sqrt() * correlation

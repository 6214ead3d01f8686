"""Decompositions whose eigenvalues are known from the literature."""

import math
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.kl import empirical_kl, kernel_kl
from klforecast.ops.linalg import fix_signs


def projector(modes):
    return modes @ modes.mT


def bisect(function, low, high):
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(low) * function(middle) > 0 else (low, middle)
    return middle


def test_centred_brownian_motion_has_cosine_modes():
    # Columns of ones from step t on are the increments of a random walk: H H' = min(i, j). Centred
    # over time, Brownian motion has eigenvalues 1 / (k pi)**2 and modes cos(k pi t).
    n = 400
    walk = torch.ones(n, n, dtype=torch.float64).tril() / math.sqrt(n)
    eigenvalues, modes = empirical_kl(walk, 5)
    k = torch.arange(1, 6, dtype=torch.float64)
    t = (torch.arange(n, dtype=torch.float64)[:, None] + 0.5) / n
    assert_close(eigenvalues, 1 / (k * math.pi) ** 2, rtol=1e-3, atol=0)
    assert_close(modes, fix_signs(math.sqrt(2 / n) * torch.cos(k * math.pi * t)), rtol=0, atol=1e-3)


def test_a_sum_of_sines_has_two_modes_per_frequency_with_known_variance():
    # Whole periods, random phases: each frequency of amplitude a spans sin and cos, and the two
    # eigenvalues of the pair add up to d a**2 / 2.
    T, d = 240, 60
    phases = 2 * math.pi * torch.rand(2, d, generator=torch.Generator().manual_seed(3)).double()
    t = torch.arange(T, dtype=torch.float64)[:, None]
    slow = 3 * torch.sin(2 * math.pi * 2 * t / T + phases[0])
    fast = 1 * torch.sin(2 * math.pi * 7 * t / T + phases[1])
    eigenvalues, modes = empirical_kl(slow + fast, 6)
    assert_close(eigenvalues[:4].sum(), torch.tensor(d * (9 + 1) / 2, dtype=torch.float64))
    assert_close(eigenvalues[4:], torch.zeros(2, dtype=torch.float64), rtol=0, atol=0)
    waves = [f(2 * math.pi * n * t / T) for n in (2, 7) for f in (torch.sin, torch.cos)]
    assert_close(projector(modes[:, :4]), projector(torch.cat(waves, dim=1) / math.sqrt(T / 2)))


def exponential_eigenvalues(c, n_components):
    # On [0, 1] the kernel exp(-c |s - t|) has eigenvalues 2 c / (w**2 + c**2), with w the roots of
    # c = w tan(w / 2) for even and w = -c tan(w / 2) for odd modes (Ghanem & Spanos 1991, 2.3.3).
    # Multiplied by the cosine, both are free of poles, and their roots take turns.
    roots = []
    for n in range(n_components):
        low, high = n * math.pi + 1e-9, (n + 1) * math.pi - 1e-9
        if n % 2 == 0:
            roots.append(bisect(lambda w: c * math.cos(w / 2) - w * math.sin(w / 2), low, high))
        else:
            roots.append(bisect(lambda w: w * math.cos(w / 2) + c * math.sin(w / 2), low, high))
    return torch.tensor([2 * c / (w**2 + c**2) for w in roots], dtype=torch.float64)


@pytest.mark.parametrize("c", [0.5, 1.0, 5.0])
def test_the_exponential_kernel_solves_its_transcendental_equation(c):
    T = 800
    eigenvalues, _ = kernel_kl(T, 6, kernel="exponential", tau=T / c)
    assert_close(eigenvalues, exponential_eigenvalues(c, 6), rtol=1e-3, atol=0)


def test_an_autoregression_has_the_spectrum_of_its_exponential_kernel():
    # The eigenvalues of rho**|i - j| are values of the AR(1) spectral density, at the T frequencies
    # in (0, pi) that solve one equation (Kac, Murdock & Szego 1953, J. Rational Mech. Anal. 2).
    T, rho = 50, 0.9

    def characteristic(w):
        return math.sin((T + 1) * w) - 2 * rho * math.sin(T * w) + rho**2 * math.sin((T - 1) * w)

    # Fine enough to tell the roots apart, which are about pi / T from each other.
    grid = torch.linspace(1e-6, math.pi - 1e-6, 20_001, dtype=torch.float64).tolist()
    brackets = [
        (low, high)
        for low, high in pairwise(grid)
        if characteristic(low) * characteristic(high) < 0
    ]
    frequencies = [bisect(characteristic, *bracket) for bracket in brackets]
    density = [(1 - rho**2) / (1 - 2 * rho * math.cos(w) + rho**2) for w in frequencies]
    eigenvalues, _ = kernel_kl(T, T, kernel="exponential", tau=-1 / math.log(rho), measure=1.0)
    assert_close(eigenvalues, torch.tensor(density, dtype=torch.float64), rtol=1e-6, atol=1e-9)

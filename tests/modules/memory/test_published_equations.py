"""Every published variant against its equations, written out in numpy, one number at a time.

Marquez 2025, The Spectrum Remembers: Spectral Memory. A summary of each batch is a row of H; then

    Hc = H less its mean,  C = Hc Hc' / T   or   K_ij = tau / (T - 1) k(|i - j| / tau)
    C Psi = Psi L,  C_KL = sqrt(L) Psi' Hc   (or Psi' Hc),  tokens = LayerNorm(f(C_KL))
"""

import math

import numpy as np
import pytest
import torch

from klforecast.modules.memory.kl_memory import STRATEGIES, WRITERS, KLMemory
from klforecast.modules.memory.presets import PRESETS
from klforecast.modules.memory.token_mixers import TOKEN_MIXERS
from klforecast.ops import kernels

D, T, K = 4, 11, 3
KERNELS = {
    "exponential": lambda r: math.exp(-r),
    "gaussian": lambda r: math.exp(-(r**2) / 2),
    "matern": lambda r: (1 + r) * math.exp(-r),
    "matern32": lambda r: (1 + math.sqrt(3) * r) * math.exp(-math.sqrt(3) * r),
}


def batches():
    generator = torch.Generator().manual_seed(4)
    return torch.randn(T, 2, 5, D, generator=generator, dtype=torch.float64).cumsum(dim=0)


def written(**options):
    torch.manual_seed(0)
    sizes = {"source": "trajectory", "memory_depth": 50, "n_components": K}
    memory = KLMemory(D, **options | sizes).double().eval()
    for batch in batches():
        memory.append(batch)
    memory.freeze()
    return memory


def summary(memory, batch):
    """One row: states of each sequence by a softmax over its steps, or equally, and the mean over the batch."""
    rows = []
    for sequence in batch.numpy():
        scores = np.zeros(len(sequence))
        if memory.writer == "attention":
            weight, bias = (part.detach().numpy() for part in memory.score.parameters())
            scores = np.array([state @ weight[0] + bias[0] for state in sequence])
        share = np.exp(scores) / np.exp(scores).sum()
        rows.append(sum(a * state for a, state in zip(share, sequence, strict=True)))
    return sum(rows) / len(rows)


def history(memory):
    return np.array([summary(memory, batch) for batch in batches()])


def centred(H):
    return H - sum(H) / len(H)


def empirical(H):
    Hc = centred(H)
    return [[sum(a * b for a, b in zip(x, y, strict=True)) / len(H) for y in Hc] for x in Hc]


def directions(H):
    N = [row / math.sqrt(sum(row**2)) for row in H]
    return [[sum(a * b for a, b in zip(x, y, strict=True)) / len(H) for y in N] for x in N]


def kernel_covariance(H, kernel, tau, weight):
    n = len(H)
    return [[weight * KERNELS[kernel](abs(i - j) / tau) for j in range(n)] for i in range(n)]


def kl_components(covariance, H, scale):
    values, vectors = np.linalg.eigh(np.array(covariance))
    rows = []
    for k in np.argsort(values)[::-1][:K]:
        row = sum(vectors[i, k] * H[i] for i in range(len(H)))
        rows.append(math.sqrt(values[k]) * row if scale else row)
    return np.array(rows)


def assert_equal_up_to_sign(ours, theirs):
    """Eigenvectors have no sign of their own."""
    for mine, other in zip(ours.numpy(), theirs, strict=True):
        side = 1.0 if mine @ other > 0 else -1.0
        np.testing.assert_allclose(mine, side * other, rtol=1e-8, atol=1e-8)


def test_every_kernel_strategy_writer_and_mixer_is_held_to_an_equation_here():
    assert set(KERNELS) == set(kernels.KERNELS)
    assert set(STRATEGIES) == {"empirical", "kernel", "feature"}
    assert {preset["writer"] for preset in PRESETS.values()} == set(WRITERS)
    assert {preset["token_mixer"] for preset in PRESETS.values()} == set(TOKEN_MIXERS)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("scale", [True, False])
def test_empirical_components(writer, scale):
    memory = written(writer=writer, scale_by_eigenvalue=scale)
    H = history(memory)
    assert_equal_up_to_sign(memory.store.components, kl_components(empirical(H), centred(H), scale))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("measure", ["interval", "unit"])
def test_components_under_a_kernel(kernel, center, measure):
    options = {"strategy": "kernel", "kernel": kernel, "tau": 6.0}
    memory = written(**options, center=center, measure=measure)
    H = history(memory)
    weight = 6.0 / (T - 1) if measure == "interval" else 1 / T
    covariance = kernel_covariance(H, kernel, 6.0, weight)
    theirs = kl_components(covariance, centred(H) if center else H, scale=True)
    assert_equal_up_to_sign(memory.store.components, theirs)


def test_the_papers_kernel_is_centred_and_measured_in_tau():
    H = history(written())
    theirs = kl_components(
        kernel_covariance(H, "exponential", 64.0, 64.0 / (T - 1)), centred(H), scale=True
    )
    assert_equal_up_to_sign(written(strategy="kernel").store.components, theirs)


def test_components_of_similar_directions():
    memory = written(strategy="feature")
    H = history(memory)
    assert_equal_up_to_sign(memory.store.components, kl_components(directions(H), H, scale=True))


def gelu(x):
    return np.array([value * 0.5 * (1 + math.erf(value / math.sqrt(2))) for value in x])


def affine(layer, x):
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return (
        np.array([sum(w * value for w, value in zip(row, x, strict=True)) for row in weight]) + bias
    )


def mixed(memory, components, name):
    mixer = memory.token_mixer
    if name != "factorized":
        flat = affine(mixer.layers[3], gelu(affine(mixer.layers[0], components.reshape(-1))))
        return flat.reshape(-1, D)
    within = np.array(
        [affine(mixer.within[3], gelu(affine(mixer.within[0], c))) for c in components]
    )
    return np.array([affine(mixer.across, within[:, feature]) for feature in range(D)]).T


def normalised(memory, token):
    mean = sum(token) / D
    deviation = math.sqrt(sum((token - mean) ** 2) / D + memory.norm.eps)
    weight, bias = memory.norm.weight.detach().numpy(), memory.norm.bias.detach().numpy()
    return (token - mean) / deviation * weight + bias


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_its_equations_from_states_to_tokens(preset):
    options = PRESETS[preset]
    memory = written(**options)
    H = history(memory)
    kernel = options["strategy"] == "kernel"
    covariance = (
        kernel_covariance(H, "exponential", 96.0, 96.0 / (T - 1)) if kernel else empirical(H)
    )
    theirs = kl_components(covariance, centred(H), options["scale_by_eigenvalue"])
    ours = memory.store.components
    assert_equal_up_to_sign(ours, theirs)
    tokens = mixed(memory, ours.numpy(), options["token_mixer"])
    expected = np.array([normalised(memory, token) for token in tokens])
    read = memory(torch.zeros(1, 1, D, dtype=torch.float64))[0].detach().numpy()
    np.testing.assert_allclose(read, expected, rtol=1e-8, atol=1e-8)

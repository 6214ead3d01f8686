import hashlib
from dataclasses import fields

import pytest
import torch

from klforecast.core.linear_core import LinearCore
from klforecast.core.solve import Solved
from klforecast.training.fit import fit_encoder_net
from klforecast.training.options import EncoderOptions, TrainingOptions

HORIZON = 6
ENCODER_NAMES = {field.name for field in fields(EncoderOptions)}

ENCODER = {
    "input_length": 12,
    "memory_depth": 32,
    "row_length": 5,
    "n_components": 3,
    "memory_tokens": 2,
    "d_model": 8,
    "n_layers": 1,
    "n_heads": 2,
    "patch_length": 4,
    "max_epochs": 2,
    "lr": 3e-2,
    "random_state": 0,
}


@pytest.fixture(scope="session")
def make_series():
    """Two channels with a cycle of 5 steps and a shape that no linear map of the past follows."""

    def make(n=260, seed=0):
        generator = torch.Generator().manual_seed(seed)
        steps = torch.arange(n, dtype=torch.float64)
        cycle = torch.sin(2 * torch.pi * steps / 5) * (1 + torch.sin(2 * torch.pi * steps / 41))
        noise = 0.1 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
        return torch.stack([cycle, cycle.abs()], dim=1) + noise

    return make


def solve_ridge(panel):
    length = 10 + HORIZON
    long = [series.double() for series in panel if len(series) >= length]
    windows = torch.cat([series.unfold(0, length, 1).flatten(0, 1) for series in long])
    past, future = windows[:, :10], windows[:, 10:]
    gram = past.T @ past + torch.eye(10, dtype=torch.float64)
    weight = torch.linalg.solve(gram, past.T @ future).T
    core = LinearCore(torch.zeros(0, 0), weight[None].float(), torch.zeros(1, HORIZON))
    return Solved(core, None)


@pytest.fixture(scope="session")
def solve():
    """Ridge from the last 10 steps, one map for all channels."""
    return solve_ridge


@pytest.fixture(scope="session")
def fit_small():
    """Fit a small encoder net in a fraction of a second."""

    def fit(panel, solve=solve_ridge, **options):
        options = ENCODER | options
        encoder = {name: options.pop(name) for name in ENCODER_NAMES & options.keys()}
        return fit_encoder_net(
            panel,
            HORIZON,
            solved=solve and solve(panel),
            solve=solve,
            encoder=EncoderOptions(**encoder),
            training=TrainingOptions(**options),
        ).net

    return fit


@pytest.fixture(scope="session")
def digest():
    """Hash of every parameter and buffer of a module."""

    def hash_tensors(module):
        summary = hashlib.sha256()
        for name, tensor in sorted(module.state_dict().items()):
            summary.update(name.encode() + tensor.cpu().numpy().tobytes())
        return summary.hexdigest()

    return hash_tensors


@pytest.fixture
def panel(make_series):
    return [make_series()]

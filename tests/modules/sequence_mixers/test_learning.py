"""What a mixer can learn: parity needs negative eigenvalues, recall a memory that is written by content.

Parity is asked of every mixer. Recall is not asked of GRU, LSTM and Mamba, which hold some pairs.
"""

import pytest
import torch
from torch import nn

from klforecast.modules import sequence_mixers as mixers


class Tagger(nn.Module):
    """One mixer between an embedding and a small head."""

    def __init__(self, mixer, n_in, n_out, d_model):
        super().__init__()
        self.embed, self.mixer = nn.Linear(n_in, d_model), mixer
        self.head = nn.Sequential(
            nn.LayerNorm(d_model), nn.Linear(d_model, 32), nn.GELU(), nn.Linear(32, n_out)
        )

    def forward(self, x):
        x = self.embed(x)
        return self.head(x + self.mixer(x)[0])


def train(model, draw, steps, lr):
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        x, y = draw()
        loss = nn.functional.cross_entropy(model(x)[:, -y.shape[1] :].flatten(0, 1), y.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


@torch.no_grad()
def accuracy(model, x, y):
    return (model(x)[:, -y.shape[1] :].argmax(dim=-1) == y).double().mean().item()


def parity(n, length):
    bits = torch.randint(0, 2, (n, length))
    return nn.functional.one_hot(bits, 2).float(), bits.cumsum(dim=1) % 2


@pytest.mark.parametrize(
    ("build", "steps", "learns"),
    [
        (lambda d: mixers.DeltaNet(d, 2, reflections=2), 200, True),
        (lambda d: mixers.DeltaNet(d, 2), 400, True),
        (lambda d: mixers.Mamba(d, negative_eigenvalues=True), 800, True),
        (lambda d: mixers.Recurrent(d, "gru"), 400, True),
        (lambda d: mixers.Recurrent(d, "lstm"), 400, True),
        (lambda d: mixers.DeltaNet(d, 2, negative_eigenvalues=False), 400, False),
        (lambda d: mixers.LinearAttention(d, 2), 200, False),
        (lambda d: mixers.MLSTM(d, 2), 200, False),
        (lambda d: mixers.SigmoidMLSTM(d, 2), 200, False),
        (lambda d: mixers.MixtureOfMemories(d, 2), 200, False),
        (lambda d: mixers.LightNet(d, 2), 200, False),
        (lambda d: mixers.GatedKalmaNet(d, 2), 200, False),
        (mixers.Mamba, 200, False),
        (mixers.S4D, 200, False),
        (mixers.LSSL, 200, False),
        (lambda d: mixers.SpaceTime(d, 4), 200, False),
        (lambda d: mixers.SpectralMixer(d, 2), 200, False),
    ],
    ids=[
        "deltaproduct",
        "deltanet",
        "mamba with negative eigenvalues",
        "gru",
        "lstm",
        "positive deltanet",
        "linear attention",
        "mlstm",
        "mlstm with a sigmoid gate",
        "mixture of memories",
        "lightnet",
        "gated kalmanet",
        "mamba",
        "s4d",
        "lssl",
        "spacetime",
        "spectral",
    ],
)
def test_parity_beyond_the_trained_length_needs_a_state_that_flips(build, steps, learns):
    torch.manual_seed(0)
    model = Tagger(build(16), 2, 2, 16)
    train(model, lambda: parity(32, int(torch.randint(2, 13, ()))), steps, lr=1e-2)
    x, y = parity(256, 40)
    found = accuracy(model, x, y[:, -8:])
    assert found > 0.95 if learns else found < 0.65


def recall(n, pairs=8, n_keys=12, n_values=4):
    """Pairs of key and value, then every key again in another order: name its value."""
    keys = torch.rand(n, n_keys).argsort(dim=1)[:, :pairs]
    values = torch.randint(0, n_values, (n, pairs))
    order = torch.rand(n, pairs).argsort(dim=1)
    one_hot = nn.functional.one_hot
    shown = torch.cat([one_hot(keys, n_keys), one_hot(values, n_values)], dim=2)
    asked = nn.functional.pad(one_hot(keys.gather(1, order), n_keys), (0, n_values))
    return torch.cat([shown, asked], dim=1).float(), values.gather(1, order)


@pytest.mark.parametrize(
    ("build", "learns"),
    [
        (lambda d: mixers.DeltaNet(d, 1), True),
        (lambda d: mixers.DeltaNet(d, 1, reflections=2), True),
        (lambda d: mixers.LinearAttention(d, 2), True),
        (lambda d: mixers.MLSTM(d, 1), True),
        (lambda d: mixers.SigmoidMLSTM(d, 1), True),
        (lambda d: mixers.MixtureOfMemories(d, 1), True),
        (lambda d: mixers.LightNet(d, 1), True),
        (lambda d: mixers.GatedKalmaNet(d, 2), True),
        (lambda d: mixers.S4D(d, 4), False),
        (lambda d: mixers.LSSL(d, 4), False),
        (lambda d: mixers.SpaceTime(d, 4), False),
        (lambda d: mixers.SpectralMixer(d, 2), False),
    ],
    ids=[
        "deltanet",
        "deltaproduct",
        "linear attention",
        "mlstm",
        "mlstm with a sigmoid gate",
        "mixture of memories",
        "lightnet",
        "gated kalmanet",
        "s4d",
        "lssl",
        "spacetime",
        "spectral",
    ],
)
def test_recall_needs_a_memory_that_is_read_by_content(build, learns):
    torch.manual_seed(0)
    model = Tagger(build(24), 16, 4, 24)
    train(model, lambda: recall(32), steps=150, lr=1e-2)
    found = accuracy(model, *recall(256))
    assert found > 0.9 if learns else found < 0.6

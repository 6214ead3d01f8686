"""
Memory tokens in a model of your own
====================================

Karhunen-Loeve memory tokens in front of a GRU with a short window.

The series repeats with a period far longer than the window, so the window alone cannot tell what
comes next; the history before it can.
"""

# sphinx_gallery_thumbnail_path = "images/memory_etth1.png"

import math

import torch
from torch import nn

from klforecast.modules import KLMemory

WINDOW, DEPTH, PERIOD = 8, 64, 48
torch.manual_seed(0)


class RecurrentForecaster(nn.Module):
    """One step ahead, from a window and, if there is one, the memory of what lies before it."""

    def __init__(self, memory: KLMemory | None):
        super().__init__()
        self.embed = nn.Linear(1, 16)
        self.gru = nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, 1)
        self.memory = memory

    def forward(self, history, window):  # (batch, DEPTH, 1), (batch, WINDOW, 1) -> (batch,)
        sequence = self.embed(window)
        if self.memory is not None:
            sequence = torch.cat([self.memory(history), sequence], dim=1)
        return self.head(self.gru(sequence)[0][:, -1]).squeeze(-1)


def error_after_training(memory: KLMemory | None) -> float:
    """Mean squared error on windows that were not trained on."""
    time = torch.arange(1200)
    pulse = torch.exp(-(((time % PERIOD) - 10.0) ** 2) / 8)  # silent for most of the period
    slow = torch.sin(2 * math.pi * time / 331)
    y = pulse * (1 + 0.5 * slow) + 0.01 * torch.randn(len(time))
    views = y.unfold(0, DEPTH + WINDOW + 1, 1)[..., None]
    history, window, target = views[:, :DEPTH], views[:, DEPTH:-1], views[:, -1, 0]
    cut = 800
    model = RecurrentForecaster(memory)
    if memory is not None:
        memory.append(history[:cut])  # the only write; forward reads
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(200):
        optimiser.zero_grad()
        nn.functional.mse_loss(model(history[:cut], window[:cut]), target[:cut]).backward()
        optimiser.step()
    model.eval()
    later = slice(cut + DEPTH + WINDOW, None)
    with torch.no_grad():
        return nn.functional.mse_loss(model(history[later], window[later]), target[later]).item()


# %%
# The same model, with and without its memory.

without = error_after_training(None)
with_memory = error_after_training(
    KLMemory(16, memory_depth=DEPTH, n_components=8, memory_tokens=4, state_size=1, dropout=0.0)
)
print(f"mean squared error: {without:.5f} without memory, {with_memory:.5f} with memory")
assert with_memory < without

"""
A memory for the model you have
===============================

One line gives torch's own transformer and GRU Karhunen-Loeve tokens of what lies before their window.

What comes next repeats what came 48 steps ago, and the models see 8 steps. Each is trained twice,
with and without tokens of the 64 steps before its window. A model with another signature needs an
adapter of a few lines, as ``memory_for_a_hugging_face_model.py`` shows.
"""

# sphinx_gallery_thumbnail_path = "images/tokens_etth1.png"

import torch
from torch import nn

from klforecast.modules import with_memory

WINDOW, DEPTH, PERIOD, D = 8, 64, 48, 16
torch.manual_seed(0)


class Forecaster(nn.Module):
    """One step ahead from an embedded window; the backbone is anybody's."""

    def __init__(self, backbone):
        super().__init__()
        self.embed, self.backbone, self.head = nn.Linear(1, D), backbone, nn.Linear(D, 1)

    def forward(self, window, *history):
        encoded = self.backbone(self.embed(window), *history)
        encoded = encoded[0] if isinstance(encoded, tuple) else encoded
        return self.head(encoded[:, -1]).squeeze(-1)


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(D, 2, 32, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 1)


def gru() -> nn.Module:
    return nn.GRU(D, D, batch_first=True)


def data() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise that repeats itself after PERIOD steps: histories, windows and what follows them."""
    noise = torch.randn(PERIOD).repeat(12)
    y = noise + 0.05 * torch.randn(len(noise))
    views = y.unfold(0, DEPTH + WINDOW + 1, 1)[..., None]
    views = torch.cat([views, -views])  # of two kinds, so that no value is known by heart
    order = torch.randperm(len(views))
    views = views[order]
    return views[:, :DEPTH], views[:, DEPTH:-1], views[:, -1, 0]


def error_after_training(backbone: nn.Module, reads_history: bool) -> float:
    history, window, target = data()
    cut = 2 * len(history) // 3
    model = Forecaster(backbone)
    if reads_history:
        backbone.memory.append(history[:cut])  # the only write; forward reads
    extra = [history] if reads_history else []
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimiser.zero_grad()
        forecast = model(window[:cut], *(part[:cut] for part in extra))
        nn.functional.mse_loss(forecast, target[:cut]).backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        forecast = model(window[cut:], *(part[cut:] for part in extra))
        return nn.functional.mse_loss(forecast, target[cut:]).item()


# %%
# Both models, without and with a memory.

for build in (transformer, gru):
    memory = {"memory_depth": DEPTH, "n_components": 32, "memory_tokens": 8, "state_size": 1}
    without = error_after_training(build(), reads_history=False)
    with_it = error_after_training(with_memory(build(), D, dropout=0.0, **memory), True)
    print(f"{build.__name__}: mean squared error {without:.3f} without, {with_it:.3f} with memory")
    assert with_it < without / 2

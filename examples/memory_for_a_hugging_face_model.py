"""
A memory for a Hugging Face model
=================================

GPT-2, built from its configuration, nothing downloaded.

Needs transformers (``pip install transformers``). Each sequence repeats what came 48 steps ago; the
model sees 8 steps, the memory the 64 before them. The adapter is all that the model needs.
"""

# sphinx_gallery_thumbnail_path = "images/tokens_airline.png"

import torch
from torch import nn
from transformers import GPT2Config, GPT2Model

from klforecast.modules import with_memory

WINDOW, DEPTH, PERIOD, D = 8, 64, 48, 16
torch.manual_seed(0)


class Adapter(nn.Module):
    """From (batch, length, d_model) to the same shape, around any model with `inputs_embeds`."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(inputs_embeds=x).last_hidden_state


class Forecaster(nn.Module):
    """One step ahead, from an embedded window beside its history."""

    def __init__(self, backbone):
        super().__init__()
        self.embed, self.backbone, self.head = nn.Linear(1, D), backbone, nn.Linear(D, 1)

    def forward(self, window, history):
        return self.head(self.backbone(self.embed(window), history)[:, -1]).squeeze(-1)


def gpt2() -> nn.Module:
    no_words = {"vocab_size": 1, "bos_token_id": None, "eos_token_id": None}
    no_dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    config = GPT2Config(n_embd=D, n_layer=1, n_head=2, n_positions=32, **no_words, **no_dropout)
    return Adapter(GPT2Model(config))


patterns = torch.randn(600, PERIOD)  # every sequence has its own, so none is known by heart
views = patterns.repeat(1, 2)[:, : DEPTH + WINDOW + 1, None]
history, window, target = views[:, :DEPTH], views[:, DEPTH:-1], views[:, -1, 0]
cut = 400


def error_after_training(remembers: bool) -> float:
    memory = {"memory_depth": DEPTH, "n_components": DEPTH, "memory_tokens": 8, "state_size": 1}
    backbone = with_memory(gpt2(), D, center=False, dropout=0.0, **memory)
    if remembers:
        backbone.memory.append(history[:cut])  # the only write; tokens of an empty memory are zero
    model = Forecaster(backbone)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(120):
        optimiser.zero_grad()
        nn.functional.mse_loss(model(window[:cut], history[:cut]), target[:cut]).backward()
        optimiser.step()
    with torch.no_grad():
        forecast = model.eval()(window[cut:], history[cut:])
        return nn.functional.mse_loss(forecast, target[cut:]).item()


# %%
# Trained twice.

without, with_it = error_after_training(False), error_after_training(True)
print(f"GPT-2: mean squared error {without:.3f} without memory, {with_it:.3f} with memory")
assert with_it < without / 2

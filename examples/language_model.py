"""
A language model that samples
=============================

A small spectral state-space network learns the next character of Python's own reference, and writes on.

The text ships with Python. The last tenth of it is held out; counts of pairs of characters in the rest
are the rival. Writing goes character by character: the state is all that is kept of the past.
"""

import math
from pydoc_data.topics import topics

import torch
from torch.nn.functional import cross_entropy

from klforecast.modules.ssm.heads import LanguageModel

LENGTH, BATCH, STEPS = 96, 16, 200
torch.manual_seed(0)
torch.set_num_threads(1)

text = " ".join(" ".join(topics[name] for name in sorted(topics)).split())[:400_000]
text = text.encode("ascii", "ignore").decode()
alphabet = sorted(set(text))
place = {character: number for number, character in enumerate(alphabet)}
tokens = torch.tensor([place[character] for character in text])
known, unseen = tokens[: len(tokens) * 9 // 10], tokens[len(tokens) * 9 // 10 :]


def held_out_bits(model: LanguageModel) -> float:
    """Bits per character of windows from the held-out part."""
    windows = unseen[: 64 * (LENGTH + 1)].reshape(64, LENGTH + 1)
    with torch.no_grad():
        logits = model.eval()(windows[:, :-1])
    return cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).item() / math.log(2)


def bits_of_pairs() -> float:
    """The same of the best guess from the character before alone."""
    counts = torch.ones(len(alphabet), len(alphabet))
    counts.index_put_((known[:-1], known[1:]), torch.ones(()), accumulate=True)
    likely = counts / counts.sum(dim=1, keepdim=True)
    return -likely[unseen[:-1], unseen[1:]].log2().mean().item()


def write(model: LanguageModel, start: str, n_characters: int) -> str:
    """Go on after a start, drawing each character from the model."""
    states, written = model.backbone.initial_states(1), start
    with torch.no_grad():
        for position in range(len(start) + n_characters - 1):
            token = torch.tensor([place[written[position]]])
            logits, states = model.step(token, states)
            if position >= len(start) - 1:
                likely = (logits[0] / 0.7).softmax(dim=0)
                written += alphabet[int(torch.multinomial(likely, 1))]
    return written


model = LanguageModel(len(alphabet), d_model=64, n_layers=2, selective=True, max_length=LENGTH)
optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=STEPS)
for _ in range(STEPS):
    starts = torch.randint(len(known) - LENGTH - 1, (BATCH,))
    windows = known[starts[:, None] + torch.arange(LENGTH + 1)]
    loss = cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()

bits, rival = held_out_bits(model), bits_of_pairs()
print(f"bits per character: {bits:.2f}, from pairs of characters {rival:.2f}")
print(write(model, "The statement", 300))
assert bits < rival

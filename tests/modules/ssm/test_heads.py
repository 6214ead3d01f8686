import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from klforecast.modules.ssm.heads import LanguageModel, SequencePredictor


def train(model, batches, lr: float) -> None:
    logits = [p for name, p in model.named_parameters() if name.endswith("mask.logits")]
    others = [p for name, p in model.named_parameters() if not name.endswith("mask.logits")]
    optimizer = torch.optim.Adam([{"params": others}, {"params": logits, "lr": 0.05}], lr=lr)
    for x, labels in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()


def test_the_answer_does_not_depend_on_padding():
    model = SequencePredictor(4, n_channels=2, d_model=16, bidirectional=True)
    x = torch.randn(3, 40, 2)
    mask = torch.arange(40) < torch.tensor([40, 25, 1])[:, None]
    assert_close(model(x, mask)[1], model(x[1:2, :25])[0], rtol=0, atol=1e-5)


def test_the_language_model_reads_with_its_embedding():
    model = LanguageModel(11, d_model=16)
    assert [name for name, p in model.named_parameters() if 11 in p.shape] == [
        "backbone.embedding.weight"
    ]
    assert model(torch.zeros(1, 6, dtype=torch.long)).abs().max() < 5


def test_a_bidirectional_language_model_is_refused():
    with pytest.raises(ValueError, match="must not see the next token"):
        LanguageModel(11, bidirectional=True)


def test_the_language_model_learns_a_cycle_and_streams_it():
    torch.manual_seed(0)
    model = LanguageModel(5, d_model=16, n_layers=1, selective=True)
    tokens = torch.tensor([0, 1, 0, 2, 0, 3, 0, 4]).repeat(8)[None]
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(tokens)[0, 8:-1], tokens[0, 9:]).backward()
        optimizer.step()
    states, token, heard = model.backbone.initial_states(1), tokens[:, 0], []
    with torch.no_grad():
        for t in range(24):
            logits, states = model.step(token, states)
            token = tokens[:, t + 1] if t < 15 else logits.argmax(dim=1)
            heard.append(int(token))
    assert heard == tokens[0, 1:25].tolist()


def test_a_learned_mask_finds_the_band_that_a_low_pass_mask_misses():
    def tones(seed: int):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(0, 2, (128,), generator=generator)
        phase = torch.rand(128, 1, generator=generator)
        angle = torch.where(labels == 0, 2.3, 2.7)[:, None] * torch.arange(64) + 6.28 * phase
        loudness = torch.exp(0.5 * torch.randn(128, 1, generator=generator))
        drift = torch.randn(128, 64, generator=generator).cumsum(dim=1)
        return (loudness * torch.cos(angle) + 0.3 * drift)[..., None], labels

    def accuracy(adaptive: bool) -> float:
        torch.manual_seed(2)
        model = SequencePredictor(
            2, n_channels=1, d_model=8, n_layers=1, n_modes=16, n_heads=1,
            compression_ratio=1 / 8, adaptive_mask=adaptive, max_length=128,
        )  # fmt: skip
        core = model.backbone.spectral_layers[0].core
        # Poles stand still over the whole band, so that only the choice among them can adapt.
        for poles in (core.frequency, core.raw_step, core.raw_decay):
            poles.requires_grad_(False)
        core.frequency.copy_(torch.linspace(0, 3, 16) / F.softplus(core.raw_step)[:, None])
        train(model, [tones(0)] * 130, lr=1e-2)
        x, labels = tones(1)
        return (model(x).argmax(dim=1) == labels).float().mean().item()

    assert accuracy(adaptive=True) > 0.85
    assert accuracy(adaptive=False) < 0.65


def test_an_attention_layer_helps_to_recall_what_was_paired():
    n_keys, n_values = 8, 4

    def batches(count: int, seed: int):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(count):
            keys = torch.rand(64, n_keys, generator=generator).argsort(dim=1)
            values = torch.randint(0, n_values, (64, n_keys), generator=generator)
            asked = torch.randint(0, n_keys, (64, 1), generator=generator)
            question = n_keys * n_values + keys.gather(1, asked)
            tokens = torch.cat([keys * n_values + values, question], dim=1)
            yield tokens, values.gather(1, asked)[:, 0]

    def accuracy(attention_layers: tuple[int, ...]) -> float:
        torch.manual_seed(0)
        model = SequencePredictor(
            n_values, vocab_size=n_keys * n_values + n_keys, d_model=32, n_modes=8,
            attention_layers=attention_layers, max_length=16,
        )  # fmt: skip
        train(model, batches(160, seed=0), lr=5e-3)
        x, labels = next(batches(1, seed=1))
        return (model(x).argmax(dim=1) == labels).float().mean().item()

    assert accuracy((1,)) > accuracy(()) + 0.2

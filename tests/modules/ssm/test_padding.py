"""What stands at padded steps changes nothing elsewhere, whatever it is."""

from itertools import product

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules import SpectralSSM
from klforecast.modules.ssm.attention import RotaryAttention
from klforecast.modules.ssm.heads import LanguageModel, SequencePredictor
from klforecast.modules.ssm.layer import SpectralLayer
from klforecast.modules.ssm.pair import PairPredictor

VARIANTS = [
    pytest.param(
        {"selective": s, "bidirectional": b, "attention_layers": (0,) if a else ()},
        id=f"{'selective' if s else 'invariant'}-{'both' if b else 'causal'}-{a}",
    )
    for s, b, a in product([False, True], [False, True], ["modes", ""])
]
# Padded at the end, at the start, in the middle, and everywhere.
MASK = torch.stack(
    [
        torch.arange(40) < 25,
        torch.arange(40) >= 15,
        (torch.arange(40) < 10) | (torch.arange(40) >= 30),
        torch.zeros(40, dtype=torch.bool),
    ]
)


def padded(value):
    x = torch.randn(4, 40, 3, generator=torch.Generator().manual_seed(0))
    return torch.where(MASK[..., None], x, value)


def network(**options):
    torch.manual_seed(0)
    return SpectralSSM(3, d_model=16, n_modes=4, **options)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_observed_steps_do_not_see_what_is_padded(options, value):
    model = network(**options)
    assert_close(model(padded(value), MASK)[MASK], model(padded(0.0), MASK)[MASK], rtol=0, atol=0)


@pytest.mark.parametrize("options", VARIANTS)
def test_gradients_do_not_see_what_is_padded(options):
    def gradients(value):
        model, x = network(**options), padded(value).requires_grad_()
        model(x, MASK)[MASK].square().sum().backward()
        return [*(weights.grad for weights in model.parameters()), x.grad]

    of_nan = gradients(torch.nan)
    assert_close(of_nan, gradients(0.0), rtol=0, atol=0)
    assert not of_nan[-1][~MASK].any()


@pytest.mark.parametrize(
    "layer",
    [
        *(SpectralLayer(16, selective=s, bidirectional=b) for s, b in product([0, 1], repeat=2)),
        *(RotaryAttention(16, causal=c) for c in (True, False)),
        *(
            SpectralSSM(3, d_model=16, n_branches=3, bidirectional=b).blocks[0].mixer
            for b in (True, False)
        ),
    ],
)
def test_a_layer_alone_keeps_the_same_promise(layer):
    x = torch.randn(4, 40, 16)
    spoiled = torch.where(MASK[..., None], x, torch.nan)
    assert_close(layer(spoiled, MASK)[MASK], layer(x, MASK)[MASK], rtol=0, atol=0)
    assert layer(spoiled, MASK).isfinite().all()


def test_the_energy_of_modes_is_that_of_observed_steps():
    layer, x = SpectralLayer(16), torch.randn(4, 40, 16)
    spoiled = torch.where(MASK[..., None], x, torch.nan)
    assert_close(layer.mode_energy(spoiled, MASK), layer.mode_energy(x * MASK[..., None], MASK))


def test_token_ids_at_padded_steps_may_be_any_number():
    model = SpectralSSM(vocab_size=5, d_model=16)
    ids = torch.randint(5, (4, 40))
    nonsense = torch.where(MASK, ids, -100)
    assert_close(model(nonsense, MASK)[MASK], model(ids, MASK)[MASK], rtol=0, atol=0)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_a_sequence_that_is_all_padding_is_answered_and_trained_on(options, value):
    torch.manual_seed(0)
    model = SequencePredictor(2, n_channels=3, d_model=16, n_modes=4, **options)
    answer = model(padded(value), MASK)
    assert_close(answer[3], model.head.bias)
    assert_close(answer[:3], model(padded(0.0)[:3], MASK[:3]))
    answer.square().sum().backward()
    assert all(weights.grad.isfinite().all() for weights in model.parameters())


def test_pairs_do_not_see_what_is_padded():
    torch.manual_seed(0)
    model = PairPredictor(2, n_channels=3, d_model=16)
    pairs = [padded(value).unflatten(0, (2, 2)) for value in (0.0, torch.nan)]
    clean, spoiled = (model(x, MASK.unflatten(0, (2, 2))) for x in pairs)
    assert_close(spoiled, clean, rtol=0, atol=0)


def test_a_language_model_does_not_see_what_is_padded():
    torch.manual_seed(0)
    model, tokens = LanguageModel(5, d_model=16), torch.randint(5, (4, 40))
    nonsense = torch.where(MASK, tokens, -100)
    assert_close(model(nonsense, MASK)[MASK], model(tokens, MASK)[MASK], rtol=0, atol=0)


def test_a_mask_of_zeros_and_ones_is_a_mask():
    model = network(attention_layers=(1,))
    assert_close(model(padded(0.0), MASK.float()), model(padded(0.0), MASK), rtol=0, atol=0)

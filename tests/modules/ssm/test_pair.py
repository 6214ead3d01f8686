import torch

from klforecast.modules.ssm.pair import PairPredictor


def predictor() -> PairPredictor:
    torch.manual_seed(0)
    return PairPredictor(
        3, n_features=6, vocab_size=9, d_model=8, n_layers=1, n_modes=4, n_heads=2
    ).double()


def test_each_sequence_is_encoded_as_if_it_were_alone():
    model = predictor()
    x = torch.randint(1, 9, (4, 2, 11))
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 1, 7:] = False
    a, b = model.encoder(x[:, 0]), model.encoder(x[:, 1, :7])
    expected = model.head(torch.cat([a, b, a * b, a - b], dim=-1))
    torch.testing.assert_close(model(x, mask), expected)


def test_compression_keeps_the_outputs():
    model = predictor()
    x = torch.randint(1, 9, (4, 2, 11))
    model.backbone.spectral_layers[0].mask.choose(torch.tensor([0, 2]))
    before = model(x)
    model.backbone.compress()
    torch.testing.assert_close(model(x), before)
    assert model.backbone.spectral_layers[0].core.n_modes == 2

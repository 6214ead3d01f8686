import pytest
import torch

from klforecast.modules.memory.token_mixers import TOKEN_MIXERS, build_token_mixer


def n_weights(token_mixer):
    return sum(p.numel() for name, p in token_mixer.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize("token_mixer", TOKEN_MIXERS)
def test_components_become_tokens(token_mixer):
    tokens = build_token_mixer(token_mixer, n_components=6, memory_tokens=3, d_model=8)(
        torch.randn(5, 6, 8)
    )
    assert tokens.shape == (5, 3, 8)


@pytest.mark.parametrize(
    ("token_mixer", "expected"),
    [
        ("bottleneck", 64 * 8 * (6 + 3)),
        ("dense", 2 * 6 * 8 * 8 * (6 + 3)),
        ("factorized", 4 * 8 * 8 + 6 * 3),
    ],
)
def test_a_mixer_has_the_size_that_it_states(token_mixer, expected):
    assert (
        n_weights(build_token_mixer(token_mixer, n_components=6, memory_tokens=3, d_model=8))
        == expected
    )


@pytest.mark.parametrize("token_mixer", TOKEN_MIXERS)
def test_each_row_of_the_batch_is_mixed_alone(token_mixer):
    mix = build_token_mixer(token_mixer, n_components=4, memory_tokens=2, d_model=6).double().eval()
    components = torch.randn(3, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(mix(components)[1:2], mix(components[1:2]))


def test_an_unknown_mixer_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'wide'.*'factorized'"):
        build_token_mixer("wide", 4, 2, 6)

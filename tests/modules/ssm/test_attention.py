import pytest
import torch
from torch.testing import assert_close

from klforecast.modules.ssm.attention import RotaryAttention, rotate_positions


def test_rotated_products_depend_on_the_distance_only():
    x = torch.randn(1, 1, 1, 8).expand(1, 1, 20, 8)
    products = rotate_positions(x) @ rotate_positions(x).mT
    assert_close(products[..., 5, 2], products[..., 17, 14], rtol=1e-4, atol=1e-5)
    assert_close(products[..., 3, 3], x[..., 0, :].square().sum(dim=-1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_causal_attention_does_not_see_the_future(masked):
    attention = RotaryAttention(16)
    x = torch.randn(2, 30, 16)
    mask = torch.ones(2, 30, dtype=torch.bool) if masked else None
    changed = torch.cat([x[:, :15], torch.randn(2, 15, 16)], dim=1)
    assert_close(attention(changed, mask)[:, :15], attention(x, mask)[:, :15], rtol=0, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_not_attended_to(causal):
    attention = RotaryAttention(16, causal=causal)
    x = torch.randn(2, 30, 16)
    mask = torch.arange(30) < torch.tensor([30, 12])[:, None]
    assert_close(attention(x, mask)[1, :12], attention(x[1:, :12])[0], rtol=0, atol=1e-5)


def test_a_width_without_pairs_in_every_head_is_refused():
    with pytest.raises(ValueError, match="multiple of 2"):
        RotaryAttention(12, n_heads=4)

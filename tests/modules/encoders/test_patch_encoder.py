import pytest
import torch
from torch.testing import assert_close

from klforecast.modules.encoders.patch_encoder import (
    PatchEmbedding,
    PatchEncoder,
    instance_statistics,
)


def test_level_and_scale_are_mean_and_deviation():
    window = torch.tensor([[1.0, 3.0], [5.0, 5.0]])
    level, scale = instance_statistics(window)
    assert_close(level, torch.tensor([[2.0], [5.0]]))
    assert_close(scale, torch.tensor([[1.0], [0.0]]), atol=0.004, rtol=1e-4)


def test_patches_end_at_the_last_step_and_the_first_is_filled_to_the_left():
    embedding = PatchEmbedding(4, 4)
    with torch.no_grad():
        embedding.linear.weight.copy_(torch.eye(4))
        embedding.linear.bias.zero_()
    patches = embedding(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]))
    assert_close(patches, torch.tensor([[[1.0, 1.0, 1.0, 2.0], [3.0, 4.0, 5.0, 6.0]]]))


@pytest.mark.parametrize(("length", "patch_length"), [(96, 16), (10, 4), (3, 16), (1, 1)])
@pytest.mark.parametrize("memory_tokens", [0, 2])
def test_there_is_one_state_for_each_patch(length, patch_length, memory_tokens):
    encoder = PatchEncoder(length, memory_tokens, 8, 1, 2, patch_length)
    tokens = torch.randn(3, memory_tokens, 8) if memory_tokens else None
    encoded = encoder(encoder.embedding(torch.randn(3, length)), tokens)
    assert encoded.shape == (3, encoder.n_patches, 8)


def test_the_states_depend_on_the_tokens():
    encoder = PatchEncoder(12, 2, 8, 1, 2, 4).eval()
    patches = encoder.embedding(torch.randn(3, 12))
    assert not torch.equal(
        encoder(patches, torch.zeros(3, 2, 8)), encoder(patches, torch.ones(3, 2, 8))
    )


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="d_model=10 and n_heads=4"):
        PatchEncoder(12, d_model=10)

"""PatchTST: a transformer over patches that overlap by half, one channel at a time.

    patches  = windows of `patch_length` steps, half of that apart
    forecast = W flatten(transformer([memory tokens ; W_p patches + positions])) + b

Letters   see `klforecast.modules.encoders.patch_encoder`
Paper     Nie et al. 2023, A Time Series is Worth 64 Words, arXiv 2211.14730.
Left out  Batch normalisation (layer normalisation here), self-supervised pre-training, and the
          patch that repeats the last value. The benchmark's peer of this name is the published
          network itself, from Hugging Face.
"""

from klforecast.modules.encoders.base import Sizes
from klforecast.modules.encoders.patch_encoder import PatchEmbedding
from klforecast.modules.encoders.patches import PatchForecaster


def patchtst(sizes: Sizes) -> PatchForecaster:
    """Build the transformer over overlapping patches."""
    stride = max(1, sizes.patch // 2)
    return PatchForecaster(sizes, embedding=PatchEmbedding(sizes.patch, sizes.d_model, stride))

"""Series back from the blocks that the filter bank runs on."""

from torch import Tensor


def from_blocks(
    values: Tensor,  # (..., chunk, n, chunks)
) -> Tensor:  # (..., n, chunks * chunk)
    """Undo the cutting of `klforecast.ops.filter_bank.to_blocks`; what was padded stays."""
    return values.movedim(-3, -1).flatten(-2)

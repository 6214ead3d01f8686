"""The residual block around a sequence mixer, normed before each of its two parts.

x = x + dropout(mixer(norm(x)))        x = x + dropout(mlp(norm(x)))        mlp: GELU within
"""

from torch import Tensor, nn


class PreNormBlock(nn.Module):
    """Base of blocks around a sequence mixer; a subclass runs it on `mixer_norm` and adds the rest.

    Parameters
    ----------
    mixer : Module
        From (batch, length, d_model) to the same shape; how it is called is the subclass's own.
    d_model : int
        Channels in and out.
    d_ff : int
        Width between the two maps of the feed-forward part.
    dropout : float
        Share of what either part adds that is dropped in training.
    """

    def __init__(self, mixer: nn.Module, d_model: int, d_ff: int, dropout: float):
        super().__init__()
        self.mixer_norm = nn.LayerNorm(d_model)
        self.mixer = mixer
        self.mlp_norm = nn.LayerNorm(d_model)
        self.mlp = feed_forward(d_model, d_ff)
        self.dropout = nn.Dropout(dropout)

    def add(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Add what the sequence mixer made of normed x, and what the feed-forward part makes of the sum."""
        x = x + self.dropout(mixed)
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


def feed_forward(d_model: int, d_ff: int) -> nn.Module:
    """Build two maps with a GELU between them, `d_model` wide on the outside."""
    return nn.Sequential(nn.Linear(d_model, d_ff), nn.GELU(), nn.Linear(d_ff, d_model))

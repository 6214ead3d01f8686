"""Token mixers: the learned maps from Karhunen-Loeve components to memory tokens.

    components (batch, K, d)  ->  tokens (batch, M, d)

Letters   K components   M tokens   d model width
Sizes     "bottleneck"  K d -> 64 -> M d               64 d (K + M) weights
          "dense"       K d -> 2 K d -> M d            2 K d^2 (K + M) weights
          "factorized"  each d -> 2 d -> d, then K -> M    4 d^2 + K M weights
"""

from torch import Tensor, nn

TOKEN_MIXERS = ("bottleneck", "dense", "factorized")

_BOTTLENECK_WIDTH = (
    64  # fixed, so that weights grow with d and not with its square; the default width of models
)


class FlatMixer(nn.Module):
    """Two layers over all components at once, laid end to end in one vector.

    Parameters
    ----------
    n_components, memory_tokens, d_model : int
        Shapes in and out: (batch, n_components, d_model) and (batch, memory_tokens, d_model).
    hidden : int
        Width of the layer between: 64 for the bottleneck, 2 * n_components * d_model if dense.
    dropout : float, default=0.1
        Probability of dropping a hidden unit in training.
    """

    def __init__(
        self,
        n_components: int,
        memory_tokens: int,
        d_model: int,
        hidden: int,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.memory_tokens = memory_tokens
        self.layers = nn.Sequential(
            nn.Linear(n_components * d_model, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, memory_tokens * d_model),
        )

    def forward(self, components: Tensor) -> Tensor:
        """Mix (batch, n_components, d_model) into (batch, memory_tokens, d_model)."""
        return self.layers(components.flatten(1)).unflatten(1, (self.memory_tokens, -1))


class FactorizedMixer(nn.Module):
    """One small network shared by all components, then one linear map over the components.

    Its size grows with `n_components * memory_tokens` only, so it stays small for many components.

    Parameters
    ----------
    n_components, memory_tokens, d_model : int
        Shapes in and out: (batch, n_components, d_model) and (batch, memory_tokens, d_model).
    dropout : float, default=0.1
        Probability of dropping a hidden unit in training.
    """

    def __init__(self, n_components: int, memory_tokens: int, d_model: int, dropout: float = 0.1):
        super().__init__()
        self.within = nn.Sequential(
            nn.Linear(d_model, 2 * d_model),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * d_model, d_model),
        )
        self.across = nn.Linear(n_components, memory_tokens)

    def forward(self, components: Tensor) -> Tensor:
        """Mix (batch, n_components, d_model) into (batch, memory_tokens, d_model)."""
        return self.across(self.within(components).mT).mT


def build_token_mixer(
    token_mixer: str, n_components: int, memory_tokens: int, d_model: int, dropout: float = 0.1
) -> nn.Module:
    """Build the token mixer of a given name.

    Parameters
    ----------
    token_mixer : {"bottleneck", "dense", "factorized"}
        See the table of sizes at the top of this file.
    n_components, memory_tokens, d_model : int
        Shapes in and out: (batch, n_components, d_model) and (batch, memory_tokens, d_model).
    dropout : float, default=0.1
        Probability of dropping a hidden unit in training.

    Raises
    ------
    ValueError
        If there is no token mixer of that name.

    Examples
    --------
    >>> import torch
    >>> mixer = build_token_mixer("factorized", n_components=16, memory_tokens=4, d_model=8)
    >>> mixer(torch.zeros(2, 16, 8)).shape
    torch.Size([2, 4, 8])
    """
    if token_mixer == "factorized":
        return FactorizedMixer(n_components, memory_tokens, d_model, dropout)
    if token_mixer == "bottleneck":
        return FlatMixer(n_components, memory_tokens, d_model, _BOTTLENECK_WIDTH, dropout)
    if token_mixer == "dense":
        return FlatMixer(n_components, memory_tokens, d_model, 2 * n_components * d_model, dropout)
    raise ValueError(
        f"token_mixer is {token_mixer!r}; pass one of {', '.join(map(repr, TOKEN_MIXERS))}"
    )

"""PatchTST: attention over patches of one channel; the network is Hugging Face's.

    patches = windows of 16 steps, 8 apart, of the normalised past of one channel
    forecast = W flatten(encoder(W_p patches + positions)) + b, restored to the window's scale

Paper     Nie, Nguyen, Sinthong & Kalagnanam (2023), "A Time Series is Worth 64 Words", ICLR;
          arXiv:2211.14730.
Network   `transformers.PatchTSTForPrediction` (install `klforecast[peers]`), trained by the common
          loop; none of the library's own trainer, scaling of the loss or checkpoints is used.
Left out  the patch that the published code adds by repeating the last value, and self-supervised
          pre-training.
"""

from torch import Tensor, nn


class PatchTST(nn.Module):
    """The library's network as a plain map from past to forecast."""

    def __init__(
        self,
        lookback: int,
        horizon: int,
        channels: int,
        *,
        d_model: int,
        n_heads: int,
        d_feedforward: int,
        dropout: float,
        patch_length: int = 16,
        patch_stride: int = 8,
        n_layers: int = 3,
    ):
        super().__init__()
        from transformers import PatchTSTConfig, PatchTSTForPrediction

        self.network = PatchTSTForPrediction(
            PatchTSTConfig(
                num_input_channels=channels,
                context_length=lookback,
                prediction_length=horizon,
                patch_length=patch_length,
                patch_stride=patch_stride,
                d_model=d_model,
                num_attention_heads=n_heads,
                num_hidden_layers=n_layers,
                ffn_dim=d_feedforward,
                # The published code drops activations but not attention weights.
                attention_dropout=0.0,
                ff_dropout=dropout,
                path_dropout=dropout,
                positional_dropout=dropout,
                head_dropout=0.0,
                norm_type="batchnorm",
                pre_norm=False,
                positional_encoding_type="random",
                scaling="std",
                loss="mse",
                use_cls_token=False,
                pooling_type=None,
            )
        )
        # The library draws weights with a deviation of 0.02, from which a width of 16 hardly leaves
        # at the published step size; the published code leaves layers as torch makes them.
        for layer in self.network.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel."""
        return self.network(past_values=past).prediction_outputs  # (batch, horizon, channels)

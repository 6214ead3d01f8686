"""GRU and LSTM as mixers: torch's own cells, with the interface that all mixers share.

    GRU    z, r = sigmoid(.)   h[t] = (1 - z) tanh(W x + r U h[t-1]) + z h[t-1]
    LSTM   i, f, o = sigmoid(.)   c[t] = f c[t-1] + i tanh(.)   h[t] = o tanh(c[t])

Letters   h, c (1, batch, d_model) state of torch's modules
Paper     Cho et al. 2014, arXiv 1406.1078; Hochreiter & Schmidhuber 1997, Neural Computation 9.
Left out  Stacks of cells within one mixer; a stack is made of blocks.
"""

from typing import Any

from torch import Tensor, nn

from klforecast.ops.checks import require_steps


class Recurrent(nn.Module):
    """A recurrent cell of torch over whole sequences, (batch, length, d_model) to the same shape.

    Parameters
    ----------
    d_model : int
        Channels in and out.
    cell : {"gru", "lstm"}
        Which one.
    """

    def __init__(self, d_model: int, cell: str):
        super().__init__()
        cells = {"gru": nn.GRU, "lstm": nn.LSTM}
        self.cell = cells[cell](d_model, d_model, batch_first=True)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Mix whole sequences; see `HeadMixer.forward`."""
        require_steps(x.shape[1])
        return self.cell(x, state)

    def step(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance by one step: x and y are (batch, d_model)."""
        y, state = self.cell(x[:, None], state)
        return y[:, 0], state

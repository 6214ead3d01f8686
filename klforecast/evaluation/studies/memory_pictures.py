"""The pictures of a fitted memory in the documentation.

    python -m klforecast.evaluation.studies.memory_pictures docs/images

Of airline and ETTh1 three each: the modes and the memory of the closed form, and the tokens of a
transformer that reads them without the closed form beside it, on ETTh1 after two epochs.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sktime.datasets import load_airline

from klforecast.data.datasets import load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.plots.plotting import new_figure
from klforecast.evaluation.benchmark.protocol import require_borders
from klforecast.evaluation.studies.command import make_parser


def draw_memory(
    y: pd.Series | pd.DataFrame, name: str, folder: Path, horizon: int, max_epochs: int
) -> list[Path]:
    """Fit a series, draw what is remembered to three files, and return their paths."""
    paths = [folder / f"{kind}_{name}.png" for kind in ("modes", "memory", "tokens")]
    closed_form = KLMemoryForecaster(horizon=horizon).fit(y)
    modes = new_figure((8, 4))
    closed_form.plot_modes(ax=modes.add_subplot())
    trained = KLMemoryForecaster(
        horizon=horizon,
        encoder="transformer",
        linear_core=False,
        max_epochs=max_epochs,
        random_state=0,
    ).fit(y)
    figures = (modes, closed_form.plot_memory(), trained.plot_memory())
    for path, figure in zip(paths, figures, strict=True):
        figure.savefig(path, dpi=100)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit airline and ETTh1, and draw what is remembered."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    draw_memory(load_airline(), "airline", folder, horizon=12, max_epochs=10)
    data = load("ETTh1")
    known = data.frame.iloc[: require_borders(data).validation_end]
    draw_memory(known, "etth1", folder, horizon=96, max_epochs=2)


if __name__ == "__main__":
    main()

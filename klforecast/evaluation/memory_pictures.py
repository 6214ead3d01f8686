"""The pictures of a fitted memory in the documentation.

python -m klforecast.evaluation.memory_pictures docs/images
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sktime.datasets import load_airline

from klforecast.data.datasets import load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.plotting import new_figure
from klforecast.evaluation.protocol import require_borders


def draw_memory(forecaster: KLMemoryForecaster, name: str, folder: Path) -> list[Path]:
    """Draw the modes and the memory of a fitted forecaster to two files, and return their paths."""
    paths = [folder / f"{kind}_{name}.png" for kind in ("modes", "memory")]
    modes = new_figure((8, 4))
    forecaster.plot_modes(ax=modes.add_subplot())
    for path, figure in zip(paths, (modes, forecaster.plot_memory()), strict=True):
        figure.savefig(path, dpi=100)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit airline and ETTh1 by default settings, and draw what they remember."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    draw_memory(KLMemoryForecaster(horizon=12).fit(load_airline()), "airline", folder)
    data = load("ETTh1")
    known = data.frame.iloc[: require_borders(data).validation_end]
    draw_memory(KLMemoryForecaster(horizon=96).fit(known), "etth1", folder)


if __name__ == "__main__":
    main()

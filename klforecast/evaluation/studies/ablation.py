"""What each part of the linear core is worth: the test error with one part off at a time.

    python -m klforecast.evaluation.studies.ablation --dataset ETTh1 --horizons 96 192 336 720

Every variant is solved on the training and validation rows and scored on all test windows, in
training deviations, as in `klforecast.evaluation.benchmark.protocol`. Nothing is chosen by these numbers:
the test rows are looked at only here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from rich.table import Table

from klforecast.core.experts import Expert, FoldedExpert, RidgeExpert
from klforecast.core.linear_core import LinearCore
from klforecast.core.plan import CorePlan, plan_core
from klforecast.core.solve import solve_settled
from klforecast.data.datasets import Dataset, dataset_names, load
from klforecast.data.periods import find_periods
from klforecast.data.scaling import Standardizer
from klforecast.data.splits import window_cutoffs
from klforecast.data.windows import sliding_windows
from klforecast.evaluation.benchmark.protocol import require_borders, score_windows, standardize
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import cpu_seconds

_WINDOWS_AT_ONCE = 256  # 5 MB of weather at the depth of a week


class Variant(NamedTuple):
    """The default plan with one part changed.

    Attributes
    ----------
    name : str
        What is changed.
    options : mapping
        Arguments of `plan_core` that differ.
    edit : callable
        From the plan to the one that is solved.
    """

    name: str
    options: Mapping[str, Any] = {}
    edit: Callable[[CorePlan], CorePlan] = lambda plan: plan


def without(name: str, drop: Callable[[Expert], bool]) -> Variant:
    """The variant that lacks the experts for which `drop` is true."""
    return Variant(
        name,
        edit=lambda plan: plan._replace(
            experts=tuple(expert for expert in plan.experts if not drop(expert))
        ),
    )


VARIANTS = (
    Variant("all parts"),
    without("no folded experts", lambda expert: isinstance(expert, FoldedExpert)),
    without(
        "no uncentred experts",
        lambda expert: isinstance(expert, RidgeExpert) and expert.reverts,
    ),
    without("no maps per channel", lambda expert: expert.pooling == "channel"),
    without("no shared maps", lambda expert: expert.pooling == "shared"),
    without("no reference experts", lambda expert: expert.pooling == "none"),
    # So strong a pull that the evidence moves no digit of the weights.
    Variant("prior weights alone", edit=lambda plan: plan._replace(shrinkage=1e12)),
    Variant("no shrinkage", edit=lambda plan: plan._replace(shrinkage=0.0)),
    Variant("recent window alone", {"memory": "none"}),
    Variant("24 components a block", {"n_components": 24}),
    Variant("192 components a block", {"n_components": 192}),
)


def ablate(data: Dataset, horizon: int, variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Solve and score variants of the core for one horizon.

    Parameters
    ----------
    data : Dataset
        With borders.
    horizon : int
        Steps ahead.
    variants : sequence of Variant
        The first is what the others are compared with.

    Returns
    -------
    list of dict
        One row for each variant: data set, horizon, variant, mse, mae, number of windows, CPU seconds
        of the fit.
    """
    borders = require_borders(data)
    y = standardize(data)
    cutoffs = window_cutoffs(*borders.test, horizon)
    rows = []
    for variant in variants:
        model = VariantModel(variant, horizon)
        seconds = cpu_seconds(partial(model.fit, y.iloc[: borders.validation_end]))
        scores = score_windows(model, y, cutoffs, horizon)
        rows.append(
            {
                "dataset": data.name,
                "dataset_sha256": data.sha256,
                "horizon": horizon,
                "variant": variant.name,
                "mse": scores.mse,
                "mae": scores.mae,
                "n_test_windows": scores.n_windows,
                "fit_seconds": seconds,
            }
        )
    return rows


class VariantModel:
    """A variant of the core as the protocol asks for a model.

    Parameters
    ----------
    variant : Variant
    horizon : int
        Steps ahead.
    """

    core_: LinearCore

    def __init__(self, variant: Variant, horizon: int):
        self.variant = variant
        self.horizon = horizon

    def fit(self, y: pd.DataFrame) -> Self:
        """Solve the core on the rows of `y`."""
        rows = y.to_numpy()
        self.scaler_ = Standardizer.fit(rows)
        periods = find_periods(rows, getattr(y.index, "freq", None))
        plan = plan_core(
            [len(rows)], rows.shape[1], self.horizon, periods=periods, **self.variant.options
        )
        panel = [torch.from_numpy(self.scaler_.transform(rows))]
        self.core_ = solve_settled(panel, self.variant.edit(plan)).core
        return self

    def predict_windows(self, y: pd.DataFrame, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Forecast from each cutoff, (cutoffs, horizon, channels)."""
        rows = torch.from_numpy(self.scaler_.transform(y.to_numpy())).float()
        windows = sliding_windows(rows, self.core_.depth)
        starts = torch.as_tensor(np.asarray(cutoffs)) - self.core_.depth
        with torch.no_grad():
            parts = [self.core_(windows[few]) for few in starts.split(_WINDOWS_AT_ONCE)]
        return self.scaler_.inverse_transform(torch.cat(parts).numpy())

    def get_params(self) -> dict[str, Any]:
        """Return the name of the variant and the horizon."""
        return {"variant": self.variant.name, "horizon": self.horizon}


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line for each variant: its error at each horizon, and the loss against all parts."""
    horizons = sorted({row["horizon"] for row in rows})
    mse = {(row["variant"], row["horizon"]): row["mse"] for row in rows}
    names = list(dict.fromkeys(row["variant"] for row in rows))
    whole = sum(mse[names[0], horizon] for horizon in horizons)
    lines = []
    for name in names:
        errors = [mse[name, horizon] for horizon in horizons]
        mean, loss = sum(errors) / len(errors), 100 * (sum(errors) / whole - 1)
        lines.append((name, *(f"{error:.4f}" for error in errors), f"{mean:.4f}", f"{loss:+.1f} %"))
    return make_table(
        f"{rows[0]['dataset']}: test MSE with one part off at a time",
        ("variant", *map(str, horizons), "mean", "loss"),
        lines,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--dataset", default="ETTh1", choices=dataset_names())
    parser.add_argument("--horizons", type=int, nargs="+", default=[96, 192, 336, 720])
    options = parser.parse_args(arguments)
    data = load(options.dataset)
    rows = [row for horizon in options.horizons for row in ablate(data, horizon, VARIANTS)]
    append_rows(options.out, rows)
    show(table(rows))


if __name__ == "__main__":
    main()

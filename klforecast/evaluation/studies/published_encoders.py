"""The page that holds every encoder to its published ETTh1 result, generated from rows.

klforecast benchmark --model published-encoders --dataset ETTh1 --out published_encoders.jsonl
python -m klforecast.evaluation.studies.published_encoders published_encoders.jsonl

gap = 100 (ours - published) / published          mean over seeds; held if it is at most 3 %
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from klforecast.evaluation.benchmark.encoder_recipes import ENCODER_RECIPES, UNPUBLISHED
from klforecast.evaluation.benchmark.published import STANDARD_HORIZONS
from klforecast.evaluation.benchmark.rows import read_rows
from klforecast.evaluation.studies.command import make_parser, write_page

TOLERANCE = 3.0
"""Gap in percent up to which an encoder is held."""

_DATASET = "ETTh1"


class Line(NamedTuple):
    """One encoder at one horizon, or over all four."""

    encoder: str
    horizon: int | None  # None is the mean over all
    ours: float
    published: float
    n_seeds: int
    input_length: int
    cpu_seconds: float
    note: Mapping[str, Any]

    @property
    def gap(self) -> float:
        """Percent of the published error; positive is worse than it."""
        return 100 * (self.ours / self.published - 1)

    @property
    def is_held(self) -> bool:
        """Whether the published error is reached within the tolerance."""
        return self.gap <= TOLERANCE


def hold(rows: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Hold rows against what their authors printed.

    Parameters
    ----------
    rows : iterable of mapping
        Of ``klforecast benchmark --model published-encoders``; others, failed ones and those
        without a published result are left out. Of equal cells the last one counts.

    Returns
    -------
    list of Line
        In the order of the recipes. An encoder with an average in print and all four horizons
        measured has a line for the mean as well.
    """
    found: dict[str, dict[int, dict[int, Mapping[str, Any]]]] = {}
    for row in rows:
        encoder, _, kind = row["model"].partition("/")
        wanted = kind == "published" and row["error"] is None and row["published"]
        if wanted and row["dataset"] == _DATASET and not row["changed_params"]:
            by_seed = found.setdefault(encoder, {}).setdefault(row["horizon"], {})
            by_seed[row["seed"]] = row
    lines = []
    for encoder in (name for name in ENCODER_RECIPES if name in found):
        of = {horizon: list(found[encoder][horizon].values()) for horizon in sorted(found[encoder])}
        for horizon, cells in of.items():
            if cells[0]["published"]["mse_at_horizon"] is not None:
                target = cells[0]["published"]["mse_at_horizon"]
                lines.append(_line(encoder, horizon, [cells], target))
        average = next(iter(of.values()))[0]["published"]["mse"]
        if average is not None and tuple(of) == STANDARD_HORIZONS:
            lines.append(_line(encoder, None, list(of.values()), average))
    return lines


def _line(
    encoder: str,
    horizon: int | None,
    by_horizon: Sequence[Sequence[Mapping[str, Any]]],
    published: float,
) -> Line:
    first = by_horizon[0][0]
    return Line(
        encoder,
        horizon,
        fmean(fmean(row["mse"] for row in cells) for cells in by_horizon),
        published,
        min(map(len, by_horizon)),
        first["input_length"],
        sum(fmean(row["cpu_seconds"] for row in cells) for cells in by_horizon),
        first["published"],
    )


def render_page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    rows : sequence of mapping
        As for `hold`.
    """
    lines = hold(rows)
    return (
        "\n\n".join(
            [
                "# Encoders and their papers",
                _INTRODUCTION,
                _table(lines),
                *_conclusion(lines),
                "## What is done otherwise",
                _DIFFERENCES,
                _differences(),
                *_measured_otherwise(lines),
                "## No number to hold to",
                "\n".join(f"- `{name}`: {reason}." for name, reason in UNPUBLISHED.items()),
                _COMMANDS,
            ]
        )
        + "\n"
    )


_INTRODUCTION = f"""\
`KLMemoryForecaster(encoder=NAME, linear_core=False, memory="none")` is the encoder alone. Here each
one with a published result on {_DATASET} runs with the lookback, width, depth, batch, learning rate
and schedule of its authors, as far as the estimator has the option, trained on the training part
and stopped on the validation part, and every test window is scored. Nothing was tuned here.

MSE in units of the training deviation; the gap is in percent of the published number, and a
negative one is better than it. *Loader* says what is known of the windows that the published number
was scored on: a skewed loader dropped the last incomplete batch."""

_DIFFERENCES = """\
For every encoder: windows are normalised by their mean and deviation before it, whatever its own
normalisation; a gate per channel multiplies its forecast; no incomplete batch is dropped; no
calendar marks are read. And besides:"""

_COMMANDS = """\
## Run it again

```bash
klforecast benchmark --model published-encoders --dataset ETTh1 --horizon 96 \\
  --out docs/results/published_encoders.jsonl
python -m klforecast.evaluation.studies.published_encoders docs/results/published_encoders.jsonl \\
  --out docs/evidence/published_encoders.md
```

A single encoder is `--model nlinear/published`. Without `--horizon` all four are run. The settings
are in `klforecast/evaluation/benchmark/encoder_recipes.py`, the published numbers with their sources in
`klforecast/evaluation/benchmark/published.json`."""


def _table(lines: Sequence[Line]) -> str:
    out = [
        "| encoder | lookback | horizon | ours | published | gap | loader | seeds | CPU s |",
        "|---|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    for line in lines:
        mark = "" if line.is_held else " **above**"
        cells = [
            f"`{line.encoder}`",
            str(line.input_length),
            "mean" if line.horizon is None else str(line.horizon),
            f"{line.ours:.4f}",
            f"{line.published:.3f}",
            f"{line.gap:+.1f} %{mark}",
            line.note["loader"],
            str(line.n_seeds),
            f"{line.cpu_seconds:.0f}",
        ]
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out)


def _conclusion(lines: Sequence[Line]) -> list[str]:
    reached: dict[str, bool] = {}
    for line in lines:
        reached[line.encoder] = reached.get(line.encoder, True) and line.is_held
    held = [name for name, is_held in reached.items() if is_held]
    parts = [
        f"Of {len(reached)} encoders, {len(held)} reach what is published within "
        f"{TOLERANCE:.0f} % wherever they were run: {_names(held)}."
    ]
    above = [name for name in reached if name not in held]
    if above:
        parts.append(f"Above it somewhere: {_names(above)}.")
    missing = [name for name in ENCODER_RECIPES if name not in reached]
    if missing:
        parts.append(f"Not run, for want of computing time: {_names(missing)}.")
    sources = {line.encoder: line.note["source"] for line in lines}
    parts.append("Sources: " + "; ".join(f"`{n}` {text}" for n, text in sources.items()) + ".")
    return parts


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _differences() -> str:
    return "\n".join(f"- `{name}`: {recipe.otherwise}." for name, recipe in ENCODER_RECIPES.items())


def _measured_otherwise(lines: Sequence[Line]) -> list[str]:
    changed = {
        line.encoder: ENCODER_RECIPES[line.encoder].measured_as
        for line in lines
        if ENCODER_RECIPES[line.encoder].measured_as
    }
    if not changed:
        return []
    return [
        "## Rows of an earlier network",
        "These networks have come closer to their papers since their rows were measured, for want of "
        "computing time not again; the rows are those of:",
        "\n".join(f"- `{name}`: {what}." for name, what in changed.items()),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the page, or write it to a file."""
    parser = make_parser(__doc__)
    parser.add_argument("rows", type=Path, nargs="+", help="files that `benchmark` wrote")
    parser.add_argument("--out", type=Path, help="page to write; default: the terminal")
    options = parser.parse_args(arguments)
    write_page(render_page(read_rows(*options.rows)), options.out)


if __name__ == "__main__":
    main()

"""The page that says what memory is worth, generated from the rows of two commands.

klforecast benchmark --model encoders --dataset ETTh1 --horizon 96 --seed 0 --out encoders.jsonl
python -m klforecast.evaluation.studies.long_recall --out long_recall.jsonl
python -m klforecast.evaluation.studies.does_memory_help encoders.jsonl --recall long_recall.jsonl

Gains are those of `klforecast.evaluation.studies.memory_gains`. Rows of
`klforecast.evaluation.studies.memory_grid` give the first sentence and the first tables.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from klforecast.evaluation.benchmark.models import ENCODER_BUDGET
from klforecast.evaluation.benchmark.rows import read_rows
from klforecast.evaluation.studies.command import make_parser, write_page
from klforecast.evaluation.studies.memory_gains import Estimate, estimate, paired_gain, tally
from klforecast.evaluation.studies.memory_grid_page import in_one_sentence, section_of
from klforecast.modules.encoders import ENCODERS

SOURCES = ("history", "trajectory")
WINDOW = "window"  # no memory, but a window that reaches as far back as the history does
_COMPARED = (*SOURCES, WINDOW)


class Line(NamedTuple):
    """What memory did for one encoder in one cell."""

    encoder: str
    errors: dict[str, Estimate]  # "none", a source or "window" -> error
    gains: dict[str, Estimate]  # a source or "window" -> percent of the error without memory
    cpu_seconds: float


def compare(rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Compare the memories of each encoder, seed by seed.

    Parameters
    ----------
    rows : sequence of mapping
        Of one data set and horizon, models named encoder/memory; rows with an error are left out.
        Those without memory whose `input_length` was changed are the longer window.

    Returns
    -------
    list of Line
        Lowest error without memory first; an encoder that was not run without memory is left out.
    """
    found: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    for row in rows:
        encoder, _, memory = row["model"].partition("/")
        if "input_length" in (row["changed_params"] or {}):
            memory = WINDOW if memory == "none" else ""
        if row["error"] is None and memory:
            found.setdefault(encoder, {}).setdefault(memory, {})[row["seed"]] = row
    lines = []
    for encoder, memories in found.items():
        without = memories.get("none")
        if without is None:
            continue
        gains = {}
        for source in _COMPARED:
            gain = paired_gain(_errors(without), _errors(memories.get(source, {})))
            if gain is not None:
                gains[source] = gain
        errors = {
            memory: estimate([row["mse"] for row in of.values()]) for memory, of in memories.items()
        }
        seconds = fmean(row["cpu_seconds"] for of in memories.values() for row in of.values())
        lines.append(Line(encoder, errors, gains, seconds))
    return sorted(lines, key=lambda line: line.errors["none"].mean)


def _errors(rows: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    return {seed: row["mse"] for seed, row in rows.items()}


def render_page(
    rows: Sequence[Mapping[str, Any]],
    recall: Sequence[Mapping[str, Any]] = (),
    grid: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of ``klforecast benchmark --model encoders``.
    recall : sequence of mapping, default=()
        Rows of ``python -m klforecast.evaluation.studies.long_recall``.
    grid : sequence of mapping, default=()
        Rows of ``python -m klforecast.evaluation.studies.memory_grid``.
    """
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_cell(row), []).append(row)
    lines = {cell: compare(groups[cell]) for cell in sorted(groups)}
    introduction = _INTRODUCTION.format(budget=_budget(ENCODER_BUDGET), window=_reach(rows))
    parts = ["# Does memory help?"]
    if grid:
        parts += [in_one_sentence(grid), section_of(grid), "## Every encoder on a small budget"]
    parts += [introduction, *_measured_at(rows), "## In short", _verdict(lines)]
    for cell, found in lines.items():
        dataset, fit_on, changed, horizon = cell
        seeds = sorted({row["seed"] for row in groups[cell]})
        budget = f", {_budget(dict(changed))}" if changed else ""
        parts += [
            f"## {dataset}, {horizon} steps ahead{budget}",
            f"Fitted on {fit_on}; seeds run: {', '.join(map(str, seeds))}. Every test window is "
            f"scored ({groups[cell][0]['n_test_windows']}).",
            _table(found),
            _coverage(found, groups[cell]),
            *(_conclusion(found, source) for source in _COMPARED if _gains(found, source)),
        ]
    if recall:
        parts += ["## A task that no window can solve", _RECALL, _recall_table(recall)]
    parts.append(_COMMANDS)
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """\
Karhunen-Loève tokens can be put in front of any sequence model. Whether they help is asked here of
every encoder by name, with the same small budget for all of them and without the linear core under
them, so that what is compared is the encoder with a memory and the same encoder without. The budget:
{budget}.
Budgets this small leave every network short of its best: compare the numbers of a line with each
other, not with what the model reaches elsewhere. `linear` is the closed form, solved and not trained, with
its own much deeper history (the mixture of memories).

*history*: tokens from the past of each window, which reaches further back than the window does.
*window*: no memory, but a window of {window} steps, which reaches as far back as the history: the
other way to use those steps. *trajectory*: tokens from summaries of training batches, those of the
epoch that was best on the validation part, the same for every forecast. Gains are in percent of the
MSE without memory, seed by seed; positive is better; intervals are 95 % over seeds, and none is given
for a single seed, which says nothing about luck."""

_RECALL = """\
One of four shapes is shown over 24 steps; noise follows, and the encoder sees the last 48 of 264
steps. The history does hold the shape, so a memory of it must matter; the trajectory holds nothing
of the sequence that is asked about and cannot. Accuracy in percent; chance is 25."""

_COMMANDS = """\
## Run it again

```bash
klforecast benchmark --model encoders --dataset ETTh1 --horizon 96 --fit-on train \\
  --seed 0 --seed 1 --seed 2 --out docs/results/encoders.jsonl
klforecast benchmark --model gru/none --dataset ETTh1 --horizon 96 --fit-on train \\
  --param input_length=432 --out docs/results/encoders.jsonl    # the longer window, encoder by encoder
klforecast benchmark --model encoders --dataset ETTh1 --horizon 96 --fit-on train \\
  --param max_epochs=5 --out docs/results/encoders.jsonl
python -m klforecast.evaluation.studies.long_recall --out docs/results/long_recall.jsonl
python -m klforecast.evaluation.studies.does_memory_help docs/results/encoders.jsonl \\
  --recall docs/results/long_recall.jsonl --grid docs/results/memory_grid.jsonl --out docs/evidence/does_memory_help.md
```

`--param linear_core=true` asks the same of encoders that correct the linear core, their memory and that of the core
changed together; without `--horizon` all four horizons are run."""


def _budget(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def _measured_at(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which states of the package the rows are of; nothing where they do not tell."""
    counts = Counter(row["commit"][:7] for row in rows if row["commit"])
    if not counts:
        return []
    commits = ", ".join(f"{commit} ({count} rows)" for commit, count in counts.most_common())
    return [
        f"Measured at the commits {commits}; what encoders, core and training have become since then "
        "is not in these tables."
    ]


def _cell(row: Mapping[str, Any]) -> tuple[str, str, tuple[tuple[str, Any], ...], int]:
    """Data set, rows fitted on, what the budget was changed to, and horizon; they sort in that order."""
    changed = {k: v for k, v in (row["changed_params"] or {}).items() if k != "input_length"}
    return row["dataset"], row["fit_on"], tuple(sorted(changed.items())), row["horizon"]


def _reach(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lengths of the longer windows that were run."""
    changes = [row["changed_params"] or {} for row in rows]
    found = {changed["input_length"] for changed in changes if "input_length" in changed}
    return " or ".join(map(str, sorted(found))) or "more"


def _gains(lines: Sequence[Line], source: str) -> list[Estimate]:
    return [line.gains[source] for line in lines if source in line.gains]


def _table(lines: Sequence[Line]) -> str:
    shown = [source for source in _COMPARED if source != WINDOW or _gains(lines, WINDOW)]
    titles = ["encoder", "none", *shown, *(f"gain, {source}" for source in shown), "CPU s"]
    out = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for line in lines:
        errors = [
            f"{line.errors[memory].mean:.4f}" if memory in line.errors else "-"
            for memory in ("none", *shown)
        ]
        gains = [
            f"{line.gains[source]:+.1f} %" if source in line.gains else "-" for source in shown
        ]
        cells = [line.encoder, *errors, *gains, f"{line.cpu_seconds:.0f}"]
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out)


def _verdict(cells: Mapping[tuple, Sequence[Line]]) -> str:
    """One sentence for each source over all tables, and how history compares with a longer window."""
    sentences = []
    for source in _COMPARED:
        gains = [gain for lines in cells.values() for gain in _gains(lines, source)]
        if gains:
            found = tally(gains)
            sentences.append(
                f"*{source}* lowers the error in {found.n_above} of {found.n} cells of encoder and "
                f"horizon, by {found.median:+.1f} % in the median ({_medians(cells, source)}); "
                f"beyond chance over seeds it helps in {found.n_helps} and harms in {found.n_harms}."
            )
    pairs = [
        (line.errors["history"].mean, line.errors[WINDOW].mean)
        for lines in cells.values()
        for line in lines
        if {"history", WINDOW} <= set(line.errors)
    ]
    if pairs:
        better = sum(history < window for history, window in pairs)
        sentences.append(
            f"Where both were run, tokens of the history beat the longer window for {better} of "
            f"{len(pairs)} encoders."
        )
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _medians(cells: Mapping[tuple, Sequence[Line]], source: str) -> str:
    """Median gain of each table."""
    parts = []
    for (dataset, _, changed, horizon), lines in cells.items():
        if gains := _gains(lines, source):
            budget = f" with {_budget(dict(changed))}" if changed else ""
            parts.append(f"{dataset} {horizon} steps{budget} {tally(gains).median:+.1f} %")
    return ", ".join(parts)


def _coverage(lines: Sequence[Line], rows: Sequence[Mapping[str, Any]]) -> str:
    """Say what the table cost, and which encoders it lacks."""
    minutes = sum(row["cpu_seconds"] or 0 for row in rows) / 60
    missing = [name for name in ENCODERS if name not in {line.encoder for line in lines}]
    text = f"{len(rows)} cells, {minutes:.0f} minutes of one core in all."
    if missing:
        text += f" Not run, for want of computing time: {', '.join(missing)}."
    return text


def _conclusion(lines: Sequence[Line], source: str) -> str:
    gains = _gains(lines, source)
    found, n_several = tally(gains), sum(gain.n_seeds > 1 for gain in gains)
    text = (
        f"With *{source}* the error falls for {found.n_above} of {found.n} encoders, the median "
        f"gain is {found.median:+.1f} %, from "
        f"{min(gain.mean for gain in gains):+.1f} to {max(gain.mean for gain in gains):+.1f} %."
    )
    if n_several:
        text += (
            f" Of {n_several} with several seeds, the interval lies above zero for {found.n_helps} "
            f"and below it for {found.n_harms}."
        )
    return text


def _recall_table(rows: Sequence[Mapping[str, Any]]) -> str:
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        by_memory = found.setdefault(row["encoder"], {})
        by_memory.setdefault(row["memory"], []).append(100 * row["accuracy"])
    out = ["| encoder | none | history | trajectory | seeds |", "|---|---|---|---|---|"]
    for encoder, memories in found.items():
        cells = [
            f"{estimate(memories[memory]):.0f}" if memory in memories else "-"
            for memory in ("none", *SOURCES)
        ]
        out.append(f"| {encoder} | {' | '.join(cells)} | {max(map(len, memories.values()))} |")
    budget = {key: rows[0][key] for key in ("n_steps", "batch_size", "lr", "d_model", "n_layers")}
    return "\n".join(out) + f"\n\nBudget of each: {_budget(budget)}."


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the page, or write it to a file."""
    parser = make_parser(__doc__)
    parser.add_argument("rows", type=Path, nargs="+", help="files that `benchmark` wrote")
    parser.add_argument("--recall", type=Path, help="file that `long_recall` wrote")
    parser.add_argument("--grid", type=Path, help="file that `memory_grid` wrote")
    parser.add_argument("--out", type=Path, help="page to write; default: the terminal")
    options = parser.parse_args(arguments)
    lines = options.recall.read_text(encoding="utf-8").splitlines() if options.recall else []
    grid = read_rows(options.grid) if options.grid else []
    page = render_page(read_rows(*options.rows), [json.loads(line) for line in lines], grid)
    write_page(page, options.out)


if __name__ == "__main__":
    main()

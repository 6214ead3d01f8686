"""What the rows of `klforecast.evaluation.studies.memory_grid` say, as a sentence and as tables."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import Any, NamedTuple

from klforecast.evaluation.json_lines import plain
from klforecast.evaluation.studies.command import markdown_table
from klforecast.evaluation.studies.memory_gains import Estimate, estimate, paired_gain, tally
from klforecast.evaluation.studies.memory_grid import (
    BUDGET,
    DATASET,
    ENCODERS,
    HORIZONS,
    MEMORIES,
    SEEDS,
)

_NAMES = {plain(options): name for name, options in MEMORIES.items()}
_TOKENS = tuple(name for name in MEMORIES if name != "none")


class Key(NamedTuple):
    """A cell of the grid but for its seed."""

    horizon: int
    core: bool
    encoder: str
    memory: str


Errors = Mapping[Key, Mapping[int, float]]
"""By cell and seed."""


def errors_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Errors, dict[int, float]]:
    """Errors of the encoders, and of the core by itself by horizon; rows that failed are left out."""
    found: dict[Key, dict[int, float]] = {}
    alone: dict[int, float] = {}
    for row in rows:
        changed = row["changed_params"]
        if row["error"] is not None:
            continue
        if changed["encoder"] == "linear":
            alone[row["horizon"]] = row["mse"]
        else:
            memory = _NAMES[changed["memory_options"]]
            key = Key(row["horizon"], changed["linear_core"], changed["encoder"], memory)
            found.setdefault(key, {})[row["seed"]] = row["mse"]
    return found, alone


def in_one_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say whether a correction of the core earns its place, and what tokens add."""
    errors, alone = errors_of(rows)
    corrections = [
        gain
        for key, of in errors.items()
        if key.core and (gain := _beside_core(alone.get(key.horizon), of))
    ]
    if not corrections:
        return ""
    found = tally(corrections)
    on_core = found.n_above > found.n / 2 and found.median > 0
    verdict = (
        "A network with a memory improves on a linear core that reads the past"
        if on_core
        else "No network, with a memory or without, earns its place on a linear core that reads the past"
    )
    parts = [
        f"{verdict}: {found.n_above} of {found.n} combinations of encoder, tokens and horizon have a lower "
        f"error than the core by itself, and the median gain over it is {found.median:+.1f} %."
    ]
    for core, where in ((True, "on the core"), (False, "without the core")):
        said = [
            f"{memory} {tally(gains).median:+.1f} %"
            for memory in _TOKENS
            if (gains := _token_gains(errors, memory, core))
        ]
        if said:
            parts.append(f"Tokens change the error of an encoder {where}: {', '.join(said)}.")
    return " ".join(parts) + f" ({DATASET}; gains in the median, positive is better.)"


def section_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Tables for each horizon, what they lack, and how they were made."""
    errors, alone = errors_of(rows)
    parts = ["## Alone, and on a core that reads the past", _INTRODUCTION.format(budget=_budget())]
    for horizon, core in product(HORIZONS, (True, False)):
        lines = list(_lines(errors, alone.get(horizon), horizon, core))
        if lines:
            title = f"The core by itself: {alone[horizon]:.4f}." if core else "No core."
            columns = ("encoder", "no tokens", *(["against the core"] if core else []))
            columns += (*_TOKENS, "seeds")
            parts += [f"**{horizon} steps ahead.** {title}", markdown_table(columns, lines).strip()]
    parts += [_missing(errors, rows), _COMMAND]
    return "\n\n".join(parts)


def _lines(
    errors: Errors, alone: float | None, horizon: int, core: bool
) -> Iterable[Sequence[str]]:
    for encoder in ENCODERS:
        of = {memory: errors.get(Key(horizon, core, encoder, memory), {}) for memory in MEMORIES}
        if not of["none"]:
            continue
        cells = [encoder, f"{fmean(of['none'].values()):.4f}"]
        if core:
            cells.append(_text(_beside_core(alone, of["none"])))
        cells += [_text(paired_gain(of["none"], of[memory])) for memory in _TOKENS]
        yield [*cells, str(max(map(len, of.values())))]


def _text(gain: Estimate | None) -> str:
    return "-" if gain is None else f"{gain:+.1f} %"


def _beside_core(alone: float | None, errors: Mapping[int, float]) -> Estimate | None:
    if alone is None or not errors:
        return None
    return estimate([100 * (1 - error / alone) for error in errors.values()])


def _token_gains(errors: Errors, memory: str, core: bool) -> list[Estimate]:
    gains = (
        paired_gain(errors.get(key._replace(memory="none"), {}), of)
        for key, of in errors.items()
        if key.memory == memory and key.core == core
    )
    return [gain for gain in gains if gain is not None]


def _missing(errors: Errors, rows: Sequence[Mapping[str, Any]]) -> str:
    """Count what was run, and say what was not."""
    minutes = sum(row["cpu_seconds"] or 0 for row in rows) / 60
    wanted = [Key(*key) for key in product(HORIZONS, (True, False), ENCODERS, MEMORIES)]
    n_run = sum(len(errors.get(key, {})) for key in wanted)
    text = f"{n_run} of {len(wanted) * len(SEEDS)} cells were run, in {minutes:.0f} minutes of one core."
    for horizon, seed in product(HORIZONS, SEEDS):
        of_seed = [key for key in wanted if key.horizon == horizon]
        n_found = sum(seed in errors.get(key, {}) for key in of_seed)
        if n_found < len(of_seed):
            text += f" At {horizon} steps with seed {seed}: {n_found} of {len(of_seed)}."
    return text


def _budget() -> str:
    return ", ".join(f"{name}={value}" for name, value in BUDGET.items())


_INTRODUCTION = f"""\
What do tokens add to an encoder that corrects a core with a history of its own, and what to the same encoder without
one? {DATASET}, fitted on the training part, every test window scored, stopped by the newest fifth of the rows it
is fitted on: {{budget}}. *No tokens* is the mean squared error without a memory of the encoder, *against the core*
the gain of that over the core by itself. The other columns are gains over no tokens, in percent and seed by seed, with
tokens of the past of each window (*history*), of the training run (*trajectory*), and of the training run by writes
that learn (*trained writes*: `detach=False`). Intervals are 95 % over seeds; a single seed says nothing about luck."""

_COMMAND = """\
```bash
python -m klforecast.evaluation.studies.memory_grid --out docs/results/memory_grid.jsonl
```

goes on with the cells that the file lacks, those that say most first."""

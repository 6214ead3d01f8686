"""What every command says in the terminal: what was found in a file, and what was written."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from klforecast.commands.series_file import SeriesFile
from klforecast.commands.wording import opening


def say_file(console: Console, file: SeriesFile, notes: Sequence[str]) -> None:
    """Say what a file holds, and what to know of it."""
    console.print(opening(file), highlight=False, markup=False)
    for note in notes:
        console.print(f"  {note}", style="yellow", highlight=False, markup=False)


def say_written(console: Console, *paths: Path | None) -> bool:
    """Name the files that were asked for; tell whether there were any."""
    written = [str(path) for path in paths if path is not None]
    if written:
        console.print(f"written: {', '.join(written)}", highlight=False, markup=False)
    return bool(written)

"""Arguments that the commands for a file share, and how they end where the file cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from klforecast.exceptions import KLForecastError

File: TypeAlias = Annotated[
    Path, typer.Argument(help="CSV, gzipped CSV or Parquet, one row for each series and time.")
]
Horizon: TypeAlias = Annotated[int, typer.Option(min=1, help="Steps ahead.")]
Html: TypeAlias = Annotated[
    Path | None, typer.Option(help="Write a page with pictures and numbers.")
]
Time: TypeAlias = Annotated[str | None, typer.Option(help="Column of times.")]
Ids: TypeAlias = Annotated[
    list[str] | None, typer.Option("--id", help="Column that names the series; repeat.")
]
Targets: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Column to forecast; repeat, each is a series.")
]
Covariates: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Column of numbers that may help; repeat.")
]
Future: TypeAlias = Annotated[
    Path | None, typer.Option(help="File of the covariates ahead, with the same columns.")
]
Holidays: TypeAlias = Annotated[
    str | None, typer.Option(help="Country of the holidays, as DE or AU-VIC. Default: none.")
]
Freq: TypeAlias = Annotated[
    str | None, typer.Option(help="Step of the times, as h, D, W-SUN, MS. Default: found.")
]
Decimal: TypeAlias = Annotated[
    str | None, typer.Option(help="Sign before the decimals, . or a comma. Default: found.")
]
Thousands: TypeAlias = Annotated[
    str | None, typer.Option(help="Sign between thousands, a comma or . Default: found.")
]
Zone: TypeAlias = Annotated[
    str | None, typer.Option("--tz", help="Zone of the clocks, as Europe/Berlin. Default: none.")
]


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """End with the message of an error and exit code 2, instead of a traceback."""
    try:
        yield
    except (ValueError, TypeError, ImportError, OSError, KLForecastError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error

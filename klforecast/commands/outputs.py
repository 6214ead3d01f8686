"""Files that the commands write when asked: checked before any work is done, written at its end."""

from pathlib import Path

import pandas as pd

_TABLES = (".csv", ".csv.gz", ".parquet")
_PICTURES = (".png", ".svg", ".pdf")
_PAGES = (".html", ".htm")


def check_outputs(out: Path | None, plot: Path | None, html: Path | None) -> None:
    """Raise unless the files that are asked for can be written.

    Raises
    ------
    ValueError
        For an unknown ending, a missing folder, or two names that are one.
    ImportError
        If a picture is asked for and matplotlib is not installed, or Parquet and pyarrow is not.
    """
    for path, option, endings in (
        (out, "--out", _TABLES),
        (plot, "--plot", _PICTURES),
        (html, "--html", _PAGES),
    ):
        if path is None:
            continue
        if not path.name.lower().endswith(endings):
            raise ValueError(f"{option} {path}: the name has to end in {' or '.join(endings)}")
        if not path.parent.is_dir():
            raise ValueError(f"{option} {path}: there is no folder {path.parent}; make it first")
    if plot is not None or html is not None:
        _need("matplotlib", "a picture", "plot")
    if out is not None and out.suffix == ".parquet":
        _need("pyarrow", "Parquet", "parquet")


def write_table(rows: pd.DataFrame, path: Path) -> None:
    """Write rows as CSV, gzipped CSV or Parquet, by the ending of the name."""
    if path.suffix == ".parquet":
        rows.to_parquet(path, index=False)
    else:
        rows.to_csv(path, index=False)


def _need(package: str, what: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ImportError(
            f"{what} needs {package}, which is not installed; run pip install 'klforecast[{extra}]'"
        )

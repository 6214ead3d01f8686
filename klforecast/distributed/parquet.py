"""Panels in Parquet that are larger than memory: fitted and forecast by parts, each of which is kept when it is done.

    folder/run.json                      what the run is of; another run does not mix with it
    folder/survey-00012.safetensors      first pass
    folder/moments-120-00012.safetensors  second pass; 120 is the depth of a window
    folder/model.safetensors
    folder/forecast-00012.parquet        third pass

A file appears in one step, whole, so that a run that was killed is gone on with by the same call. The rows of the files
are ordered by series; a part is a range of labels, and one part is in memory in each process.
"""

import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset

from klforecast.distributed.agreement import Agreement, agree
from klforecast.distributed.frames import long_forecast, series_of
from klforecast.distributed.moments import PartMoments, part_moments
from klforecast.distributed.panel_model import PanelModel, fit_panel_model
from klforecast.distributed.parts import merge_all, run
from klforecast.distributed.survey import Survey, survey_part
from klforecast.estimators.arguments import check_integer
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.long_frames.columns import ID, TARGET, TIME, Columns
from klforecast.estimators.saving.files import SavedEstimator, write_atomically

Answer = TypeVar("Answer")


class LabelRange(NamedTuple):
    """A part: all series of a range of labels, and the row groups that hold them.

    Attributes
    ----------
    groups : tuple of (str, int)
        Files and numbers of row groups. Those at the ends may hold rows of the neighbours too.
    after : str, int or None
        Label before the first one; None for the first part.
    last : str or int
        Largest label.
    """

    groups: tuple[tuple[str, int], ...]
    after: Any
    last: Any


class _RowGroup(NamedTuple):
    """A row group, and its smallest and largest label."""

    first: Any
    last: Any
    path: str
    number: int
    rows: int


class Progress(NamedTuple):
    """Where a run stands after a part.

    Attributes
    ----------
    stage : {"survey", "moments", "forecast"}
        The pass.
    n_done, n_parts : int
        Of this pass.
    seconds_left : float or None
        Of this pass, from the mean of its parts so far; None where they were all there before.
    """

    stage: str
    n_done: int
    n_parts: int
    seconds_left: float | None


class Kept(SavedEstimator):
    """One result of a pass, in a file without code."""

    survey_: Survey
    moments_: PartMoments
    model_: PanelModel


def forecast_parquet(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    h: int,
    level: Sequence[int | float] | None = None,
    *,
    forecaster: KLMemoryForecaster | None = None,
    rows_per_part: int = 2_000_000,
    freq: str | BaseOffset | int | None = None,
    n_jobs: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    id_col: str = ID,
    time_col: str = TIME,
    target_col: str = TARGET,
) -> list[Path]:
    """Fit one model to all series of Parquet files and write their forecasts as Parquet.

    Parameters
    ----------
    source : str or path
        A file, or a folder of files that end in ``.parquet``, with a row for each series and time. Rows are
        ordered by series, across files too.
    folder : str or path
        Where parts are kept and forecasts written; made if absent. With the files of an unfinished run of the
        same arguments, that run goes on.
    h : int
        Steps ahead.
    level : sequence of float, optional
        Coverages of central intervals in percent.
    forecaster : KLMemoryForecaster, optional
        Whose arguments count; None takes the defaults and the horizon h.
    rows_per_part : int, default=2,000,000
        Rows that are held at once in each process, at least; some 150 bytes each.
    freq : str, offset, 1 or None, default=None
        Step of the times, as for `LongForecaster`.
    n_jobs : int, optional
        As for `fit_parts`.
    on_progress : callable, optional
        Called with a `Progress` after each part.
    id_col, time_col, target_col : str
        Names of the columns.

    Returns
    -------
    list of Path
        The files of forecasts, with the columns of `LongForecaster.predict`, in the order of the series.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If rows are not ordered by series, a row group has no statistics of the labels, or the folder is that of
        another run.
    FileNotFoundError
        If there is no Parquet file.

    Examples
    --------
    ::

        paths = forecast_parquet("sales/", "forecasts/", h=28, level=[80], freq="D")
        pandas.read_parquet(paths[0])
    """
    check_integer("rows_per_part", rows_per_part, minimum=1)
    columns = Columns(id_col, time_col, target_col)
    asked = KLMemoryForecaster(horizon=h) if forecaster is None else forecaster
    parts = parts_of(source, columns, rows_per_part)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    _check_run(place, [parts, h, level, repr(asked.get_params()), str(freq), columns])
    reader = _Reader(columns, None if freq in (None, 1) else to_offset(freq), place)
    numbered = list(enumerate(parts))

    def each(stage: str, work: Callable[[Any], Answer]) -> Iterator[Answer]:
        return _reported(run(work, numbered, n_jobs), stage, len(parts), on_progress)

    model_file = place / "model.safetensors"
    if model_file.exists():
        model = Kept.load(model_file).model_
    else:
        survey = merge_all(each("survey", reader.survey))
        agreed = agree(survey, asked)

        def take_moments(agreed: Agreement) -> PartMoments:
            return merge_all(each("moments", functools.partial(reader.moments, agreed=agreed)))

        model = fit_panel_model(agreed, survey, take_moments)
        _keep(model_file, model_=model)
    ask = functools.partial(reader.forecast, model=model, h=h, level=level)
    return list(each("forecast", ask))


class _Reader(NamedTuple):
    """What a part becomes in each pass, unless its file is there already."""

    columns: Columns
    step: BaseOffset | None
    folder: Path

    def series(self, part: LabelRange) -> dict[Key, TimeSeries]:
        tables = []
        for path, number in part.groups:
            file = _parquet().ParquetFile(path)
            rows = file.read_row_group(number, columns=list(self.columns)).to_pandas()
            labels = rows[self.columns.id]
            after = labels > part.after if part.after is not None else True
            tables.append(rows[(labels <= part.last) & after])
        return series_of(pd.concat(tables, ignore_index=True), self.columns, self.step)

    def survey(self, numbered: tuple[int, LabelRange]) -> Survey:
        path = self._path("survey", numbered[0])
        if not path.exists():
            _keep(path, survey_=survey_part(self.series(numbered[1]), self.step))
        return Kept.load(path).survey_

    def moments(self, numbered: tuple[int, LabelRange], agreed: Agreement) -> PartMoments:
        path = self._path(f"moments-{agreed.plan.depth}", numbered[0])
        if not path.exists():
            _keep(path, moments_=part_moments(self.series(numbered[1]), agreed))
        return Kept.load(path).moments_

    def forecast(
        self,
        numbered: tuple[int, LabelRange],
        model: PanelModel,
        h: int,
        level: Sequence[int | float] | None,
    ) -> Path:
        path = self._path("forecast", numbered[0], "parquet")
        if not path.exists():
            made = long_forecast(model, self.series(numbered[1]), h, level, self.columns)
            write_atomically(path, made.to_parquet(index=False))
        return path

    def _path(self, stage: str, number: int, ending: str = "safetensors") -> Path:
        return self.folder / f"{stage}-{number:05d}.{ending}"


def parts_of(source: str | os.PathLike, columns: Columns, rows_per_part: int) -> list[LabelRange]:
    """Cut Parquet files into ranges of series, from the statistics of their row groups alone.

    Parameters
    ----------
    source : str or path
        A file, or a folder of files that end in ``.parquet``.
    columns : Columns
    rows_per_part : int
        Of the row groups of each part at least, except those of the last one.

    Raises
    ------
    FileNotFoundError, ValueError
        As for `forecast_parquet`.
    """
    root = Path(source)
    paths = sorted(root.glob("*.parquet")) if root.is_dir() else [root]
    if not paths or not all(path.exists() for path in paths):
        raise FileNotFoundError(f"{root} is no Parquet file, and no folder with files *.parquet")
    groups = sorted(group for path in paths for group in _row_groups(path, columns))
    for one, two in pairwise(groups):
        if two.first < one.last:
            raise ValueError(
                f"series {two.first!r} to {two.last!r} in row group {two.number} of {two.path} overlap "
                f"with {one.first!r} to {one.last!r} in row group {one.number} of {one.path}; order the "
                f"rows by {columns.id}"
            )
    cuts, rows = [], 0
    for group in groups:
        rows += group.rows
        if rows >= rows_per_part:
            cuts.append(group.last)
            rows = 0
    cuts = list(dict.fromkeys([*cuts, groups[-1].last]))
    return [
        LabelRange(
            tuple(
                (group.path, group.number)
                for group in groups
                if group.first <= last and (after is None or group.last > after)
            ),
            after,
            last,
        )
        for after, last in zip([None, *cuts], cuts, strict=False)
    ]


def _row_groups(path: Path, columns: Columns) -> Iterator[_RowGroup]:
    about = _parquet().ParquetFile(path).metadata
    names = [about.schema.column(place).path for place in range(about.num_columns)]
    missing = [name for name in columns if name not in names]
    if missing:
        raise ValueError(
            f"{path} has no column {missing[0]!r}; it has {names}: name the columns with id_col, "
            "time_col and target_col"
        )
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        labels = group.column(names.index(columns.id)).statistics
        if labels is None or not labels.has_min_max:
            raise ValueError(
                f"row group {number} of {path} has no statistics of {columns.id!r}; write the file "
                "with them, as pandas and pyarrow do by default"
            )
        yield _RowGroup(labels.min, labels.max, str(path), number, group.num_rows)


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "Parquet files are read by pyarrow, which is not installed; run "
            "pip install 'klforecast[parquet]'"
        ) from error
    return pyarrow.parquet


def _keep(path: Path, **result: Any) -> None:
    kept = Kept()
    vars(kept).update(result)
    kept.save(path)


def _check_run(folder: Path, arguments: list) -> None:
    """Note what a run is of, or raise a ValueError if the folder holds another one."""
    sums = {"arguments": sha256(repr(arguments).encode()).hexdigest()}
    note = folder / "run.json"
    if not note.exists():
        write_atomically(note, json.dumps(sums).encode())
    elif json.loads(note.read_text(encoding="utf-8")) != sums:
        raise ValueError(
            f"{folder} holds parts of a run with other arguments or files; pass another folder, or delete it"
        )


def _reported(
    answers: Iterator[Answer],
    stage: str,
    n_parts: int,
    on_progress: Callable[[Progress], None] | None,
) -> Iterator[Answer]:
    begun = time.perf_counter()
    for n_done, answer in enumerate(answers, start=1):
        yield answer
        if on_progress is not None:
            mean = (time.perf_counter() - begun) / n_done
            on_progress(Progress(stage, n_done, n_parts, mean * (n_parts - n_done)))

"""Which columns of a table hold time, series, target and covariates: as named, else as they look."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from klforecast.commands.cells import is_missing, looks_numeric
from klforecast.commands.table_file import Table
from klforecast.commands.time_cells import (
    looks_like_seconds,
    looks_like_times,
    looks_like_unread_times,
)

_TIMES = (
    *(
        "ds",
        "date",
        "time",
        "timestamp",
        "ts",
        "datetime",
        "day",
        "week",
        "month",
        "quarter",
        "year",
    ),
    *(
        "datum",
        "zeit",
        "zeitpunkt",
        "zeitstempel",
        "uhrzeit",
        "tag",
        "woche",
        "monat",
        "quartal",
        "jahr",
    ),
    *("jour", "heure", "semaine", "mois", "trimestre", "année", "annee"),
    *("fecha", "hora", "día", "dia", "semana", "mes", "año", "ano", "giorno", "mese", "anno"),
)
_TIMES_IN_NUMBERS = (
    *("ds", "time", "timestamp", "ts", "zeit", "zeitstempel", "step", "t", "year", "period"),
    *("jahr", "année", "annee", "año", "anno"),
)
TIME_NAMES = {*_TIMES, *_TIMES_IN_NUMBERS}
"""Names, in small letters, of columns that are taken for times."""

_IDS = (
    *("unique_id", "series_id", "series", "id", "item_id", "item", "store_id", "store", "shop"),
    *("product_id", "product", "sku", "region", "country", "site", "station", "sensor", "meter"),
    *("name", "key", "symbol", "ticker"),
)
_TARGETS = ("y", "target", "value", "values", "sales", "demand", "quantity", "qty", "count", "load")

_CLOCK = r"\d{1,2}:\d{2}(:\d{2})?"
_AMOUNT = r"^[^\w\s]?[-+(]? ?\d[\d.,' ]*[^\d]{0,8}$"
_MOST_IDS = 3  # columns that are tried together: a store, a product, a channel


class Asked(NamedTuple):
    """What the user says of a file: its columns, signs in numbers, time zone; None where it is to be found."""

    time: str | None = None
    ids: Sequence[str] = ()
    targets: Sequence[str] = ()
    covariates: Sequence[str] = ()
    decimal: str | None = None
    thousands: str | None = None
    zone: str | None = None


class Roles(NamedTuple):
    """What each column is.

    Attributes
    ----------
    time : str or None
        None: the rows follow each other.
    ids, targets, covariates, unused : list of str
        Several ids name a series together; several targets are series of their own.
    """

    time: str | None
    ids: list[str]
    targets: list[str]
    covariates: list[str]
    unused: list[str]


def find_roles(table: Table, asked: Asked) -> Roles:
    """Find the roles of the columns.

    Raises
    ------
    ValueError
        If a named column is not there, or a role cannot be told; the message lists the columns and
        the option that names one.
    """
    columns = list(table.frame.columns)
    _check_named(table, asked, columns)
    _check_separated(table, columns)
    time = asked.time or _find_time(table, asked, columns)
    numeric = [name for name in columns if looks_numeric(table, name)]
    taken = {time, *asked.ids, *asked.covariates}
    id_like = [name for name in columns if name not in taken and name.lower() in _IDS]
    free = [name for name in numeric if name not in taken and name not in id_like]
    rest = [name for name in columns if name not in taken and name not in id_like]
    targets = list(asked.targets) or [_find_target(table, free, rest)]
    texts = [name for name in columns if name not in numeric and name not in {*taken, *targets}]
    candidates = list(dict.fromkeys([*id_like, *texts]))
    candidates = [name for name in candidates if name not in targets]
    if time is not None:
        _check_clock(table, time, texts)
    ids = list(asked.ids) or _find_ids(table, time, candidates)
    used = {time, *ids, *targets, *asked.covariates}
    unused = [
        name for name in columns if name not in used and not is_missing(table.frame[name]).all()
    ]
    return Roles(time, ids, targets, list(asked.covariates), unused)


def _check_named(table: Table, asked: Asked, columns: list[str]) -> None:
    options = {
        "--time": [asked.time] if asked.time else [],
        "--id": asked.ids,
        "--target": asked.targets,
        "--covariate": asked.covariates,
    }
    roles: dict[str, str] = {}
    for option, names in options.items():
        for name in names:
            if name not in columns:
                raise ValueError(
                    f"{table.name} has no column {name!r} ({option}); it has {', '.join(columns)}"
                )
            if name in roles:
                raise ValueError(
                    f"column {name!r} of {table.name} is named by {roles[name]} and by {option}; name it "
                    "once"
                )
            roles[name] = option


def _check_separated(table: Table, columns: list[str]) -> None:
    if len(columns) == 1 and table.separator and not looks_numeric(table, columns[0]):
        raise ValueError(
            f"{table.name} has one column, {columns[0]!r}; separate columns by commas, semicolons, tabs "
            "or |"
        )


def _check_clock(table: Table, time: str, texts: list[str]) -> None:
    """Refuse a column of dates beside one of clocks: neither tells the rows apart."""
    for name in texts:
        cells = table.frame[name].astype(str)
        if cells.str.fullmatch(_CLOCK).all() and table.frame[time].duplicated().any():
            raise ValueError(
                f"columns {time!r} and {name!r} of {table.name} hold date and clock apart; write both "
                f"into one column, as {table.frame[time].iloc[0]} {cells.iloc[0]}"
            )


def _find_time(table: Table, asked: Asked, columns: list[str]) -> str | None:
    free = [name for name in columns if name not in {*asked.ids, *asked.targets, *asked.covariates}]
    dated = [name for name in free if looks_like_times(table, name)]
    named = _by_order([name for name in free if name.lower() in _TIMES], _TIMES)
    for name in [*(name for name in named if name in dated), *dated]:
        return name
    for name in _by_order(
        [name for name in free if name.lower() in _TIMES_IN_NUMBERS], _TIMES_IN_NUMBERS
    ):
        if looks_numeric(table, name):
            return name
    numeric = [name for name in free if looks_numeric(table, name)]
    seconds = [
        name for name in numeric if name.lower() not in _TARGETS and looks_like_seconds(table, name)
    ]
    # The only column of numbers is the target.
    if seconds and not named and (len(numeric) > 1 or asked.targets):
        return seconds[0]
    named += [name for name in free if name not in numeric and looks_like_unread_times(table, name)]
    if named:
        # A column that ought to hold times and does not is refused with its first bad cell.
        return named[0]
    if asked.ids or any(name.lower() in _IDS for name in free):
        raise ValueError(
            f"no column of {table.name} holds times that can be read ({', '.join(columns)}); name it "
            "with --time, and write dates as 2024-01-31"
        )
    return None


def _find_target(table: Table, numeric: list[str], free: list[str]) -> str:
    known = _by_order([name for name in numeric if name.lower() in _TARGETS], _TARGETS)
    if known:
        return known[0]
    if len(numeric) == 1:
        return numeric[0]
    if not numeric:
        # A column that ought to hold numbers and does not is refused with its first bad cell.
        close = [name for name in free if name.lower() in _TARGETS]
        close += [name for name in free if _begins_with_digits(table, name)]
        if close:
            return close[0]
        raise ValueError(
            f"no column of {table.name} holds numbers to forecast ({', '.join(table.frame)}); name it with "
            "--target"
        )
    raise ValueError(
        f"{table.name} has several columns of numbers ({', '.join(numeric)}); name the one to forecast "
        f"with --target {numeric[0]}, or several, each a series of its own, with --target for each"
    )


def _begins_with_digits(table: Table, name: str) -> bool:
    """Tell whether a column is text that holds digits, as amounts with a unit do, and no dates."""
    known = table.frame[name][~is_missing(table.frame[name])].astype(str)
    return bool(known.str.contains(_AMOUNT).all()) and not looks_like_times(table, name)


def _find_ids(table: Table, time: str | None, candidates: list[str]) -> list[str]:
    """The fewest columns that together with the time tell all rows apart."""
    if time is None:
        return []
    frame = table.frame
    named = [name for name in candidates if name.lower() in _IDS]
    if not frame[time].duplicated().any():
        return named[:1]
    for chosen in _subsets(candidates):
        if not frame.duplicated([time, *chosen]).any():
            return chosen
    # No column does; the duplicated time is refused with its line.
    return named[:1]


def _subsets(names: list[str]) -> Iterator[list[str]]:
    for size in range(1, min(len(names), _MOST_IDS) + 1):
        for chosen in combinations(names, size):
            yield list(chosen)


def _by_order(names: Sequence[str], order: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: order.index(name.lower()))

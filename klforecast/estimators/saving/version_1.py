"""Version 1 of the format: the same JSON, with some attributes of the forecaster under other names.

The rows and the levels of the intervals lay there one by one; they are records now. What a stream had
absorbed is not read, since its plan has another form: the next update of such a forecaster is a new
fit, and goes on from there.
"""

from typing import Any

_NO_STREAM = "_open_stream"
_DROPPED = "_following"
_SINCE: dict[str, Any] = {"_pool": None, "periods_": []}  # what later fits have learned besides
_RECORDS = {
    "_rows": ("KnownRows", ("series", "cutoffs", "frequency", "columns", "index_names")),
    "_followed": ("FollowedLevels", ("levels", "learned_until", "scored_until")),
}


def from_version_1(fitted: dict[str, Any]) -> dict[str, Any]:
    """Fitted attributes as version 1 wrote them, under their present names.

    Examples
    --------
    >>> from_version_1({"_levels": 1, "_learned_until": 2, "_scored_until": 3, "horizon_": 4})
    {'horizon_': 4, '_followed': {'$': 'FollowedLevels', 'levels': 1, 'learned_until': 2, 'scored_until': 3}}
    """
    moved = dict(fitted)
    if _DROPPED in moved:
        del moved[_DROPPED]
        moved |= {_NO_STREAM: None, **_SINCE, "reach_": moved.get("memory_depth_")}
    for attribute, (record, parts) in _RECORDS.items():
        found = {part: moved.pop(f"_{part}") for part in parts if f"_{part}" in moved}
        if found:
            moved[attribute] = {"$": record, **found}
    return moved

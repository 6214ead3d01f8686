"""Versions 1 and 2 of the format: the same JSON, with some parts under other names.

In version 1 the rows of a forecaster and the levels of its intervals lay one by one among its attributes;
they are records since. What a stream had absorbed is not read from there, since its plan has another
form: the next update of such a forecaster is a new fit, and goes on from there.

Since version 2 some arguments, attributes, records and weights have other names.
"""

from collections.abc import Callable, Mapping
from typing import Any

Tree = dict[str, Any]  # an object of JSON

_NO_STREAM = "_open_stream"
_DROPPED = "_following"
_SINCE: dict[str, Any] = {"_pool": None, "periods_": []}  # what later fits have learned besides
_LEARNED_LATER = {
    "returning_": None,
    "outlier_seasons_": None,
}  # by forecasters of version 3, which wrote files before
_RECORDS = {
    "_rows": ("KnownRows", ("series", "cutoffs", "frequency", "columns", "index_names")),
    "_followed": ("FollowedLevels", ("levels", "learned_until", "scored_until")),
}

_PARAMETERS = {"mixer": "token_mixer"}
_ATTRIBUTES = {"history_": "training_log_", "_followed": "_interval_levels"}
_OPTIONS = {"module__mixer": "module__token_mixer"}
_WEIGHTS = {
    "memory.mixer.": "memory.token_mixer.",
    "encoder.network.rest.": "encoder.network.remainder.",
}


def from_version_1(state: Tree) -> Tree:
    """What version 1 wrote, in the form of version 2.

    Examples
    --------
    >>> fitted = {"_levels": 1, "_learned_until": 2, "_scored_until": 3, "horizon_": 4}
    >>> from_version_1({"parameters": {}, "fitted": fitted})["fitted"]
    {'horizon_': 4, '_followed': {'$': 'FollowedLevels', 'levels': 1, 'learned_until': 2, 'scored_until': 3}}
    """
    moved = dict(state["fitted"])
    if _DROPPED in moved:
        del moved[_DROPPED]
        moved |= {_NO_STREAM: None, **_SINCE, "reach_": moved.get("memory_depth_")}
    for attribute, (record, parts) in _RECORDS.items():
        found = {part: moved.pop(f"_{part}") for part in parts if f"_{part}" in moved}
        if found:
            moved[attribute] = {"$": record, **found}
    return {**state, "fitted": moved}


def from_version_2(state: Tree) -> Tree:
    """What version 2 wrote, under the present names.

    Examples
    --------
    >>> fitted = {"_followed": {"$": "FollowedLevels", "levels": 1}, "horizon_": 4}
    >>> from_version_2({"parameters": {"mixer": "dense"}, "fitted": fitted})["fitted"]
    {'_interval_levels': {'$': 'IntervalLevels', 'levels': 1}, 'horizon_': 4}
    """
    fitted = _renamed(state["fitted"], _ATTRIBUTES)
    fitted = _changed(fitted, "_interval_levels", lambda tree: {**tree, "$": "IntervalLevels"})
    fitted = _changed(fitted, "effects_", lambda tree: _renamed(tree, {"level": "past_mean"}))
    fitted = _changed(
        fitted,
        "calibration_",
        lambda tree: _changed(tree, "scale", lambda scale: _renamed(scale, {"centre": "mean"})),
    )
    fitted = _changed(fitted, "net_", _present_net)
    for name in ("_y_metadata", "_X_metadata"):
        fitted = _changed(fitted, name, _with_plain_kinds)
    if isinstance(names := fitted.get("_pretrained_attrs"), list):
        fitted["_pretrained_attrs"] = [_ATTRIBUTES.get(str(name), name) for name in names]
    return {"parameters": _renamed(state["parameters"], _PARAMETERS), "fitted": fitted}


def with_learned_later(state: Tree) -> Tree:
    """What any version wrote, with what a forecaster of it did not look for yet.

    Examples
    --------
    >>> with_learned_later({"parameters": {}, "fitted": {"effects_": None}})["fitted"]
    {'returning_': None, 'outlier_seasons_': None, 'effects_': None}
    """
    fitted = _changed(_renamed(state["fitted"], {"years_": "returning_"}), "returning_", _returning)
    return {**state, "fitted": {**_LEARNED_LATER, **fitted}} if "effects_" in fitted else state


def _returning(effects: Tree) -> Tree:
    """What returns, of a year before there was a week."""
    return _renamed({"name": "year", **effects, "$": "ReturningEffects"}, {"year": "cycle"})


def _present_net(net: Tree) -> Tree:
    net = _changed(
        net, "options", lambda tree: _with_keys(tree, lambda key: _OPTIONS.get(key, key))
    )
    return _changed(net, "weights", lambda tree: _with_keys(tree, _present_weight))


def _with_plain_kinds(metadata: Tree) -> Tree:
    """What sktime notes of columns, a dict as it is written: kinds of numbers were records of their own."""
    values = metadata.get("values")
    if not isinstance(values, list):
        return metadata
    return {**metadata, "values": [_plain(value) for value in values]}


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        item.get("value") if isinstance(item, dict) and item.get("$") == "DtypeKind" else item
        for item in value
    ]


def _present_weight(name: str) -> str:
    for former, present in _WEIGHTS.items():
        if name.startswith(former):
            return present + name.removeprefix(former)
    return name


def _renamed(tree: Tree, names: Mapping[str, str]) -> Tree:
    return {names.get(name, name): part for name, part in tree.items()}


def _changed(tree: Tree, name: str, change: Callable[[Tree], Tree]) -> Tree:
    """The same with one part changed; what is no record there is left to the reader to refuse."""
    part = tree.get(name)
    return {**tree, name: change(part)} if isinstance(part, dict) else tree


def _with_keys(tree: Tree, present: Callable[[str], str]) -> Tree:
    """A dict, as it is written, under other keys."""
    keys = tree.get("keys")
    if not isinstance(keys, list):
        return tree
    return {**tree, "keys": [present(key) if isinstance(key, str) else key for key in keys]}

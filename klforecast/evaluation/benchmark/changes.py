"""Settings as they are typed on a command line."""

import json
from collections.abc import Sequence
from typing import Any


def read_changes(texts: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE; a value that is not JSON is taken as text.

    Raises
    ------
    ValueError
        If a text has no name or no equals sign.

    Examples
    --------
    >>> read_changes(["depth=48", "strategy=last"])
    {'depth': 48, 'strategy': 'last'}
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ValueError(f"--param takes NAME=VALUE, got {text!r}")
        try:
            changes[name] = json.loads(value)
        except json.JSONDecodeError:
            changes[name] = value
    return changes

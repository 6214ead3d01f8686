"""What a result was measured with: versions, commit, machine, and the memory it took."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

_LIBRARIES = ("torch", "numpy", "pandas", "scikit-learn", "sktime", "skorch")


def versions(extra: Sequence[str] = ()) -> dict[str, str | None]:
    """Return the versions of klforecast, Python and the libraries a result depends on.

    Parameters
    ----------
    extra : sequence of str
        Further distributions that the model of this row runs on.
    """
    found: dict[str, str | None] = {
        "klforecast": _installed_version("klforecast"),
        "python": platform.python_version(),
    }
    for library in (*_LIBRARIES, *extra):
        found[library] = _installed_version(library)
    return found


def _installed_version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@cache
def commit() -> str | None:
    """Return the git commit of the package's own checkout, marked where files differ from it.

    None when the package does not run from a checkout, or git is not installed.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            [
                "git",
                "-C",
                str(root),
                "describe",
                "--always",
                "--dirty",
                "--abbrev=12",
                "--exclude=*",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def machine() -> dict[str, Any]:
    """Return what the seconds of a row were measured on."""
    return {
        "platform": platform.platform(terse=True),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def reset_peak_memory() -> None:
    """Start a new high-water mark of this process's memory, where the system allows it."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")


def peak_memory_mb() -> float | None:
    """Return the process's peak resident memory since the reset, in MB; None where unknown.

    It includes the interpreter, the libraries and the data, about 400 MB.
    """
    if sys.platform != "linux":
        return None
    status = Path("/proc/self/status").read_text()
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
    return None if line is None else int(line.split()[1]) / 1024

"""Find the official file of a data set, or download it, and check what was read.

Looked for, in this order: a file of the official name, plain, ``.gz`` or ``.zip``, anywhere under
the folder that the environment variable ``KLFORECAST_DATA`` names; then the official address, kept
in the user's cache.
"""

import gzip
import hashlib
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pooch

from klforecast.exceptions import DataNotFoundError, KLForecastError

FOLDER_VARIABLE = "KLFORECAST_DATA"

_LARGEST = 2**30  # bytes of a file that is unpacked; Traffic, the largest one, has 136 million


@dataclass(frozen=True)
class OfficialFile:
    """A file as its publisher names it.

    Parameters
    ----------
    name : str
        Official name, without a suffix of compression.
    sha256 : tuple of str
        Checksums of the uncompressed content that are known to be the official one.
    url : str or None
        Where to download it; None if there is no direct address.
    """

    name: str
    sha256: tuple[str, ...]
    url: str | None = None


def data_folder() -> Path | None:
    """Folder of data files that ``KLFORECAST_DATA`` names, or None if the variable is not set.

    Raises
    ------
    DataNotFoundError
        If the variable names something that is not a folder.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> from unittest import mock
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with mock.patch.dict(os.environ, {"KLFORECAST_DATA": folder}):
    ...         str(data_folder()) == folder
    True
    """
    value = os.environ.get(FOLDER_VARIABLE)
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise DataNotFoundError(
            f"{FOLDER_VARIABLE} names {value!r}, which is not a folder; correct or unset it"
        )
    return folder


def find(name: str) -> Path | None:
    """Path of the file of this official name under the data folder, or None.

    The name may be written in any case, and the file may be ``name``, ``name.gz``, ``name.zip`` or
    a zip archive of the name without its suffix (``weather.zip`` for ``weather.csv``). Of several,
    the one nearest to the top is taken, plain files before compressed ones.
    """
    folder = data_folder()
    if folder is None:
        return None
    wanted = [f"{name}{suffix}".lower() for suffix in ("", ".gz", ".zip")]
    wanted.append(f"{Path(name).stem}.zip".lower())
    found = [path for path in _files_under(folder) if path.name.lower() in wanted]
    return min(
        found,
        key=lambda path: (len(path.parts), wanted.index(path.name.lower()), path),
        default=None,
    )


def _files_under(folder: Path) -> Iterator[Path]:
    """All files of a folder, those behind symbolic links too; each folder once, also where links go round."""
    seen = {folder.resolve()}
    for directory, folders, files in os.walk(folder, followlinks=True):
        yield from (Path(directory, file) for file in files)
        behind = {name: Path(directory, name).resolve() for name in folders}
        folders[:] = [name for name in folders if behind[name] not in seen]
        seen.update(behind.values())


def read(files: tuple[OfficialFile, ...]) -> tuple[OfficialFile, bytes, str]:
    """Content of the first of these files that is found, else of the first that can be downloaded.

    Parameters
    ----------
    files : tuple of OfficialFile
        Alternatives that hold the same data, best first.

    Returns
    -------
    file : OfficialFile
        The alternative that was read.
    content : bytes
        Uncompressed.
    sha256 : str
        Checksum of `content`.

    Raises
    ------
    DataNotFoundError
        If none is in the data folder and none could be downloaded.
    KLForecastError
        If the content is not the official one.
    """
    for file in files:
        path = find(file.name)
        if path is not None:
            break
    else:
        file, path = _download(files)
    content = uncompressed(path, file.name)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 not in file.sha256:
        raise KLForecastError(
            f"{path} is not the official {file.name}: its content has SHA-256 {sha256}, wanted "
            f"{' or '.join(file.sha256)}; replace or remove the file"
        )
    return file, content, sha256


def _download(files: tuple[OfficialFile, ...]) -> tuple[OfficialFile, Path]:
    names = " or ".join(file.name for file in files)
    by_folder = (
        f"put {names} (plain, .gz or .zip) anywhere under a folder and set the environment "
        f"variable {FOLDER_VARIABLE} to it"
    )
    file = next((file for file in files if file.url is not None), None)
    if file is None or file.url is None:
        raise DataNotFoundError(
            f"{names} was not found and has no address to download; {by_folder}"
        )
    # The checksums are of uncompressed content, so a compressed download is checked after reading.
    known_hash = None if file.url.endswith(".gz") else f"sha256:{file.sha256[0]}"
    try:
        path = pooch.retrieve(
            file.url, known_hash, fname=Path(file.url).name, path=pooch.os_cache("klforecast")
        )
    except OSError as error:
        raise DataNotFoundError(
            f"{names} was not found, and the download of {file.url} failed ({error}); either "
            f"{by_folder}, or connect to the network and load again"
        ) from error
    except ValueError as error:
        raise KLForecastError(
            f"{file.url} no longer gives the official {file.name} ({error}); {by_folder}"
        ) from error
    return file, Path(path)


def uncompressed(path: Path, name: str) -> bytes:
    """Content of a file that may be a .gz file or a member of a .zip archive, read in memory.

    Raises
    ------
    KLForecastError
        If the archive holds no such member, or the content is larger than any official file.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path) as file:
            return _read_at_most(file, path)
    if suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if Path(member).name.lower() == name.lower():
                with archive.open(member) as file:
                    return _read_at_most(file, path)
        raise KLForecastError(f"{path} holds no {name}, only {', '.join(archive.namelist())}")


def _read_at_most(file: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise KLForecastError(
            f"{path} unpacks to more than {_LARGEST:,} bytes, which no official file does; replace "
            "or remove it"
        )
    return content

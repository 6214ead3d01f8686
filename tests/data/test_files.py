import gzip
import hashlib
import zipfile
from pathlib import Path

import pooch
import pytest
import requests

from klforecast.data import files
from klforecast.data.files import FOLDER_VARIABLE, OfficialFile, data_folder, find, read
from klforecast.exceptions import DataNotFoundError, KLForecastError

CONTENT = b"date,OT\n2020-01-01,1.5\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = OfficialFile("Rivers.csv", (SHA256,), "https://example.org/data/Rivers.csv")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def no_network(monkeypatch):
    def fail(*args, **kwargs):
        raise requests.exceptions.ConnectionError("name not resolved")

    monkeypatch.setattr(pooch, "retrieve", fail)


def write_zip(path: Path, member: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, CONTENT)


@pytest.mark.parametrize("name", ["Rivers.csv", "rivers.CSV", "deep/er/Rivers.csv"])
def test_a_plain_file_is_found_anywhere_and_in_any_case(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    assert read((FILE,)) == (FILE, CONTENT, SHA256)


@pytest.mark.parametrize("name", ["Rivers.csv.gz", "RIVERS.CSV.GZ"])
def test_a_gzipped_file_is_read_and_checked_uncompressed(folder, name):
    (folder / name).write_bytes(gzip.compress(CONTENT))
    assert read((FILE,)) == (FILE, CONTENT, SHA256)


@pytest.mark.parametrize(
    ("name", "member"),
    [("Rivers.csv.zip", "Rivers.csv"), ("rivers.zip", "rivers/rivers.csv")],
)
def test_a_zipped_file_is_read_from_any_folder_of_its_archive(folder, name, member):
    write_zip(folder / name, member)
    assert read((FILE,)) == (FILE, CONTENT, SHA256)


def test_files_behind_links_to_folders_are_found(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "deep").mkdir()
    (elsewhere / "deep" / "Rivers.csv").write_bytes(CONTENT)
    (folder / "link").symlink_to(elsewhere, target_is_directory=True)
    assert find("Rivers.csv") == folder / "link" / "deep" / "Rivers.csv"
    assert read((FILE,))[2] == SHA256


def test_links_that_go_round_end(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "Rivers.csv").write_bytes(CONTENT)
    for name in ("up", "again"):
        (folder / "deep" / name).symlink_to(folder, target_is_directory=True)
    assert find("Rivers.csv") == folder / "deep" / "Rivers.csv"


def test_an_archive_without_the_file_is_named_with_what_it_holds(folder):
    write_zip(folder / "Rivers.zip", "lakes.csv")
    with pytest.raises(KLForecastError, match=r"Rivers.zip holds no Rivers.csv, only lakes.csv"):
        read((FILE,))


def test_the_file_nearest_to_the_top_wins_and_a_plain_one_over_a_compressed_one(folder):
    (folder / "copy").mkdir()
    (folder / "copy" / "Rivers.csv").write_bytes(CONTENT)
    (folder / "Rivers.csv.gz").write_bytes(gzip.compress(CONTENT))
    assert find("Rivers.csv") == folder / "Rivers.csv.gz"
    (folder / "Rivers.csv").write_bytes(CONTENT)
    assert find("Rivers.csv") == folder / "Rivers.csv"


def test_the_first_alternative_that_is_there_is_read(folder):
    (folder / "Rivers.csv").write_bytes(CONTENT)
    other = OfficialFile("lakes.txt", ("0" * 64,))
    assert read((other, FILE))[0] == FILE


def test_a_file_with_other_content_is_refused_with_both_checksums(folder):
    (folder / "Rivers.csv").write_bytes(CONTENT + b"2020-01-02,1.6\n")
    with pytest.raises(KLForecastError, match=f"not the official Rivers.csv.*wanted {SHA256}"):
        read((FILE,))


def test_a_data_folder_that_is_not_there_is_an_error_and_not_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "typo"))
    with pytest.raises(DataNotFoundError, match="typo', which is not a folder"):
        data_folder()


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_there_is_no_folder(monkeypatch, value):
    if value is None:
        monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(FOLDER_VARIABLE, value)
    assert data_folder() is None
    assert find("Rivers.csv") is None


def test_an_absent_file_is_downloaded_with_its_checksum(folder, monkeypatch, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append((url, known_hash, fname))
        (cache / fname).write_bytes(CONTENT)
        return str(cache / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert read((FILE,)) == (FILE, CONTENT, SHA256)
    assert asked == [(FILE.url, f"sha256:{SHA256}", "Rivers.csv")]


def test_a_compressed_download_is_checked_after_reading(folder, monkeypatch, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache") / "Rivers.csv.gz"
    cache.write_bytes(gzip.compress(b"not the rivers"))
    monkeypatch.setattr(pooch, "retrieve", lambda *args, **kwargs: str(cache))
    file = OfficialFile("Rivers.csv", (SHA256,), "https://example.org/data/Rivers.csv.gz")
    with pytest.raises(KLForecastError, match=r"not the official Rivers\.csv"):
        read((file,))


@pytest.mark.usefixtures("folder", "no_network")
def test_an_absent_file_names_both_ways_to_get_it():
    with pytest.raises(DataNotFoundError) as caught:
        read((FILE,))
    message = str(caught.value)
    assert "put Rivers.csv (plain, .gz or .zip) anywhere under a folder" in message
    assert FOLDER_VARIABLE in message
    assert "download of https://example.org/data/Rivers.csv failed (name not resolved)" in message
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.usefixtures("folder")
def test_an_absent_file_without_an_address_says_so():
    with pytest.raises(DataNotFoundError, match=r"Rivers\.csv was not found and has no address"):
        read((OfficialFile("Rivers.csv", (SHA256,)),))


@pytest.mark.usefixtures("folder")
def test_an_address_that_gives_other_content_is_refused(monkeypatch):
    def retrieve(*args, **kwargs):
        raise ValueError("hash of downloaded file differs")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(KLForecastError, match=r"no longer gives the official Rivers\.csv"):
        read((FILE,))


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_a_file_that_unpacks_without_end_is_refused(suffix, folder, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST", 1000)
    if suffix == ".gz":
        (folder / "Rivers.csv.gz").write_bytes(gzip.compress(bytes(100_000)))
    else:
        with zipfile.ZipFile(folder / "Rivers.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("Rivers.csv", bytes(100_000))
    with pytest.raises(KLForecastError, match=f"{suffix} unpacks to more than 1,000 bytes"):
        read((FILE,))


def test_a_member_outside_of_its_archive_is_read_and_written_nowhere(folder, tmp_path):
    with zipfile.ZipFile(folder / "Rivers.zip", "w") as archive:
        archive.writestr("../../Rivers.csv", CONTENT)
    before = set(tmp_path.rglob("*"))
    assert read((FILE,)) == (FILE, CONTENT, SHA256)
    assert set(tmp_path.rglob("*")) == before

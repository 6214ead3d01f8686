import gzip

import numpy as np
import pytest

from klforecast.data.classification import load_labelled
from klforecast.exceptions import DataNotFoundError, KLForecastError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KLFORECAST_DATA", str(tmp_path))
    return tmp_path


def test_a_set_of_the_ucr_archive_is_read(folder):
    (folder / "Toy_TRAIN.tsv").write_text("1\t0.5\t1.5\t2.5\n2\t3\t4\tNaN\n")
    (folder / "Toy_TEST.tsv.gz").write_bytes(gzip.compress(b"1\t0\t0\t1\n"))
    data = load_labelled("Toy")
    assert data.train.labels.tolist() == ["1", "2"]
    np.testing.assert_array_equal(data.train.series[0], [[0.5, 1.5, 2.5]])
    np.testing.assert_array_equal(data.train.series[1], [[3, 4]])
    np.testing.assert_array_equal(data.test.series[0], [[0, 0, 1]])


def test_a_set_of_the_uea_archive_is_read(folder):
    text = "#about\n@problemName Toy\n@classLabel true a b\n@data\n1,2,3:4,?,6:a\n1,2:3,4:b\n"
    (folder / "Toy_TRAIN.ts").write_text(text)
    (folder / "Toy_TEST.ts").write_text("@data\n1,2,3:4,5,6:b\n")
    data = load_labelled("Toy")
    np.testing.assert_array_equal(data.train.series[0], [[1, 2, 3], [4, np.nan, 6]])
    np.testing.assert_array_equal(data.train.series[1], [[1, 2], [3, 4]])
    assert data.test.labels.tolist() == ["b"]


def test_bundled_sets_have_their_official_split(monkeypatch):
    monkeypatch.delenv("KLFORECAST_DATA", raising=False)
    data = load_labelled("arrowhead")
    assert (data.name, len(data.train.series), len(data.test.series)) == ("ArrowHead", 36, 175)
    assert {values.shape for values in data.train.series} == {(1, 251)}
    unequal = load_labelled("JapaneseVowels")
    assert (len(unequal.train.series), len(unequal.test.series)) == (270, 370)
    assert {len(values) for values in unequal.train.series} == {12}
    assert min(values.shape[1] for values in unequal.train.series) == 7
    assert load_labelled("ArrowHead").sha256 == data.sha256 != unequal.sha256


def test_the_checksum_is_that_of_values_and_classes(folder):
    (folder / "Toy_TEST.tsv").write_text("1\t1\t2\n")
    (folder / "Toy_TRAIN.tsv").write_text("1\t1\t2\n")
    before = load_labelled("Toy").sha256
    (folder / "Toy_TRAIN.tsv").write_text("2\t1\t2\n")
    assert load_labelled("Toy").sha256 != before


def test_a_set_that_is_not_there_is_named(folder):
    with pytest.raises(DataNotFoundError, match=r"Nothing_TRAIN .* were not found; put them"):
        load_labelled("Nothing")
    with pytest.raises(DataNotFoundError, match="t10k-images-idx3-ubyte"):
        load_labelled("MNIST")


@pytest.mark.parametrize(("suffix", "text"), [("tsv", "1\tone\t2\n"), ("ts", "@data\n1,x:a\n")])
def test_what_is_not_a_number_is_refused(suffix, text, folder):
    for part in ("TRAIN", "TEST"):
        (folder / f"Toy_{part}.{suffix}").write_text(text)
    with pytest.raises(KLForecastError, match=r"not a number|cannot be read"):
        load_labelled("Toy")

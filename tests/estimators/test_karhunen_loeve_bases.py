import numpy as np
import pytest
from numpy.testing import assert_allclose

from klforecast.estimators.karhunen_loeve import KarhunenLoeve
from klforecast.ops.matched_bases import FIXED_BASES


def walks(n_rows, n_columns=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_columns)).cumsum(axis=1)


@pytest.mark.parametrize("basis", ["dct", "dft", "haar"])
def test_a_fixed_basis_keeps_the_vectors_of_most_variance(basis):
    rows = walks(50)
    transform = KarhunenLoeve(4, basis=basis).fit(rows)
    centred = rows - rows.mean(axis=0)
    variances = np.square(centred @ FIXED_BASES[basis](16).numpy()).mean(axis=0)
    assert_allclose(transform.eigenvalues_, np.sort(variances)[::-1][:4])
    assert_allclose(transform.eigenvalues_, transform.transform(rows).var(axis=0))
    assert_allclose(
        transform.explained_variance_ratio_, np.sort(variances)[::-1][:4] / variances.sum()
    )
    assert_allclose(transform.components_ @ transform.components_.T, np.eye(4), atol=1e-12)


@pytest.mark.parametrize("basis", ["dct", "auto"])
def test_a_fixed_basis_is_the_same_from_a_stream(basis):
    rows = walks(60)
    whole = KarhunenLoeve(5, basis=basis, forgetting=0.95).fit(rows)
    stream = KarhunenLoeve(5, basis=basis, forgetting=0.95)
    for start, stop in ((0, 1), (1, 8), (8, 60)):
        stream.partial_fit(rows[start:stop])
    assert_allclose(stream.eigenvalues_, whole.eigenvalues_)
    assert_allclose(stream.mean_, whole.mean_)
    assert_allclose(stream.components_, whole.components_)
    assert stream.basis_ == whole.basis_
    assert stream.symmetry_residuals_ == pytest.approx(whole.symmetry_residuals_)


def test_a_fixed_basis_gives_more_components_than_there_are_rows():
    rows = walks(3)
    transform = KarhunenLoeve(8, basis="dct").fit(rows)
    assert transform.n_components_ == 8
    whole = KarhunenLoeve(basis="dct").fit(rows)
    assert_allclose(whole.inverse_transform(whole.transform(rows)), rows)


def test_few_rows_are_enough_for_a_fixed_basis():
    test = walks(500, n_columns=64, seed=1)

    def missed(basis, n_rows):
        transform = KarhunenLoeve(8, basis=basis).fit(walks(n_rows, n_columns=64))
        return np.square(test - transform.inverse_transform(transform.transform(test))).sum()

    assert missed("dct", 10) < 0.8 * missed("kl", 10)
    assert missed("kl", 5000) < missed("dct", 5000)


def test_the_matched_basis_is_that_of_the_symmetry_found():
    walk = KarhunenLoeve(4, basis="auto").fit(walks(2000) - walks(2000).mean(axis=1, keepdims=True))
    assert walk.basis_ == "dct"
    assert walk.symmetry_residuals_["dct"] < 0.05 < walk.symmetry_residuals_["dft"]
    steps = np.arange(300)[:, None] + np.arange(16)
    cycles = KarhunenLoeve(4, basis="auto").fit(np.cos(np.pi * steps / 8))
    assert cycles.basis_ == "dft"
    assert KarhunenLoeve(4).fit(walks(20)).symmetry_residuals_ == {}


def test_an_unknown_basis_is_refused():
    with pytest.raises(ValueError, match="basis is 'sine'; pass one of 'kl', 'dct'"):
        KarhunenLoeve(basis="sine").fit(walks(5))


def test_the_basis_found_is_saved(tmp_path):
    transform = KarhunenLoeve(4, basis="auto").fit(walks(30))
    transform.save(tmp_path / "transform")
    loaded = KarhunenLoeve.load(tmp_path / "transform")
    assert loaded.basis_ == transform.basis_
    assert loaded.symmetry_residuals_ == transform.symmetry_residuals_
    rows = walks(9, seed=2)
    further, other = loaded.partial_fit(rows), transform.partial_fit(rows)
    assert_allclose(further.eigenvalues_, other.eigenvalues_)
    assert_allclose(further.transform(rows), other.transform(rows))


def test_shares_of_sixteen_vectors_of_512_hours(load_real):
    data = load_real("ETTh1")
    known = data.frame.iloc[: data.borders.train_end]
    rows = (data.frame / known.std(ddof=0)).to_numpy()[: data.borders.validation_end]
    windows = np.lib.stride_tricks.sliding_window_view(rows, 512, axis=0)[::11].reshape(-1, 512)
    windows = windows - windows.mean(axis=1, keepdims=True)
    transforms = {
        basis: KarhunenLoeve(16, basis=basis).fit(windows) for basis in ("kl", *FIXED_BASES)
    }
    shares = {name: fit.explained_variance_ratio_.sum() for name, fit in transforms.items()}
    assert shares == pytest.approx(
        {"kl": 0.695, "dct": 0.655, "dft": 0.629, "haar": 0.356}, abs=0.003
    )
    residuals = transforms["dct"].symmetry_residuals_
    assert residuals["dct"] < 0.06
    assert residuals["dft"] == pytest.approx(0.602, abs=0.005)
    assert residuals["haar"] == pytest.approx(0.828, abs=0.005)
    assert KarhunenLoeve(16, basis="auto").fit(windows).basis_ == "dct"

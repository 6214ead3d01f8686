import pytest
import torch
from torch.testing import assert_close

from klforecast.core.gram import add_pooled, center_gram, fold_gram, pool_moments, window_gram
from klforecast.core.moments import extend_moments, rescale_moments, shorten_moments, window_moments
from klforecast.core.stretches import join_moments


def series(rows, channels=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, channels, generator=generator, dtype=torch.float64).cumsum(dim=0)


def plain_gram(panel, length, channel=None):
    """Every window written out: the definition."""
    windows = torch.cat(
        [
            rows[:, c].unfold(0, length, 1)
            for rows in panel
            for c in range(rows.shape[1])
            if channel in (None, c)
        ]
    )
    return windows.T @ windows


@pytest.mark.parametrize(("rows", "length"), [(40, 7), (40, 40), (40, 39), (9, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize("channel", [None, 0, 2])
def test_the_gram_matrix_is_that_of_all_windows(rows, length, channel):
    panel = [series(rows, 3)]
    gram = window_gram([window_moments(panel[0], length)], channel)
    assert_close(gram, plain_gram(panel, length, channel), rtol=1e-12, atol=1e-9)


def test_the_gram_matrices_of_series_of_different_lengths_add_up():
    panel = [series(40, 2, 0), series(17, 2, 1), series(6, 2, 2)]
    gram = window_gram(window_moments(rows, 6) for rows in panel)
    assert_close(gram, plain_gram(panel, 6), rtol=1e-12, atol=1e-9)


def test_a_series_longer_than_one_fourier_transform_is_no_exception(monkeypatch):
    whole = window_moments(series(100, 2), 9)
    monkeypatch.setattr("klforecast.core.moments._CHUNK", 16)
    assert_close(window_moments(series(100, 2), 9), whole, rtol=1e-12, atol=1e-9)


def test_the_gram_matrix_is_symmetric_and_positive_semi_definite():
    gram = window_gram([window_moments(series(300), 50)])
    assert torch.equal(gram, gram.T)
    eigenvalues = torch.linalg.eigvalsh(gram)
    assert eigenvalues.min() > -1e-12 * eigenvalues.max()


@pytest.mark.parametrize("scale", [1e-100, 1e-9, 1e9, 1e100])
def test_the_unit_of_the_series_only_scales_the_gram_matrix(scale):
    gram = window_gram([window_moments(scale * series(60), 8)])
    assert_close(gram / scale**2, window_gram([window_moments(series(60), 8)]), rtol=1e-9, atol=0)


@pytest.mark.parametrize("length", [1, 2, 9, 20])
@pytest.mark.parametrize("parts", [(20, 1, 1, 58), (20, 60), (79, 1)])
def test_moments_extended_by_new_rows_equal_those_of_the_whole_series(length, parts):
    whole = series(80, 2)
    first, *rest = whole.split(parts)
    moments = window_moments(first, length)
    for rows in rest:
        moments = extend_moments(moments, rows)
    assert_close(moments, window_moments(whole, length), rtol=1e-12, atol=1e-9)


def test_a_series_without_one_window_is_refused():
    with pytest.raises(ValueError, match="a series of 5 rows has no window of 6 rows"):
        window_moments(series(5), 6)
    with pytest.raises(ValueError, match="no window of 0 rows"):
        window_moments(series(5), 0)


def test_folding_is_the_gram_matrix_of_cycles_over_all_windows_and_phases():
    windows = series(50)[:, 0].unfold(0, 12, 1)
    cycles = windows.reshape(-1, 3, 4)  # (windows, cycles, phases)
    plain = torch.einsum("wnp,wmp->nm", cycles, cycles)
    assert_close(fold_gram(windows.T @ windows, 4), plain, rtol=1e-12, atol=1e-9)


def test_folding_by_one_step_changes_nothing():
    gram = plain_gram([series(30)], 6)
    assert torch.equal(fold_gram(gram, 1), gram)


def test_folding_a_broken_number_of_cycles_is_refused():
    with pytest.raises(ValueError, match="7 steps has no whole number of cycles of 3"):
        fold_gram(torch.eye(7), 3)


@pytest.mark.parametrize("steps", [slice(4, 5), slice(1, 5)])
def test_centring_the_gram_matrix_is_centring_every_window(steps):
    windows = series(50)[:, 0].unfold(0, 8, 1)
    level = torch.zeros(8, dtype=torch.float64)
    level[steps] = 1 / len(level[steps])
    centred = windows - windows[:, steps].mean(dim=1, keepdim=True)
    assert_close(
        center_gram(windows.T @ windows, level), centred.T @ centred, rtol=1e-12, atol=1e-8
    )


def test_centring_in_coordinates_is_centring_before_them():
    windows = series(50)[:, 0].unfold(0, 6, 1)
    basis = torch.linalg.qr(series(6, 4, seed=1)).Q
    level = torch.tensor([0.1, -0.4, 0.7, 0.2], dtype=torch.float64)
    ones = basis.sum(dim=0)
    coordinates = windows @ basis
    centred = coordinates - (coordinates @ level)[:, None] * ones
    assert_close(
        center_gram(coordinates.T @ coordinates, level, ones),
        centred.T @ centred,
        rtol=1e-12,
        atol=1e-8,
    )


@pytest.mark.parametrize("value", [0.0, 5.0, 1e-30, 1e12])
def test_centred_windows_of_a_constant_series_are_exactly_zero(value):
    gram = window_gram([window_moments(torch.full((200, 1), value), 30)])
    level = torch.zeros(30, dtype=torch.float64)
    level[20:25] = 0.2
    assert not center_gram(gram, level).any()


FORGETTING = [1.0, 0.999, 0.9, 0.3]


@pytest.mark.parametrize("forgetting", FORGETTING)
@pytest.mark.parametrize(("rows", "length"), [(40, 7), (40, 40), (9, 1)])
def test_forgetting_weighs_every_window_by_its_age(rows, length, forgetting):
    y = series(rows, 2)
    windows = y.unfold(0, length, 1)  # (windows, channels, length)
    age = torch.arange(len(windows) - 1, -1, -1, dtype=torch.float64)
    plain = torch.einsum("n,nci,ncj->ij", forgetting**age, windows, windows)
    gram = window_gram([window_moments(y, length, forgetting)])
    assert_close(gram, plain, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("forgetting", FORGETTING)
def test_each_series_of_a_panel_forgets_from_its_own_end(forgetting):
    parts = [window_moments(series(rows, 2), 6, forgetting) for rows in (40, 9, 6)]
    alone = sum(window_gram([part]) for part in parts)
    assert_close(window_gram(parts), alone, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("forgetting", FORGETTING)
@pytest.mark.parametrize("parts", [(20, 1, 1, 58), (20, 60)])
def test_moments_that_forget_are_extended_like_those_that_do_not(forgetting, parts):
    whole = series(80, 2)
    first, *rest = whole.split(parts)
    moments = window_moments(first, 9, forgetting)
    for rows in rest:
        moments = extend_moments(moments, rows)
    assert_close(moments, window_moments(whole, 9, forgetting), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("forgetting", FORGETTING)
@pytest.mark.parametrize("length", [1, 2, 9])
def test_rescaled_moments_are_those_of_the_rescaled_series(forgetting, length):
    y = series(60, 2)
    scale, shift = torch.tensor([0.25, 3.0]), torch.tensor([-7.0, 0.5])
    rescaled = rescale_moments(window_moments(y, length, forgetting), scale, shift)
    anew = window_moments(scale * y + shift, length, forgetting)
    assert_close(rescaled, anew, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("forgetting", [1.0, 0.99])
@pytest.mark.parametrize("count", [1, 7, 60])
def test_moments_without_the_newest_rows_are_those_of_the_shorter_series(forgetting, count):
    series = torch.randn(100, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = window_moments(series, 12, forgetting)
    shorter = shorten_moments(whole, series[-(count + 11) :], count)
    for found, plain in zip(shorter, window_moments(series[:-count], 12, forgetting), strict=True):
        torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(plain))


@pytest.mark.parametrize("forgetting", [1.0, 0.98])
@pytest.mark.parametrize(("rows", "length"), [((40, 30, 25), 12), ((12, 12), 12), ((5, 3), 1)])
def test_moments_of_stretches_of_time_join_to_those_of_the_series(rows, length, forgetting):
    y = series(sum(rows))
    joined, start = None, 0
    for count in rows:
        stretch = window_moments(y[start : start + count], length, forgetting)
        joined = stretch if joined is None else join_moments(joined, stretch)
        start += count
    whole = window_moments(y, length, forgetting)
    assert joined.n_windows == whole.n_windows
    for part, known in zip(joined[:4], whole[:4], strict=True):
        assert_close(part, known, rtol=1e-10, atol=1e-10)


def test_pooled_moments_have_the_gram_matrix_of_their_series():
    panel = [series(rows) for rows in (30, 50, 44)]
    moments = [window_moments(rows, 10, 0.99) for rows in panel]
    pooled = add_pooled(pool_moments(moments[:1]), pool_moments(moments[1:]))
    for channel in (None, 0):
        assert_close(
            window_gram(pooled, channel), window_gram(moments, channel), rtol=1e-12, atol=1e-12
        )


def test_moments_of_series_side_by_side_are_pooled_as_those_of_each():
    panel = [series(60, 2) for _ in range(3)]
    alone = pool_moments([window_moments(rows, 10, 0.99) for rows in panel])
    wide = [window_moments(torch.cat(some, dim=1), 10, 0.99) for some in (panel[:2], panel[2:])]
    for found, known in zip(pool_moments(wide, channels=2), alone, strict=True):
        assert_close(found, known, rtol=1e-12, atol=1e-9)

import pytest
import torch
from torch.testing import assert_close

from klforecast.core.coordinates import window_coordinates

RECENT, HORIZON = 5, 6


def windows_of(rows=400, depth=20, horizon=HORIZON, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(rows, generator=generator, dtype=torch.float64)
    series = noise.cumsum(dim=0) + 3 * torch.sin(torch.arange(rows) * torch.pi / 6)
    return series.unfold(0, depth + horizon, 1)


def coordinates_of(windows, edges=(RECENT, 12, 20), n_components=3, n_outputs=4):
    return window_coordinates(
        windows.T @ windows, edges, windows.shape[1] - edges[-1], n_components, n_outputs
    )


@pytest.fixture
def windows():
    return windows_of()


@pytest.fixture
def coordinates(windows):
    return coordinates_of(windows)


def test_modes_are_orthonormal(coordinates):
    for modes in (coordinates.history_modes, coordinates.output_modes):
        identity = torch.eye(modes.shape[1], dtype=torch.float64)
        assert_close(modes.T @ modes, identity, rtol=0, atol=1e-12)


def test_a_mode_is_zero_outside_of_its_block(coordinates):
    outside = coordinates.history_modes.clone()
    for rows, columns in coordinates.blocks():
        outside[rows, columns] = 0.0
    assert not outside.any()


def test_blocks_cover_the_history_once(coordinates):
    rows = torch.cat([torch.arange(15)[rows] for rows, _ in coordinates.blocks()])
    columns = torch.cat([torch.arange(8)[columns] for _, columns in coordinates.blocks()])
    assert rows.sort().values.tolist() == list(range(15))
    assert columns.tolist() == list(range(8))
    assert coordinates.sizes == (RECENT, RECENT + 4, RECENT + 8)


def test_coordinates_of_a_window_are_its_recent_steps_and_its_components(windows, coordinates):
    past = windows[:, :20]
    plain = torch.cat([past[:, 15:], past[:, :15] @ coordinates.history_modes], dim=1)
    assert_close(coordinates.encode(past), plain)


@pytest.mark.parametrize("n_components", [0, 1, 3, 100])
def test_the_mean_of_every_block_is_kept_exactly(windows, n_components):
    coordinates = coordinates_of(windows, n_components=n_components)
    for block, (_, columns) in zip((slice(8, 15), slice(0, 8)), coordinates.blocks(), strict=True):
        size = block.stop - block.start
        modes = coordinates.history_modes[block, columns]
        constant = torch.full((size,), size**-0.5, dtype=torch.float64)
        assert_close(modes @ (modes.T @ constant), constant, rtol=0, atol=1e-12)


def test_a_block_whose_windows_have_one_shape_still_keeps_its_mean():
    shape = torch.linspace(-1, 1, 26, dtype=torch.float64)
    windows = torch.outer(torch.linspace(1, 2, 9, dtype=torch.float64), shape)
    coordinates = coordinates_of(windows, n_components=0)
    for rows, columns in coordinates.blocks():
        mode = coordinates.history_modes[rows, columns][:, 0]
        assert_close(mode, mode.mean().expand_as(mode), rtol=0, atol=1e-10)


def test_ones_are_the_coordinates_of_the_constant_window(coordinates):
    assert_close(coordinates.encode(torch.ones(20, dtype=torch.float64)), coordinates.ones())


def test_modes_are_those_of_the_greatest_variance_around_the_mean_of_the_block(windows):
    coordinates = coordinates_of(windows, edges=(RECENT, 20), n_components=2)
    older = windows[:, :15] - windows[:, :15].mean(dim=1, keepdim=True)
    kept = (older @ coordinates.history_modes[:, 1:]).square().sum()
    most = torch.linalg.eigvalsh(older.T @ older)[-2:].sum()
    assert_close(kept, most)


def test_projecting_the_gram_matrix_is_the_gram_matrix_of_encoded_windows(windows, coordinates):
    encoded = coordinates.encode_whole(windows)
    assert_close(coordinates.project(windows.T @ windows), encoded.T @ encoded)


@pytest.mark.parametrize("steps", [1, 3, RECENT, 12, 20])
def test_the_mean_of_the_last_steps_is_exact_within_recent_steps_and_at_edges(
    windows, coordinates, steps
):
    past = windows[:, :20]
    found = coordinates.encode(past) @ coordinates.mean_of_last(steps)
    assert_close(found, past[:, 20 - steps :].mean(dim=1))


@pytest.mark.parametrize("steps", [7, 17])
def test_every_mean_is_exact_for_a_constant_window(coordinates, steps):
    assert_close(coordinates.ones() @ coordinates.mean_of_last(steps), torch.ones(()).double())


def test_all_components_lose_nothing(windows):
    coordinates = coordinates_of(windows, n_components=100, n_outputs=100)
    assert coordinates.sizes == (5, 12, 20)
    whole = coordinates.encode_whole(windows)
    assert_close(whole.square().sum(dim=1), windows.square().sum(dim=1))
    past = torch.cat([whole[:, 5:20] @ coordinates.history_modes.T, whole[:, :5]], dim=1)
    assert_close(past, windows[:, :20])
    assert_close(whole[:, 20:] @ coordinates.output_modes.T, windows[:, 20:])


@pytest.mark.parametrize(("depth", "edges"), [(1, (1,)), (2, (1, 2)), (5, (5,))])
@pytest.mark.parametrize("horizon", [1, 6])
def test_a_depth_or_horizon_of_one_step_has_coordinates(depth, edges, horizon):
    windows = windows_of(60, depth, horizon)
    coordinates = coordinates_of(windows, edges)
    assert coordinates.encode_whole(windows).shape == (len(windows), depth + min(horizon, 4))


@pytest.mark.parametrize("value", [0.0, 3.0, 1e-40])
def test_windows_that_never_vary_have_orthonormal_modes_all_the_same(value):
    coordinates = coordinates_of(torch.full((10, 26), value, dtype=torch.float64))
    modes = coordinates.history_modes
    assert_close(modes.T @ modes, torch.eye(8, dtype=torch.float64), rtol=0, atol=1e-12)
    assert_close(coordinates.ones().square().sum(), torch.tensor(20.0).double())
    assert torch.isfinite(coordinates.output_modes).all()


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_the_unit_of_the_series_does_not_change_the_coordinates(windows, coordinates, scale):
    scaled = coordinates_of(scale * windows)
    assert_close(scaled.history_modes, coordinates.history_modes, rtol=0, atol=1e-8)
    assert_close(scaled.output_modes, coordinates.output_modes, rtol=0, atol=1e-8)

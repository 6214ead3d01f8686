import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.tree import DecisionTreeClassifier

from klforecast.evaluation.lra import pathfinder
from klforecast.evaluation.lra.pathfinder import draw_scenes, render, synthesise

RULES = {"size": 20, "n_dashes": 4, "n_distractors": 1}


def scenes(n: int = 200, seed: int = 0, **changes):
    return draw_scenes(n, torch.Generator().manual_seed(seed), **{**RULES, **changes})


def test_a_label_says_whether_ink_joins_the_dots_once_the_gaps_are_closed():
    drawn = scenes(100, gap=0.0, size=28, clearance=4.5)
    images = render(drawn, 28, dot_radius=0.6).numpy()
    for image, dots, label in zip(images, drawn.dots, drawn.labels, strict=True):
        islands, _ = ndimage.label(image > 60, structure=np.ones((3, 3)))
        first, second = (islands[round(float(y)), round(float(x))] for x, y in dots)
        assert first > 0
        assert second > 0
        assert (first == second) == bool(label)


def test_dashes_are_apart_where_there_are_gaps():
    drawn = scenes(4, gap=4.0, dash=2.0, n_distractors=0, n_dashes=3, size=28, clearance=5.0)
    for image in render(drawn, 28, dot_radius=0.0).numpy():
        assert ndimage.label(image > 60, structure=np.ones((3, 3)))[1] == 2 * 3


def test_the_distance_of_the_dots_says_nothing_about_the_label():
    drawn = scenes(2000, size=12, n_dashes=3, n_distractors=0, turn=1.6, gap=0.5)
    distance = (drawn.dots[:, 0] - drawn.dots[:, 1]).norm(dim=1)[:, None].numpy()
    labels = drawn.labels.numpy()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(distance[:1000], labels[:1000])
    assert tree.score(distance[1000:], labels[1000:]) < 0.56
    assert abs(labels.mean() - 0.5) < 0.04


def test_paths_keep_their_clearance_and_stay_inside():
    drawn = scenes(50, clearance=3.0)
    longest = drawn.on.any(0).nonzero().max() + 1
    first, second = drawn.paths[:, 0, :longest], drawn.paths[:, 1, :longest]
    assert torch.cdist(first, second).amin() > 2.7  # looked at in every second point
    assert ((first > 1) & (first < RULES["size"] - 2)).all()


def test_the_seed_decides_the_images():
    size = {"n_train": 6, "n_validation": 2, "n_test": 2, "n_dashes": 3, "n_distractors": 0}
    assert synthesise(**size, seed=1).sha256 == synthesise(**size, seed=1).sha256
    assert synthesise(**size, seed=1).sha256 != synthesise(**size, seed=2).sha256


def test_rules_that_no_scene_obeys_are_refused():
    with pytest.raises(ValueError, match="fit into 8 x 8 pixels; pass a larger size"):
        scenes(1, size=8, n_dashes=5, n_distractors=0)


def write_official(folder, n=40, missing=()):
    image = pytest.importorskip("PIL.Image", reason="reading PNG files needs pillow")
    generator = np.random.default_rng(0)
    for batch in range(2):
        (folder / "imgs" / str(batch)).mkdir(parents=True)
        lines = []
        for i in range(n // 2):
            name, label = f"sample_{i}.png", i % 2
            pixels = np.full((4, 4), 10 * label, np.uint8)
            pixels[0, 0] = generator.integers(100, 255)
            if (batch, i) not in missing:
                image.fromarray(pixels).save(folder / "imgs" / str(batch) / name)
            lines.append(f"imgs/{batch} {name} {i} {label} 1.8 14 3 0.5")
        (folder / "metadata").mkdir(exist_ok=True)
        (folder / "metadata" / f"{batch}.npy").write_text("\n".join(lines) + "\n")


def test_the_official_folder_is_read_and_parted(tmp_path):
    write_official(tmp_path)
    data = pathfinder.load(tmp_path)
    assert [part.sequences.shape for part in data] == [(32, 16), (4, 16), (4, 16)]
    for part in data:
        assert part.labels.mean() == 0.5
        np.testing.assert_array_equal(part.sequences[:, 5], 10 * part.labels)
    assert data.sha256 == pathfinder.load(tmp_path).sha256


def test_missing_images_are_left_out_with_their_number(tmp_path):
    write_official(tmp_path, missing=[(0, 3), (1, 4)])
    with pytest.warns(UserWarning, match="2 images named under .* are missing or empty"):
        data = pathfinder.load(tmp_path)
    assert sum(len(part.labels) for part in data) == 38


def test_a_folder_without_metadata_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no metadata/\*\.npy"):
        pathfinder.load(tmp_path)

"""Pathfinder: are two dots joined by a dashed path? Images, read as a sequence of grey values.

The task is that of Linsley et al. (arXiv 1805.08315) as used in Long Range Arena (arXiv
2011.04006). The generator is our own: every image has two long dashed paths and some short ones,
and a dot at two of the ends of the long ones. The class is a fair coin: two ends of one path, or one
end of each. Both choices have the same distance between the dots to within `tolerance`, so the
distance says nothing about the class, and everything else in the image is the same for both.
"""

import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.evaluation.lra.parts import Part, TaskData, split_off

_POINTS_PER_PIXEL = 4  # of a path, when it is drawn: no gaps at any angle
_MARGIN = 1.5  # between a path and the border, in pixels
_CANDIDATES = 2048  # scenes that are drawn at once
_PLACES = 16  # that are tried for the shapes of a scene
_OFFICIAL_PARTS = (0.8, 0.1, 0.1)  # train, validation, test: the shares of the published splits


class Scenes(NamedTuple):
    """What there is to see in images, before it is drawn; coordinates in pixels, (x, y)."""

    paths: Tensor  # (n, paths, points, 2); the first two paths are the long ones
    on: Tensor  # (paths, points), True within a dash
    dots: Tensor  # (n, 2, 2)
    labels: Tensor  # (n,), 1 where one path joins the dots


def draw_scenes(
    n: int,
    generator: torch.Generator,
    *,
    size: int = 32,
    n_dashes: int = 7,
    dash: float = 2.0,
    gap: float = 1.0,
    turn: float = 0.6,
    n_distractors: int = 2,
    clearance: float = 3.0,
    tolerance: float = 0.25,
) -> Scenes:
    """Draw scenes at random; those that break a rule are drawn again.

    Parameters
    ----------
    n : int
        Scenes.
    generator : torch.Generator
        Source of all choices.
    size : int, default=32
        Width and height of the image, in pixels.
    n_dashes : int, default=7
        Dashes of a long path; a distractor has a third of them, and at least one.
    dash, gap : float
        Length of a dash and of the gap behind it, in pixels.
    turn : float, default=0.6
        Largest change of direction from one dash to the next, in radians.
    n_distractors : int, default=2
        Short paths.
    clearance : float, default=3.0
        Least distance between two paths, in pixels.
    tolerance : float, default=0.25
        Largest difference between the distances of the dots under the two classes, in pixels. Paths
        that hardly turn all have ends that are as far apart as they are long; they need a smaller
        one, or the distance would tell the class.

    Raises
    ------
    ValueError
        If hardly any scene obeys the rules.
    """
    counts = [n_dashes, n_dashes] + [max(1, n_dashes // 3)] * n_distractors
    kept: list[Scenes] = []
    n_kept = n_tried = 0
    while n_kept < n:
        shapes, on, real = _draw_shapes(counts, generator, dash, gap, turn)
        # Shapes cost more than places, and most places are turned down.
        for _ in range(_PLACES):
            paths = _place(shapes, real, size, generator)
            dots, labels, is_fair = _place_dots(paths[:, :2, [0, -1]], generator, tolerance)
            fits = (is_fair & _inside(paths, real, size)).nonzero()[:, 0]
            chosen = fits[_least_distance(paths[fits], real) >= clearance]
            kept.append(Scenes(paths[chosen], on & real, dots[chosen], labels[chosen]))
            n_kept, n_tried = n_kept + len(chosen), n_tried + len(shapes)
            left = torch.ones(len(shapes), dtype=torch.bool)
            left[chosen] = False
            shapes = shapes[left]
        if n_kept < n_tried / 50_000 - 1:
            raise ValueError(
                f"{n_kept} of {n_tried} scenes fit into {size} x {size} pixels; pass a larger size, "
                "or fewer or shorter dashes, or fewer distractors"
            )
    return Scenes(
        torch.cat([scenes.paths for scenes in kept])[:n],
        kept[0].on,
        torch.cat([scenes.dots for scenes in kept])[:n],
        torch.cat([scenes.labels for scenes in kept])[:n],
    )


def _draw_shapes(
    counts: list[int], generator: torch.Generator, dash: float, gap: float, turn: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Points of paths, which of them lie in a dash, and which exist: short paths end early."""
    per_dash = max(1, round(dash * _POINTS_PER_PIXEL))
    per_gap = round(gap * _POINTS_PER_PIXEL)
    n_points = max(counts) * (per_dash + per_gap) - per_gap
    shape = (_CANDIDATES, len(counts))
    first = 2 * math.pi * torch.rand(*shape, 1, generator=generator)
    turns = turn * (2 * torch.rand(*shape, max(counts), generator=generator) - 1)
    # The turn into a dash is spread over the steps of the dash and its gap: paths are smooth.
    per_step = turns.repeat_interleave(per_dash + per_gap, dim=-1)[..., :n_points]
    heading = first + per_step.cumsum(-1) / (per_dash + per_gap)
    steps = torch.stack([heading.cos(), heading.sin()], dim=-1) / _POINTS_PER_PIXEL
    phase = torch.arange(n_points) % (per_dash + per_gap)
    lengths = torch.tensor(counts) * (per_dash + per_gap) - per_gap
    real = torch.arange(n_points) < lengths[:, None]
    return steps.cumsum(-2), (phase < per_dash).expand(len(counts), -1), real


def _place(shapes: Tensor, real: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Move every path to a random place inside the image, if there is one."""
    outside = ~real[:, :, None]
    least = shapes.masked_fill(outside, torch.inf).amin(-2, keepdim=True)
    largest = shapes.masked_fill(outside, -torch.inf).amax(-2, keepdim=True)
    room = (size - 1 - 2 * _MARGIN - (largest - least)).clamp(min=0)
    return shapes - least + _MARGIN + room * torch.rand(room.shape, generator=generator)


def _inside(paths: Tensor, real: Tensor, size: int) -> Tensor:  # (candidates,)
    """Say of which candidates no path comes close to the border."""
    fits = (paths > _MARGIN - 0.01) & (paths < size - 1 - _MARGIN + 0.01)
    return (fits.all(-1) | ~real).flatten(1).all(1)


def _least_distance(paths: Tensor, real: Tensor) -> Tensor:  # (candidates,)
    """Distance between the two closest points of different paths."""
    coarse, exists = paths[:, :, ::2], real[:, ::2]
    least = torch.full((len(paths),), torch.inf)
    for i in range(paths.shape[1]):
        for j in range(i):
            between = torch.cdist(coarse[:, i, exists[i]], coarse[:, j, exists[j]])
            least = least.minimum(between.flatten(1).amin(1))
    return least


def _place_dots(
    ends: Tensor,  # (candidates, path, end, 2)
    generator: torch.Generator,
    tolerance: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Dots and classes; and whether the distance of the dots would be the same in both classes."""
    n = len(ends)
    rows = torch.arange(n)
    path, end, other = torch.randint(2, (3, n), generator=generator)
    joined = ends[rows, path]
    apart = torch.stack([ends[rows, path, end], ends[rows, 1 - path, other]], dim=1)
    difference = _length(joined) - _length(apart)
    labels = torch.randint(2, (n,), generator=generator)
    dots = torch.where(labels[:, None, None] == 1, joined, apart)
    return dots, labels, difference.abs() <= tolerance


def _length(pairs: Tensor) -> Tensor:
    return (pairs[:, 0] - pairs[:, 1]).norm(dim=-1)


def render(scenes: Scenes, size: int, dot_radius: float = 1.5) -> Tensor:  # (n, size, size), uint8
    """Draw the scenes: ink at every point of a dash and in a disc around every dot."""
    n = len(scenes.labels)
    inked = scenes.paths[:, scenes.on]  # (n, points, 2)
    ink = _spread(inked, size) * (2 / _POINTS_PER_PIXEL)
    grid = torch.stack(torch.meshgrid(*2 * [torch.arange(size)], indexing="xy"), dim=-1)
    distance = torch.cdist(grid.flatten(0, 1).float().expand(n, -1, -1), scenes.dots)
    discs = (dot_radius + 0.5 - distance.amin(-1)).clamp(0, 1).unflatten(1, (size, size))
    return (255 * ink.clamp(max=0.8).maximum(discs)).round().to(torch.uint8)


def _spread(points: Tensor, size: int) -> Tensor:  # (n, size, size)
    """Share every point out among its four pixels, in proportion to its closeness to each."""
    n = len(points)
    corner = points.floor().clamp(0, size - 2)
    right, below = (points - corner).unbind(-1)
    left_pixel = (corner[..., 1] * size + corner[..., 0]).long()
    ink = torch.zeros(n, size * size)
    for offset, share in (
        (0, (1 - right) * (1 - below)),
        (1, right * (1 - below)),
        (size, (1 - right) * below),
        (size + 1, right * below),
    ):
        ink.scatter_add_(1, left_pixel + offset, share)
    return ink.unflatten(1, (size, size))


def synthesise(
    *,
    n_train: int,
    n_validation: int,
    n_test: int,
    size: int = 32,
    seed: int = 0,
    **rules: Any,
) -> TaskData:
    """Draw the three parts.

    Parameters
    ----------
    n_train, n_validation, n_test : int
        Images per part.
    size : int, default=32
        Width and height, in pixels; a sequence has ``size**2`` steps.
    seed : int, default=0
        Decides everything.
    **rules
        Of `draw_scenes`.
    """
    generator = torch.Generator().manual_seed(seed)
    images, labels = [], []
    left = n_train + n_validation + n_test
    while left:  # in portions, so that a full set does not need the points of all its paths at once
        n = min(left, _CANDIDATES)
        scenes = draw_scenes(n, generator, size=size, **rules)
        images.append(render(scenes, size).flatten(1).numpy())
        labels.append(scenes.labels.numpy())
        left -= n
    ends = np.cumsum([n_train, n_validation])
    return TaskData(
        *map(Part, np.split(np.concatenate(images), ends), np.split(np.concatenate(labels), ends))
    )


def load(folder: Path, *, seed: int = 0) -> TaskData:
    """Read an official folder, for example pathfinder32/curv_contour_length_14.

    Parameters
    ----------
    folder : Path
        It holds ``metadata/*.npy``, text files of which every line names an image of this folder in
        its first two words and the class in its fourth, and the images, PNG files. Images that are
        missing or empty are left out with a warning, as the release has a few.
    seed : int, default=0
        Draws the parts: 80 % training, 10 % validation, 10 % test, each with the same classes.

    Raises
    ------
    FileNotFoundError
        If there is no metadata.
    """
    files = sorted((folder / "metadata").glob("*.npy"), key=lambda path: (len(path.name), path))
    if not files:
        raise FileNotFoundError(
            f"{folder} has no metadata/*.npy; pass a folder like pathfinder32/curv_contour_length_14"
        )
    images, labels, absent = [], [], 0
    for line in (line for path in files for line in path.read_text().splitlines() if line.split()):
        words = line.split()
        path = folder / words[0] / words[1]
        if not path.exists() or path.stat().st_size == 0:
            absent += 1
            continue
        images.append(_read_grey(path))
        labels.append(int(words[3]))
    if absent:
        warnings.warn(f"{absent} images named under {folder} are missing or empty", stacklevel=2)
    everything = Part(np.stack(images), np.array(labels, np.int64))
    _, validation, test = _OFFICIAL_PARTS
    rest, test_part = split_off(everything, test, seed)
    return TaskData(*split_off(rest, validation / (1 - test), seed), test_part)


def _read_grey(path: Path) -> np.ndarray:  # (pixels,), uint8
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L")).reshape(-1)

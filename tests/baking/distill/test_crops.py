"""Crops of the views that training sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from builders.distill import CPU, MARGIN, camera, view_set, views
from duplex.app.core.errors import DuplexError
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.network import TAP_SPACING, NetworkSpec, encode_view
from duplex.baking.distill.crops import CropSampler
from duplex.baking.distill.student import Student
from duplex.baking.distill.views import LEVEL_STEPS, LOWEST_LEVEL, NOWHERE, REACHES, UNKNOWN, UV_STEPS, ViewSet


def test_views_that_show_nothing_are_an_explained_error() -> None:
    empty = views()
    for hits in empty.hits:
        hits[..., :4] = NOWHERE
    assert len(CropSampler([views(), empty], 16, CPU).sets[1]) == 0
    with pytest.raises(DuplexError, match="none of 3 views"):
        CropSampler([empty], 16, CPU)


def test_a_crop_is_cut_from_its_view_with_the_rays_of_its_pixels() -> None:
    views = view_set()
    sampler = CropSampler([views], 8, CPU)
    crops = sampler([6], torch.Generator().manual_seed(0))
    for i, view in enumerate(crops.views.tolist()):
        picture = views.pictures[view]
        wanted = (crops.rgba[i].permute(1, 2, 0) * 255).round().byte().numpy()
        places = [(y, x) for y in range(17) for x in range(17) if np.array_equal(picture[y : y + 8, x : x + 8], wanted)]
        assert len(places) == 1
        y, x = places[0]
        hits = views.hits[view][y : y + 8 + 2 * MARGIN, x : x + 8 + 2 * MARGIN]
        assert np.array_equal(crops.mask[0][i], hits[..., 0] != NOWHERE)
        assert np.array_equal(crops.covered[i, 0] > 0, (hits[..., 0] != NOWHERE)[MARGIN:-MARGIN, MARGIN:-MARGIN])
        found = crops.uv[1][i].numpy()[hits[..., 2] != NOWHERE]
        assert np.abs(found - hits[hits[..., 2] != NOWHERE][:, 2:4] / UV_STEPS).max() < 1e-6
        assert np.abs(crops.level[1][i].numpy() - (hits[..., 5] / LEVEL_STEPS + LOWEST_LEVEL)).max() < 1e-5
        rays = views.cameras[view].padded(MARGIN).ray_directions()[y : y + 8 + 2 * MARGIN, x : x + 8 + 2 * MARGIN]
        encoded = encode_view(rays / np.linalg.norm(rays, axis=-1, keepdims=True))
        assert np.abs(crops.directions[i].numpy() - encoded).max() < 1e-5


def test_hard_views_are_drawn_more_and_empty_ones_never() -> None:
    views = view_set(4)
    views.hits[1][:] = NOWHERE
    sampler = CropSampler([views], 8, CPU)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        crops = sampler([4], generator)
        sampler.learned(crops, torch.where(crops.views == 2, 0.09, 0.01))
    drawn = torch.cat([sampler([4], generator).views for _ in range(400)]).bincount(minlength=4) / 1600
    assert drawn[1] == 0
    assert abs(drawn[2] - (0.5 / 3 + 0.5 * 0.09 / 0.11)) < 0.06
    assert abs(drawn[0] - (0.5 / 3 + 0.5 * 0.01 / 0.11)) < 0.06


def test_each_set_gives_its_share_of_a_batch() -> None:
    photos = replace(view_set(2, seed=5), opacity=[False] * 2)
    photos.pictures[0][:4] = UNKNOWN
    crops = CropSampler([view_set(), photos], 24, CPU)([3, 2], torch.Generator().manual_seed(1))
    assert (crops.views < 3).tolist() == [True] * 3 + [False] * 2
    assert crops.opacity.tolist() == [1, 1, 1, 0, 0]
    for i, view in enumerate(crops.views.tolist()):
        assert bool((crops.valid[i, 0, :4] == (0 if view == 3 else 1)).all())
        assert bool((crops.valid[i, 0, 4:] == 1).all())


def scaled_views(margin: int = 10) -> ViewSet:
    """Random views with a margin for the feature pyramid, whose scales give levels 0, 1 and 1.5."""
    rng = np.random.default_rng(5)
    side, wide = 24, 24 + 2 * margin
    hits = rng.integers(0, UV_STEPS, (3, wide, wide, 7)).astype(np.uint16)
    scales = np.array([1.0, 2 / TAP_SPACING, 2**1.5 / TAP_SPACING])
    hits[..., 6] = np.rint(65535 * scales / (1 + scales))[:, None, None]
    pictures = rng.integers(0, 255, (3, side, side, 4), np.uint8)
    return ViewSet([camera(side, i) for i in range(3)], [*pictures], [*hits], margin, [True] * 3)


def test_a_crop_has_one_level_of_the_pyramid() -> None:
    sampler = CropSampler([scaled_views()], 16, CPU)
    generator = torch.Generator().manual_seed(0)
    found: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for _ in range(100):
        crops = sampler([8], generator)
        assert crops.pyramid is not None and (crops.pyramid.diff() >= 0).all()
        for view, level in zip(crops.views.tolist(), crops.pyramid.tolist(), strict=True):
            found[view].append(level)
    assert set(found[0]) == {0} and set(found[1]) <= {1, 2} and np.mean(found[1]) == pytest.approx(1, abs=0.02)
    assert set(found[2]) == {1, 2} and np.mean(found[2]) == pytest.approx(1.5, abs=0.1)


def test_parts_of_one_level_reach_no_farther_than_it() -> None:
    sampler = CropSampler([scaled_views()], 16, CPU)
    crops = sampler([12], torch.Generator().manual_seed(1))
    parts = crops.by_level()
    assert torch.equal(torch.cat([part.rgba for _, part in parts]), crops.rgba)
    start = 0
    for level, part in parts:
        wide = 16 + 2 * REACHES[level]
        assert part.mask[0].shape == (len(part.views), wide, wide) and part.directions.shape[1:3] == (wide, wide)
        edge = 10 - REACHES[level]
        rows = slice(start, start + len(part.views))
        assert torch.equal(part.uv[1], crops.uv[1][rows, edge : 36 - edge, edge : 36 - edge])
        start = rows.stop


def test_the_student_sees_no_difference_between_parts_and_the_whole() -> None:
    spec = replace(NetworkSpec.shallow(8, 8), reference=ReferenceView((0.0, 0.0, 0.0), 4.0, 30.0))
    torch.manual_seed(0)
    student = Student(spec, 16)
    for texture in student.textures:
        torch.nn.init.uniform_(texture.texels, -1, 1)
    crops = CropSampler([scaled_views()], 16, CPU)([6], torch.Generator().manual_seed(2))
    drawn = student.shade(crops)
    parts = crops.by_level()
    assert len(parts) > 1
    start = 0
    for level, part in parts:
        (inputs,) = student._inputs([part])
        everywhere = torch.full((len(part.views), 16, 16), float(level))
        expected = student.network(inputs, everywhere)
        assert (drawn[start : start + len(part.views)] - expected).abs().max() < 1e-5
        start += len(part.views)


def test_half_of_the_crops_contain_a_pixel_of_a_rim() -> None:
    views = scaled_views()
    for hits in views.hits:
        hits[..., :4] %= UV_STEPS
        hits[10 + 3, 10 + 20, 2:4] = NOWHERE  # one pixel, near a corner
    sampler = CropSampler([views], 8, CPU)
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(100):
        crops = sampler([8], generator)
        found += (~crops.mask[1][:, 10:18, 10:18]).flatten(1).any(1).tolist()
    by_chance = 0.2  # of the others: 4 of 17 rows, 5 of 17 columns hold it
    assert 0.5 < np.mean(found) < 0.5 + by_chance
    outer = [hits[..., 0] != NOWHERE for hits in views.hits]
    assert all(mask.all() for mask in outer)

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.network import NetworkSpec, encode_view
from duplex.app.scene.reference import Reference
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.crops import CropSampler
from duplex.baking.distill.references import known_part
from duplex.baking.distill.trainer import DistillConfig, Trainer
from duplex.baking.distill.views import (
    NOWHERE,
    SHARD,
    UNKNOWN,
    UV_STEPS,
    ViewSet,
    at_scales,
    read_pictures,
    render_teacher,
)

CPU = torch.device("cpu")
SPEC = NetworkSpec.shallow(8, 8)
MARGIN = SPEC.margin


def camera(side: int, angle: float) -> Camera:
    eye = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.0])
    return Camera.from_fov(look_at(eye, np.zeros(3), np.array([0.0, 0, 1])), side, side, 0.7)


def view_set(count: int = 3, side: int = 24, seed: int = 3) -> ViewSet:
    """Random views whose shells are hit on a square in the middle."""
    rng = np.random.default_rng(seed)
    wide = side + 2 * MARGIN
    hits = np.full((count, wide, wide, 6), NOWHERE, np.uint16)
    hits[:, 5 : wide - 5, 5 : wide - 5] = rng.integers(0, UV_STEPS, (count, wide - 10, wide - 10, 6))
    pictures = rng.integers(0, 255, (count, side, side, 4), np.uint8)
    return ViewSet([camera(side, i) for i in range(count)], [*pictures], [*hits], MARGIN, [True] * count)


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
        assert np.abs(crops.level[1][i].numpy() - (hits[..., 5] / 2048 - 16)).max() < 1e-5
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


class CountingRenderer:
    """Paints each of ``cameras`` in the grey of its number, and notes who asked."""

    def __init__(self, cameras: list[Camera]):
        self.teacher = SimpleNamespace(device=torch.device("cpu"))
        self.cameras, self.threads = [id(camera) for camera in cameras], list[tuple[int, int]]()

    def render(self, camera: Camera) -> torch.Tensor:
        self.threads.append((threading.get_ident(), torch.get_num_threads()))
        return torch.full((camera.height, camera.width, 4), (self.cameras.index(id(camera)) + 1) / 255)


def test_views_that_are_there_are_not_rendered_again(tmp_path: Path) -> None:
    cameras = [camera(8, i) for i in range(2 * SHARD + 5)]
    first, second = CountingRenderer(cameras), CountingRenderer(cameras)
    pictures = render_teacher(first, cameras, tmp_path / "views")  # type: ignore[arg-type]
    assert [int(picture.max()) for picture in pictures] == list(range(1, 2 * SHARD + 6))
    (tmp_path / f"views-{SHARD:05d}.raw").unlink()
    again = render_teacher(second, cameras, tmp_path / "views")  # type: ignore[arg-type]
    assert (len(first.threads), len(second.threads)) == (2 * SHARD + 5, SHARD)
    assert all(np.array_equal(*both) for both in zip(again, pictures, strict=True))
    assert isinstance(again[0].base, np.memmap)


def test_each_core_renders_a_view_of_its_own(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    cameras = [camera(8, i) for i in range(40)]
    try:
        torch.set_num_threads(3)
        renderer = CountingRenderer(cameras)
        render_teacher(renderer, cameras, tmp_path / "views")  # type: ignore[arg-type]
        assert {own for _, own in renderer.threads} == {1}
        assert threading.get_ident() not in {who for who, _ in renderer.threads} and torch.get_num_threads() == 3
        torch.set_num_threads(1)
        alone = CountingRenderer(cameras)
        render_teacher(alone, cameras, tmp_path / "alone")  # type: ignore[arg-type]
        assert set(alone.threads) == {(threading.get_ident(), 1)}
    finally:
        torch.set_num_threads(threads)


def test_photos_are_read_at_several_scales(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, height, width in (("a.png", 400, 240), ("b.png", 120, 60)):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(tmp_path / name)
    Image.fromarray(np.repeat([[0] * 30 + [255] * 30], 120, 0).astype(np.uint8)).save(tmp_path / "mask.png")
    pose = camera(8, 0).camera_to_world
    photos = [
        Photo(Camera.from_fov(pose, 240, 400, 0.7), tmp_path / "a.png"),
        Photo(Camera.from_fov(pose, 60, 120, 0.7), tmp_path / "b.png", mask=tmp_path / "mask.png"),
    ]
    cameras, pictures, opacity = read_pictures(at_scales(photos, 16), tmp_path / "photos")
    assert [(c.width, c.height) for c in cameras] == [(240, 400), (120, 200), (60, 120)]
    assert [p.shape for p in pictures] == [(400, 240, 4), (200, 120, 4), (120, 60, 4)]
    assert at_scales(photos, 61) == [(photos[0], 400), (photos[0], 200)]
    source = np.asarray(Image.open(tmp_path / "a.png")).astype(float)
    assert np.abs(pictures[1][..., :3] - source.reshape(200, 2, 120, 2, 3).mean((1, 3))).max() <= 0.5 + 1e-3
    assert (pictures[2][:, :30] == UNKNOWN).all() and (pictures[2][:, 30:, 3] == 255).all()
    assert opacity == [False] * len(cameras)


def test_a_reference_is_the_known_part_of_a_photo(tmp_path: Path) -> None:
    source = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(source).save(tmp_path / "a.png")
    seen = Camera.from_fov(camera(8, 0).camera_to_world, 80, 60, 0.7)
    photo = Photo(seen, tmp_path / "a.png", mask=tmp_path / "mask.png")

    def masked(mask: np.ndarray) -> Reference | None:
        Image.fromarray((255 * mask).astype(np.uint8)).save(tmp_path / "mask.png")
        return known_part(photo, 60)

    y, x = np.mgrid[:60, :80]
    for mask in (np.ones((60, 80)), (y > 1) & (x > 2) & (x < 78), (x - 39.5) ** 2 + (y - 29.5) ** 2 < 48**2):
        found = masked(mask)
        assert found
        top, left = round(seen.cy - found.camera.cy), round(seen.cx - found.camera.cx)
        height, width = found.rgba.shape[:2]
        assert (found.camera.height, found.camera.width) == (height, width) and height * width > 0.7 * 60 * 80
        assert mask[top : top + height, left : left + width].all()
        assert np.array_equal(found.rgba[..., :3], source[top : top + height, left : left + width])
    assert masked((x < 30) | (x > 40)) is None and masked(np.hypot(x - 40, y - 30) > 9) is None


@pytest.mark.parametrize("photo_steps", [0.0, 0.6])
def test_photos_have_the_last_word(tmp_path: Path, photo_steps: float) -> None:
    teacher = view_set(2)
    photos = replace(teacher, pictures=[255 - picture for picture in teacher.pictures], opacity=[False] * 2)
    for views, value in ((teacher, 60), (photos, 190)):
        for picture in views.pictures:
            picture[:] = (value, value, value, 255)
    config = DistillConfig(steps=150, batch=4, crop=16, width=8, photo_steps=photo_steps, photo_share=0.75)
    trainer = Trainer(SPEC, 64, config, 0, CPU)
    trainer.train([teacher, photos], (1.0, 1.0, 1.0), tmp_path / "state")
    crops = CropSampler([teacher], 24, CPU)([2], torch.Generator().manual_seed(0))
    rgba = trainer.student.shade(crops).detach()
    seen = rgba[:, 0] * rgba[:, 3] + 1 - rgba[:, 3]  # on white, as it is trained
    mean = 255 * float(seen[crops.covered[:, 0] > 0].mean())
    assert (120 < mean < 200) if photo_steps else (50 < mean < 70)

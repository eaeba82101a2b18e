"""The views that a teacher renders, kept on disk."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from builders.distill import camera
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.views import SHARD, UNKNOWN, ViewConfig, at_scales, read_pictures, render_teacher
from duplex.baking.fields.density_grid import DensityGrid


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


def test_a_teachers_own_grid_is_sampled_in_each_cell() -> None:
    coarse, fine = (DensityGrid(np.zeros((n, 3, 3), np.float32), np.zeros(3), 3.0 / (n - 1)) for n in (144, 289))
    config = ViewConfig()
    assert [config.samples_in_cell(grid, None) for grid in (coarse, fine)] == [2, 1]
    assert config.samples_in_cell(fine, cell=3.0 / 140) == 1  # of a draft's field
    assert config.samples_in_cell(fine, cell=3.0 / 380) == 2
    assert config.samples_in_cell(coarse, cell=3.0 / 380) == 4
    assert ViewConfig(sub_steps=3).samples_in_cell(fine, 1e-3) == 3


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
    cameras, pictures, opacity = read_pictures(at_scales(photos, 16, 1000), tmp_path / "photos")
    assert [(c.width, c.height) for c in cameras] == [(240, 400), (120, 200), (60, 120)]
    assert [p.shape for p in pictures] == [(400, 240, 4), (200, 120, 4), (120, 60, 4)]
    assert at_scales(photos, 61, 1000) == [(photos[0], 400), (photos[0], 200)]
    assert at_scales(photos, 16, 239) == [(photos[0], 200), (photos[1], 120)]
    source = np.asarray(Image.open(tmp_path / "a.png")).astype(float)
    assert np.abs(pictures[1][..., :3] - source.reshape(200, 2, 120, 2, 3).mean((1, 3))).max() <= 0.5 + 1e-3
    assert (pictures[2][:, :30] == UNKNOWN).all() and (pictures[2][:, 30:, 3] == 255).all()
    assert opacity == [False] * len(cameras)

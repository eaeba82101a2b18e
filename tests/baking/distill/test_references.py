"""Reference pictures cut from photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from builders.distill import camera
from duplex.app.scene.camera import Camera
from duplex.app.scene.reference import Reference
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.references import known_part


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

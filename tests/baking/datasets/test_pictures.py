"""Bit depths and EXIF orientations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.datasets.checks import BLACK, refused
from builders.datasets.folders import png16, write, write_nerfstudio
from duplex.baking.datasets.pictures import find_picture, load_premultiplied, upright_size
from duplex.baking.datasets.reading import read_photos


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_pictures_of_16_bits(tmp_path: Path, colour_type: int, channels: int) -> None:
    samples = np.random.default_rng(1).integers(0, 65536, (8, 8, channels)).astype(np.uint16)
    (write(tmp_path) / "r_0.png").write_bytes(png16(samples, colour_type))
    rgba, _ = read_photos(tmp_path, "test", 0.0)[0].rgba(None)
    wanted = samples / 65535
    alpha = wanted[..., -1:] if channels in (2, 4) else np.ones((8, 8, 1))
    colour = np.broadcast_to(wanted[..., : 3 if channels > 2 else 1], (8, 8, 3))
    assert np.abs(rgba[..., 3:] - alpha).max() < 1 / 255 and np.abs(rgba[..., :3] - colour * alpha).max() < 2 / 255
    if channels == 1:
        assert np.abs(rgba[..., :3] - colour).max() < 1e-6


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
def test_pictures_of_8_bits(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (8, 8), (51, 51, 51, 255)).convert(mode)
    write(tmp_path)
    picture.save(tmp_path / "r_0.png", format="PNG")
    assert np.allclose(read_photos(tmp_path, "test", 0.0)[0].pixels(4, BLACK), 0.2, atol=1e-6)
    if mode == "L":
        picture.save(tmp_path / "r_0.png", format="JPEG")
        assert np.allclose(read_photos(tmp_path, "test", 0.0)[0].pixels(None, BLACK), 0.2, atol=1 / 255)


def turned_picture(path: Path, orientation: int, width: int, height: int) -> None:
    """A picture with a white top left corner as it is stored."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    samples = np.zeros((height, width, 3), np.uint8)
    samples[: height // 3, : width // 4] = 255
    Image.fromarray(samples).save(path, exif=exif)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_exif_turns_a_picture_where_its_cameras_demand_it(tmp_path: Path, suffix: str) -> None:
    frame = {"file_path": "f" + suffix, "transform_matrix": np.eye(4).tolist()}
    write_nerfstudio(tmp_path, False, frames=[frame], w=80, h=60, fl_x=70, fl_y=70)
    corners = {5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}  # where the stored top left corner goes
    for orientation, corner in corners.items():
        turned_picture(tmp_path / f"f{suffix}", orientation, 60, 80)
        photo = read_photos(tmp_path, "test", 0.0)[0]
        pixels = photo.pixels(None, BLACK)
        assert pixels.shape == (60, 80, 3) and photo.camera.width == 80
        lit = [c for c in ((0, 0), (0, -1), (-1, -1), (-1, 0)) if pixels[c].mean() > 0.9]
        assert lit == [corner]
    turned_picture(tmp_path / f"f{suffix}", 6, 80, 60)  # stored as the cameras have it: left as it is
    assert read_photos(tmp_path, "test", 0.0)[0].pixels(None, BLACK)[0, 0].mean() > 0.9
    turned_picture(tmp_path / f"f{suffix}", 3, 80, 60)
    refused(tmp_path, "EXIF orientation tag 3", "upright")
    turned_picture(tmp_path / f"f{suffix}", 1, 80, 60)
    assert read_photos(tmp_path, "test", 0.0)
    write_nerfstudio(tmp_path, False, frames=[frame], w=60, h=60, fl_x=70, fl_y=70)
    turned_picture(tmp_path / f"f{suffix}", 8, 60, 60)
    refused(tmp_path, "EXIF orientation tag 8")
    write(tmp_path, name="f" + suffix)
    turned_picture(tmp_path / f"f{suffix}", 6, 60, 80)
    refused(tmp_path, "EXIF orientation tag 6", "remove the tag")


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".WEBP"])
def test_photos_of_newer_formats_are_read(tmp_path: Path, suffix: str) -> None:
    colors = np.zeros((6, 8, 4), np.uint8)
    colors[..., 0] = 200
    colors[..., 3] = 255
    colors[:3, :, 3] = 0
    file = tmp_path / f"r_0{suffix}"
    Image.fromarray(colors).save(file, suffix[1:].upper(), lossless=True, quality=100)
    assert find_picture(tmp_path, "r_0") == file.resolve() and upright_size(file, None) == (8, 6)
    pixels = load_premultiplied(file, (8, 6))
    assert np.allclose(pixels[4, 4], [200 / 255, 0, 0, 1], atol=0.03) and np.allclose(pixels[1, 4], 0, atol=0.03)

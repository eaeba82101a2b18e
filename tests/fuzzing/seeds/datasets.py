"""Datasets of all four formats with a few tiny pictures of all kinds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from builders.datasets import colmap, folders

LENS = {"k1": 0.1, "k2": -0.02, "p1": 0.01, "p2": -0.005}


def write(folder: Path) -> None:
    """The seeds."""
    small = folder / "small"
    _blender(small / "blender")
    _blender(small / "blender-16-bit", folders.png16(np.full((8, 8, 3), 999, np.uint16), 2))
    folders.write_nerfstudio(
        _new(small / "nerfstudio"), count=3, ply_file_path="x.ply", applied_transform=np.eye(4)[:3].tolist()
    )
    folders.write_nerfstudio(_new(small / "fisheye"), count=2, camera_model="OPENCV_FISHEYE", **LENS)
    spelt = {"distortion_params": [0.1, -0.02, 0, 0, 0.01, -0.005], "fisheye_crop_radius": 3.0, "cx": 4.2, "cy": 2.9}
    folders.write_cameras(_new(small / "around"), folders.ring(6), **spelt)
    listed = {
        "fl_x": None,
        "K": [[7, 0, 4], [0, 7, 3], [0, 0, 1]],
        "D": [[0.1, -0.02, 0.01, 0.005, 0.1, 0.2, 0.3, 0.4]],
    }
    folders.write_cameras(_new(small / "listed"), 0.5 * folders.ring(5, 20, (0, 90)), **listed)
    _masked(small / "masked")
    _turned(small / "turned")
    folders.write_nerfstudio(_new(folder / "large" / "many"), count=60)
    for name, names in (("llff", "image{:03d}.png"), ("llff-jpeg", "p{:03d}.jpg")):
        folders.write_llff(_new(small / name), folders.llff_rows(folders.poses(3)), names)
    for model in ("PINHOLE", "OPENCV", "FULL_OPENCV", "SIMPLE_RADIAL_FISHEYE"):
        for binary in (True, False):
            place = _new(small / f"colmap-{model}-{'bin' if binary else 'txt'}")
            colmap.write_colmap(place, binary, model)
            for picture in sorted((place / "images").iterdir())[2:]:
                picture.unlink()


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _blender(folder: Path, picture: bytes | None = None) -> None:
    folders.write(_new(folder))
    for split in ("train", "val"):
        (folder / f"transforms_{split}.json").write_bytes((folder / "transforms_test.json").read_bytes())
    if picture:
        (folder / "r_0.png").write_bytes(picture)


def _masked(folder: Path) -> None:
    """Frames with masks, lenses of their own and palette pictures."""
    folders.write_nerfstudio(_new(folder), count=2, **LENS)
    data = json.loads((folder / "transforms.json").read_text())
    for i, frame in enumerate(data["frames"]):
        frame |= {"mask_path": f"masks/{i}.png", "fl_x": 7.5, "w": 8, "h": 6}
        folders.save(folder / "masks" / f"{i}.png", value=255)
    (folder / "transforms.json").write_text(json.dumps(data))
    Image.new("P", (8, 6), 3).save(folder / "images" / "f_0.png")
    Image.new("1", (8, 6), 1).save(folder / "masks" / "0.png")
    Image.new("L", (8, 6)).save(folder / "images" / "dynamic_mask_f_1.png")


def _turned(folder: Path) -> None:
    """A picture that its EXIF tag turns."""
    folders.write_nerfstudio(_new(folder), count=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 8)).save(folder / "images" / "f_0.png", exif=exif)

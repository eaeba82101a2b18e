"""COLMAP's reconstructions, binary and text."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from builders.datasets.checks import every_photo, one_sentence, projected, refused
from builders.datasets.colmap import PARAMETERS, POINT, colmap_rows, write_colmap
from builders.datasets.folders import save
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.reading import read_dataset, read_photos


@pytest.mark.parametrize("binary", [True, False])
def test_colmap_projects_as_its_own_formula_does(tmp_path: Path, binary: bool) -> None:
    photos = every_photo(read_dataset(write_colmap(tmp_path, binary)))
    assert [p.path.name for p in photos] == [f"f {i}.png" for i in range(10)]
    fx, fy, cx, cy = PARAMETERS["PINHOLE"][1]
    for photo in photos:
        (w, x, y, z), t = next((q, t) for q, t, name in colmap_rows() if name == photo.path.name)
        u, v, depth = Rotation.from_quat([x, y, z, w]).as_matrix() @ POINT + t
        assert np.allclose(projected(photo.camera, POINT), [fx * u / depth + cx, fy * v / depth + cy])


@pytest.mark.parametrize("model", PARAMETERS)
def test_colmap_binary_and_text_agree(tmp_path: Path, model: str) -> None:
    one, other = (read_dataset(write_colmap(tmp_path / str(b), b, model), 0.01) for b in (True, False))
    assert len(every_photo(one)) == 10
    for a, b in zip(every_photo(one), every_photo(other), strict=True):
        assert np.array_equal(a.camera.camera_to_world, b.camera.camera_to_world)
        assert a.camera.to_json() == b.camera.to_json() and a.distortion == b.distortion and a.shift == b.shift
    assert (one.near, one.far) == (other.near, other.far) and one.near is not None
    assert np.array_equal(one.to_original, np.eye(4)) and np.array_equal(one.up, other.up)


def test_colmap_scene_facts(tmp_path: Path) -> None:
    dataset = read_dataset(write_colmap(tmp_path, True, sparse="colmap/sparse/0"))
    depths = []
    for (w, x, y, z), t, _ in colmap_rows():
        u, v, depth = Rotation.from_quat([x, y, z, w]).as_matrix() @ POINT + t
        if 0 <= 7 * u / depth + 4.2 <= 8 and 0 <= 6.5 * v / depth + 2.9 <= 6:
            depths.append(depth)
    assert (dataset.near, dataset.far) == pytest.approx((min(depths), max(depths)))
    mean = np.mean([Rotation.from_quat([*q[1:], q[0]]).inv().apply([0, -1, 0]) for q, _, _ in colmap_rows()], 0)
    assert np.allclose(dataset.up, mean / np.linalg.norm(mean)) and dataset.forward_facing
    assert [p.path.name for p in dataset.photos["test"]] == ["f 0.png", "f 8.png"] and dataset.kind == "colmap"
    (tmp_path / "colmap/sparse/0/points3D.bin").unlink()
    assert read_dataset(tmp_path).near is None


@pytest.mark.parametrize("binary", [True, False])
def test_points_are_read_with_the_cameras_that_see_them(tmp_path: Path, binary: bool) -> None:
    sparse = read_dataset(write_colmap(tmp_path, binary)).sparse
    assert sparse is not None and np.array_equal(sparse.positions, [POINT])
    ((eye, point),) = sparse.sightings.tolist()
    (w, x, y, z), t, _ = colmap_rows()[0]
    assert point == 0 and np.allclose(sparse.eyes[eye], -Rotation.from_quat([x, y, z, w]).inv().apply(t))


def test_colmap_takes_smaller_pictures_where_there_are_no_others(tmp_path: Path) -> None:
    write_colmap(tmp_path, True, "OPENCV")
    (tmp_path / "images").rename(tmp_path / "images_4")
    for path in (tmp_path / "images_4").iterdir():
        path.unlink()
        save(path.with_suffix(".jpg"), 4, 3)
    photo = read_photos(tmp_path, "test", 0.0)[0]
    camera = photo.camera
    assert (camera.width, camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((4, 3.5, 3.25, 2.1, 1.45))
    assert photo.distortion == Distortion((0.1, -0.02), (), (0.01, -0.005))


def test_damaged_colmap_files_are_refused(tmp_path: Path) -> None:
    place = write_colmap(tmp_path, True) / "sparse/0"
    for name in ("cameras.bin", "images.bin", "points3D.bin"):
        good = (place / name).read_bytes()
        for cut in sorted({0, 3, 8, 9, 20, 40, len(good) // 2, len(good) - 1}):
            (place / name).write_bytes(good[:cut])
            refused(tmp_path, name, "cut off or damaged")
        for count in (len(good), 1 << 40, (1 << 64) - 1):
            (place / name).write_bytes(struct.pack("<Q", count) + good[8:])
            refused(tmp_path, name, f"{count} records announced")
        (place / name).write_bytes(good)
    cameras, images = (place / "cameras.bin").read_bytes(), (place / "images.bin").read_bytes()
    for model, word in ((7, "FOV"), (99, "number 99"), (-1, "number -1")):
        (place / "cameras.bin").write_bytes(cameras[:12] + struct.pack("<i", model) + cameras[16:])
        refused(tmp_path, "camera 7", word, "FULL_OPENCV")
    (place / "cameras.bin").write_bytes(cameras[:8] + struct.pack("<i", 8) + cameras[12:])
    refused(tmp_path, "camera 7: expected one that the file of cameras holds")
    (place / "cameras.bin").write_bytes(cameras)
    for at, value, word in ((12, math.nan, "quaternion nan"), (12, 3.0, "quaternion 3"), (44, math.inf, "holds")):
        (place / "images.bin").write_bytes(images[:at] + struct.pack("<d", value) + images[at + 8 :])
        refused(tmp_path, "images.bin: frame f 3.png", word)
    (place / "images.bin").write_bytes(images[:72] + b"x" * (len(images) + 2000))
    refused(tmp_path, "a name without an end")
    (place / "images.bin").write_bytes(struct.pack("<Q", 0))
    refused(tmp_path, "0 images")


def test_damaged_colmap_texts_are_refused(tmp_path: Path) -> None:
    place = write_colmap(tmp_path, False) / "sparse/0"
    for name, line, word in (
        ("cameras.txt", "7 FOV 8 6 1 2 3 4 5", "FOV"),
        ("cameras.txt", "7 PINHOLE 8 6 1 2 3", "3 parameters"),
        ("cameras.txt", "7 PINHOLE 8 6 1 2 3 nan", "nan"),
        ("cameras.txt", "7 PINHOLE 0 6 1 2 3 4", "0 x 6"),
        ("images.txt", "1 1 0 0 0 0 0", "not a COLMAP text file"),
        ("images.txt", "1 1 0 0 0 0 0 zero 7 f.png", "zero"),
        ("images.txt", "# nothing", "0 images"),
        ("points3D.txt", "1 2 x", "not a COLMAP text file"),
    ):
        good = (place / name).read_text()
        (place / name).write_text(f"{line}\n")
        refused(tmp_path, name, word)
        (place / name).write_text(good)


def test_colmap_names_that_leave_the_folder_find_nothing(tmp_path: Path) -> None:
    outside = save(tmp_path / "outside.png")
    folder = write_colmap(tmp_path / "inside", False)
    for name in ("../../outside.png", str(outside), "../../outside.jpg"):
        (folder / "sparse/0/images.txt").write_text(f"1 1 0 0 0 0 0 0 7 {name}\n\n")
        refused(folder, "none of the pictures in sparse/0/images.txt")


@pytest.mark.parametrize(
    ("sparse", "pictures"),
    [
        ("sparse/0", "input"),
        ("sparse", "images"),
        ("sparse/3", "images"),
        ("colmap/sparse/0", "images"),
        ("colmap/sparse", "input"),
        ("distorted/sparse/0", "input"),
        ("distorted/sparse/0", "images"),
        ("colmap_sparse/0", "images"),
        ("colmap_text", "images"),
        ("dense/0/sparse", "images"),
        ("output/colmap_text/2", "input"),
        ("sparse/0", "photos of the day"),
        ("sparse/0", "."),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_colmap_is_found_where_programs_leave_it(tmp_path: Path, sparse: str, pictures: str, binary: bool) -> None:
    write_colmap(tmp_path, binary, sparse=sparse)
    if pictures == ".":
        for file in (tmp_path / "images").iterdir():
            file.rename(tmp_path / file.name)
    else:
        (tmp_path / "images").rename(tmp_path / pictures)
    dataset = read_dataset(tmp_path, 0.0)
    assert dataset.kind == "colmap" and dataset.missing == 0
    folder = (tmp_path / pictures).resolve()
    assert all(photo.path.parent == folder for photo in dataset.photos["train"])


def test_of_several_scenes_none_is_taken(tmp_path: Path) -> None:
    for name in ("chair", "lego"):
        write_colmap(tmp_path / name, True)
    one_sentence(lambda: read_dataset(tmp_path), "no dataset in this folder")


def test_the_reconstruction_with_the_most_images_is_read(tmp_path: Path) -> None:
    for name, kept in (("0", 2), ("1", 9), ("2", 5), ("10", 1)):
        write_colmap(tmp_path, binary=False, sparse=f"sparse/{name}")
        file = tmp_path / "sparse" / name / "images.txt"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[: 1 + 2 * kept]))
    assert sum(len(read_photos(tmp_path, split, 0.0)) for split in ("train", "test")) == 9
    (tmp_path / "sparse" / "1" / "images.txt").write_text("damaged")
    assert sum(len(read_photos(tmp_path, split, 0.0)) for split in ("train", "test")) == 5


def test_names_may_hold_the_folder(tmp_path: Path) -> None:
    write_colmap(tmp_path, binary=False)
    file = tmp_path / "sparse" / "0" / "images.txt"
    text = file.read_text()
    for prefix in ("images/", "home/me/data/images/", "rgb/"):
        file.write_text(text.replace(" 7 f ", f" 7 {prefix}f "))
        assert read_dataset(tmp_path, 0.0).missing == 0

import io
import json
import math
import pickle
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.photos import Dataset, Photo
from duplex.baking.datasets.reading import read_cameras, read_dataset, read_photos

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
POINT = np.array([0.3, -0.2, 0.1])


# writers


def write(folder: Path, matrix: object = None, name: str = "./r_0", picture: np.ndarray | None = None) -> Path:
    pose = np.eye(4).tolist() if matrix is None else matrix
    content = {"camera_angle_x": 0.7, "frames": [{"file_path": name, "transform_matrix": pose}]}
    (folder / "transforms_test.json").write_text(json.dumps(content))
    Image.fromarray(np.zeros((8, 8, 4), np.uint8) if picture is None else picture).save(folder / "r_0.png")
    return folder


def save(path: Path, width: int = 8, height: int = 6, value: int = 0, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (value, value, value)).save(path, **options)
    return path


def at(*numbers: float) -> np.ndarray:
    return np.array(numbers)


def poses(count: int = 10) -> list[np.ndarray]:
    """Cameras on an arc, 2 and more away from the origin."""
    angles = np.linspace(-0.4, 0.5, count)
    return [look_at(at(3 * math.sin(a), 0.3 + a, 2 + math.cos(a)), at(0.1, 0, 0), at(0.1, 1, 0)) for a in angles]


def write_nerfstudio(folder: Path, pictures: bool = True, count: int = 10, **shared: Any) -> Path:
    frames = [{"file_path": f"images/f_{i}.png", "transform_matrix": p.tolist()} for i, p in enumerate(poses(count))]
    content = {"fl_x": 7.0, "fl_y": 6.5, "cx": 4.2, "cy": 2.9, "w": 8, "h": 6} | {"frames": frames[::-1]} | shared
    text = json.dumps({key: value for key, value in content.items() if value is not None})
    (folder / "transforms.json").write_text(text)
    for i in range(count if pictures else 0):
        save(folder / f"images/f_{i}.png", value=i)
    return folder


def llff_rows(cameras: Iterable[np.ndarray], width: float = 8, height: float = 6) -> np.ndarray:
    rows = []
    for i, pose in enumerate(cameras):
        matrix = np.stack([-pose[:3, 1], pose[:3, 0], pose[:3, 2], pose[:3, 3], [height, width, 7.0]], -1)
        rows.append([*matrix.reshape(-1), 1.5 + i, 20.0])
    return np.array(rows)


def write_llff(folder: Path, rows: np.ndarray | None = None, names: str = "image{:03d}.png") -> Path:
    rows = llff_rows(poses()) if rows is None else rows
    np.save(folder / "poses_bounds.npy", rows)
    for i in range(len(rows)):
        save(folder / "images_2" / names.format(i), 8, 6, i)
    return folder


PARAMETERS: dict[str, tuple[int, list[float]]] = {
    "SIMPLE_PINHOLE": (0, [7, 4, 3]),
    "PINHOLE": (1, [7, 6.5, 4.2, 2.9]),
    "SIMPLE_RADIAL": (2, [7, 4, 3, 0.1]),
    "RADIAL": (3, [7, 4, 3, 0.1, -0.02]),
    "OPENCV": (4, [7, 6.5, 4.2, 2.9, 0.1, -0.02, 0.01, -0.005]),
    "OPENCV_FISHEYE": (5, [7, 6.5, 4.2, 2.9, 0.1, -0.02, 0.01, -0.005]),
    "FULL_OPENCV": (6, [7, 6.5, 4.2, 2.9, 0.1, -0.02, 0.01, -0.005, 0.03, 0.2, 0.04, 0.01]),
    "SIMPLE_RADIAL_FISHEYE": (8, [7, 4, 3, 0.1]),
    "RADIAL_FISHEYE": (9, [7, 4, 3, 0.1, -0.02]),
}


def colmap_rows(count: int = 10) -> list[tuple[list[float], list[float], str]]:
    """Quaternions w x y z and translations, in an order that is not that of the names."""
    rows = []
    for i in (3, 0, 1, 2, *range(4, count)):
        x, y, z, w = Rotation.from_rotvec([0.1 * i - 0.3, 0.05 * i, 0.02 * i]).as_quat()
        rows.append(([w, x, y, z], [0.1 * i, -0.2, 3 + 0.1 * i], f"f {i}.png"))
    return rows


def write_colmap(folder: Path, binary: bool, model: str = "PINHOLE", sparse: str = "sparse/0") -> Path:
    number, parameters = PARAMETERS[model]
    place = folder / sparse
    place.mkdir(parents=True)
    if binary:
        camera = struct.pack(f"<iiQQ{len(parameters)}d", 7, number, 8, 6, *parameters)
        (place / "cameras.bin").write_bytes(struct.pack("<Q", 1) + camera)
        images = [
            struct.pack("<i7di", i, *q, *t, 7) + name.encode() + b"\0" + struct.pack("<Qddq", 1, 1.0, 2.0, -1)
            for i, (q, t, name) in enumerate(colmap_rows())
        ]
        (place / "images.bin").write_bytes(struct.pack("<Q", len(images)) + b"".join(images))
        point = struct.pack("<Q3d3BdQ2i", 1, *POINT, 0, 0, 0, 0.5, 1, 0, 0)
        (place / "points3D.bin").write_bytes(struct.pack("<Q", 1) + point)
    else:
        (place / "cameras.txt").write_text(f"# comment\n7 {model} 8 6 {' '.join(map(repr, parameters))}\n")
        lines = [
            f"{i} {' '.join(map(repr, map(float, [*q, *t])))} 7 {n}\n" for i, (q, t, n) in enumerate(colmap_rows())
        ]
        (place / "images.txt").write_text(
            "# comment\n" + "".join(f"{line}{i % 2 * '1 2 -1'}\n" for i, line in enumerate(lines))
        )
        (place / "points3D.txt").write_text(f"1 {' '.join(map(repr, POINT.tolist()))} 0 0 0 0.5 0 0\n")
    for i, (_, _, name) in enumerate(colmap_rows()):
        save(folder / "images" / name, value=i)
    return folder


def png16(samples: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG, which Pillow cannot write in colour: (h, w, channels) uint16."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour_type, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


# checks


def one_sentence(action: Callable[[], object], *words: str) -> None:
    with pytest.raises(DuplexError) as error:
        action()
    assert "\n" not in str(error.value) and all(word in str(error.value) for word in words), str(error.value)
    assert len(str(error.value)) < 1000


def refused(folder: Path, *words: str) -> None:
    one_sentence(lambda: read_photos(folder, "test", 0.0)[0].pixels(4, WHITE), *words)


def every_photo(dataset: Dataset) -> list[Photo]:
    return sorted({p.path: p for photos in dataset.photos.values() for p in photos}.values(), key=lambda p: p.path)


def projected(camera: Camera, point: np.ndarray) -> np.ndarray:
    x, y, z = (camera.view_matrix() @ [*point, 1])[:3]
    return np.array([camera.cx + camera.fx * x / -z, camera.cy - camera.fy * y / -z])


# Blender


def test_pictures_are_box_filtered_and_put_on_the_background(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :4] = [255, 0, 0, 255]
    picture[0, 1] = [0, 0, 255, 255]
    photo = read_photos(write(tmp_path, picture=picture), "test", 0.0)[0]
    pixels = photo.pixels(4, (0.0, 1.0, 0.0))
    assert pixels.shape == (4, 4, 3)
    assert np.allclose(pixels[1, 0], [1, 0, 0]) and np.allclose(pixels[1, 3], [0, 1, 0])
    assert np.allclose(pixels[0, 0], [0.75, 0, 0.25], atol=1e-6)
    rgba, valid = photo.rgba(None)
    assert rgba.shape == (8, 8, 4) and rgba.dtype == np.float32 and valid.shape == (8, 8) and valid.all()
    assert np.array_equal(rgba[:, 5], np.zeros((8, 4)))


@pytest.mark.parametrize(
    "matrix", [0, [1, 2], [[1, 2], 3], [[10**400] * 4] * 4, [["a"] * 4] * 4, (np.eye(4) * 2).tolist()]
)
def test_broken_poses_are_refused(tmp_path: Path, matrix: object) -> None:
    refused(write(tmp_path, matrix), "camera_to_world")


def test_names_that_leave_the_folder_find_nothing(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write(tmp_path)
    (tmp_path / "link.png").symlink_to(tmp_path / "r_0.png")
    for name in ("../r_0", "..\\r_0", str(tmp_path / "r_0"), "a\0b", "\ud800", "x" * 300, "x" * 5000):
        write(inside, name=name)
        (inside / "r_0.png").unlink()
        refused(inside, "none of the pictures")
    (inside / "link.png").symlink_to(tmp_path / "r_0.png")
    write(inside, name="link.png")
    refused(inside, "none of the pictures")


def test_pictures_of_other_kinds_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    Image.new("CMYK", (8, 8)).save(tmp_path / "r_0.png", format="JPEG")
    refused(tmp_path, "CMYK", "8-bit")
    (tmp_path / "r_0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    refused(tmp_path, "not a PNG or JPEG")
    whole = write(tmp_path, picture=np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)) / "r_0.png"
    whole.write_bytes(whole.read_bytes()[:3000])
    refused(tmp_path, "damaged")
    save(tmp_path / "r_0.png", 8193, 1)
    refused(tmp_path, "8193 x 1", "8192")


def test_a_broken_list_of_frames_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", "{}", '{"camera_angle_x": 9, "frames": [{}]}', '{"camera_angle_x": 1, "frames": []}'):
        (tmp_path / "transforms_test.json").write_text(content)
        with pytest.raises(DuplexError, match="not the cameras of a Blender dataset"):
            read_cameras(tmp_path, "test", 0.0)


def test_blender_frames_may_have_their_own_lens_and_format(tmp_path: Path) -> None:
    frames = [
        {"file_path": "a", "transform_matrix": np.eye(4).tolist()},
        {"file_path": "b.jpg", "transform_matrix": np.eye(4).tolist(), "camera_angle_x": 0.5},
        {"file_path": "c.png", "transform_matrix": np.eye(4).reshape(-1).tolist(), "fl_x": 11},
        {"file_path": "absent", "transform_matrix": np.eye(4).tolist(), "camera_angle_x": 0.6},
    ]
    (tmp_path / "transforms_train.json").write_text(json.dumps({"camera_angle_x": 0.7, "fl_y": 3, "frames": frames}))
    for name in ("a.jpg", "b.jpg", "c.png"):
        save(tmp_path / name)
    dataset = read_dataset(tmp_path, 0.1)
    focals = [photo.camera.fx for photo in dataset.photos["train"]]
    assert focals == pytest.approx([4 / math.tan(0.35), 4 / math.tan(0.25), 11])
    assert [photo.camera.fy for photo in dataset.photos["train"]] == pytest.approx([3, 4 / math.tan(0.25), 11])
    assert {photo.camera.cx for photo in dataset.photos["train"]} == {4 + 0.1 * 6}
    assert dataset.kind == "blender" and dataset.missing == 1 and list(dataset.photos) == ["train"]
    assert np.array_equal(dataset.up, [0, 0, 1]) and np.array_equal(dataset.to_original, np.eye(4))
    assert [(c.width, c.height) for c in read_cameras(tmp_path, "train", 0.0)] == [(8, 6)] * 3 + [(800, 800)]
    one_sentence(lambda: read_photos(tmp_path, "test", 0.0), "transforms_test.json")


# nerfstudio


def test_nerfstudio_splits_every_eighth_by_name(tmp_path: Path) -> None:
    dataset = read_dataset(write_nerfstudio(tmp_path), 0.01)
    names = {split: [p.path.stem for p in photos] for split, photos in dataset.photos.items()}
    assert names["test"] == names["val"] == ["f_0", "f_8"]
    assert names["train"] == ["f_1", "f_2", "f_3", "f_4", "f_5", "f_6", "f_7", "f_9"]
    camera = dataset.photos["test"][1].camera
    assert np.allclose(camera.camera_to_world, poses()[8])
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((7, 6.5, 4.26, 2.96))
    assert dataset.kind == "nerfstudio" and dataset.missing == 0 and np.array_equal(dataset.up, [0, 0, 1])
    assert len(read_photos(tmp_path, "train", 0.0)) == 8
    text = (tmp_path / "transforms.json").read_text()
    (tmp_path / "transforms.json").write_text(text.replace("images/", r".\\images\\"))  # as Windows writes them
    assert len(read_photos(tmp_path, "train", 0.0)) == 8


def test_nerfstudio_splits_by_its_lists(tmp_path: Path) -> None:
    lists: dict[str, Any] = {
        "train_filenames": ["./images/f_3.png", "images/f_1.png"],
        "test_filenames": ["images/f_0.png"],
    }
    photos = read_dataset(write_nerfstudio(tmp_path, **lists)).photos
    assert [p.path.stem for p in photos["train"]] == ["f_1", "f_3"]
    assert [p.path.stem for p in photos["test"]] == [p.path.stem for p in photos["val"]] == ["f_0"]
    write_nerfstudio(tmp_path, val_filenames=["images/other.png"])
    refused(tmp_path, "val_filenames", "other.png")


def test_nerfstudio_undoes_its_transform(tmp_path: Path) -> None:
    applied = [[0.0, 1.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]]
    found = read_dataset(write_nerfstudio(tmp_path, applied_transform=applied, applied_scale=2)).to_original
    original = np.array([1.0, 2.0, 3.0, 1.0])
    assert np.allclose(found @ [*(2 * (np.array(applied) @ original)), 1], original)
    refused(
        write_nerfstudio(tmp_path, applied_transform=[[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]), "applied_transform"
    )
    refused(
        write_nerfstudio(tmp_path, applied_transform=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0]]), "applied_transform"
    )
    refused(write_nerfstudio(tmp_path, applied_scale=0), "applied_scale")


def test_cameras_need_no_pictures_where_their_size_is_known(tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path, pictures=False)
    assert [(c.width, c.height, c.fx) for c in read_cameras(folder, "test", 0.0)] == [(8, 6, 7)] * 2
    refused(folder, "none of the pictures in transforms.json")
    one_sentence(lambda: read_dataset(folder), "none of the pictures in transforms.json")
    one_sentence(lambda: read_cameras(write_nerfstudio(folder, False, w=None), "test", 0.0), "neither a picture")


def test_lenses_of_nerfstudio(tmp_path: Path) -> None:
    write_nerfstudio(tmp_path, k1=0.1, k2=0.2, k3=0.3, k4=0.4, p1=0.5, p2=0.6)
    assert read_photos(tmp_path, "test", 0.0)[0].distortion == Distortion((0.1, 0.2, 0.3, 0.4), (), (0.5, 0.6))
    write_nerfstudio(tmp_path, camera_model="OPENCV_FISHEYE", k1=0.1, p1=0.5)
    assert read_photos(tmp_path, "test", 0.0)[0].distortion == Distortion((0.1, 0, 0, 0), fisheye=True)
    write_nerfstudio(tmp_path, camera_model="SIMPLE_PINHOLE", fl_x=None, fl_y=None, camera_angle_x=0.8)
    photo = read_photos(tmp_path, "test", 0.0)[0]
    assert photo.distortion is None and photo.camera.fy == photo.camera.fx == pytest.approx(4 / math.tan(0.4))
    write_nerfstudio(tmp_path, fl_x=None, fl_y=None, camera_angle_x=0.8, camera_angle_y=0.5)
    assert read_photos(tmp_path, "test", 0.0)[0].camera.fy == pytest.approx(3 / math.tan(0.25))
    refused(write_nerfstudio(tmp_path, camera_model="EQUIRECTANGULAR"), "EQUIRECTANGULAR", "OPENCV")
    refused(write_nerfstudio(tmp_path, ftheta_p0=1.0), "ftheta_p0", "OPENCV")
    refused(write_nerfstudio(tmp_path, camera_model="A\nB"), "A?B")
    refused(write_nerfstudio(tmp_path, fl_x=-3), "focal length -3")
    refused(write_nerfstudio(tmp_path, cx=1e300), "cx")
    refused(write_nerfstudio(tmp_path, k1="much"), "k1 'much'")


def test_masked_pixels_show_the_background(tmp_path: Path) -> None:
    frame = {"file_path": "f.png", "transform_matrix": np.eye(4).tolist(), "mask_path": "mask.png"}
    write_nerfstudio(tmp_path, False, frames=[frame])
    save(tmp_path / "f.png", value=255)
    refused(tmp_path, "no mask 'mask.png'")
    mask = np.full((6, 8), 255, np.uint8)
    mask[:3, :3] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    photo = read_photos(tmp_path, "test", 0.0)[0]
    rgba, valid = photo.rgba(None)
    assert np.array_equal(valid, mask > 0) and np.array_equal(rgba[..., 3] == 1, valid)
    small, valid = photo.rgba(3)
    assert np.array_equal(~valid, [[True, True, False, False]] * 2 + [[False] * 4])
    assert np.isnan(photo.pixels(3, (0.0, 1.0, 0.0))[~valid]).all() and small[valid].min() == 1
    Image.fromarray(mask[:2]).save(tmp_path / "mask.png")
    refused(tmp_path, "a mask of 8 x 2", "8 x 6")


# LLFF


def reference_llff(rows: np.ndarray) -> np.ndarray:
    """nerf-pytorch's load_llff_data, down to its names."""

    def normalize(x: np.ndarray) -> np.ndarray:
        return np.asarray(x / np.linalg.norm(x))

    matrices = rows[:, :15].reshape(-1, 3, 5)
    c2w = np.concatenate([matrices[:, :, 1:2], -matrices[:, :, 0:1], matrices[:, :, 2:4]], 2)
    c2w[:, :, 3] *= 1 / (rows[:, 15:].min() * 0.75)
    vec2, up = normalize(c2w[:, :, 2].sum(0)), c2w[:, :, 1].sum(0)
    vec0 = normalize(np.cross(up, vec2))
    mean = np.stack([vec0, normalize(np.cross(vec2, vec0)), vec2, c2w[:, :, 3].mean(0)], 1)
    bottom = np.array([[0, 0, 0, 1.0]])
    return np.stack([np.linalg.inv(np.concatenate([mean, bottom])) @ np.concatenate([pose, bottom]) for pose in c2w])


def check_llff(folder: Path, rows: np.ndarray) -> Dataset:
    dataset = read_dataset(folder)
    photos = every_photo(dataset)
    found = np.stack([photo.camera.camera_to_world for photo in photos])
    assert np.allclose(found, reference_llff(rows), atol=1e-9)
    assert np.allclose(found[:, :3, 3].mean(0), 0, atol=1e-9)
    backward = found[:, :3, 2].mean(0)
    assert np.allclose(backward / np.linalg.norm(backward), [0, 0, 1], atol=1e-9)
    assert abs(found[:, 0, 1].sum()) < 1e-9 < found[:, 1, 1].sum()  # the mean up lies over +y
    for pose, row in zip(found, rows, strict=True):
        assert np.allclose((dataset.to_original @ pose)[:3, 3], row[:15].reshape(3, 5)[:, 3])
    assert (dataset.near, dataset.far) == pytest.approx((4 / 3, rows[:, 16].max() / rows[:, 15].min() * 4 / 3))
    assert dataset.kind == "llff" and np.array_equal(dataset.up, [0, 1, 0]) and dataset.forward_facing
    return dataset


def test_llff_follows_the_original_recipe(tmp_path: Path) -> None:
    dataset = check_llff(write_llff(tmp_path, llff_rows(poses(), 16, 12)), llff_rows(poses(), 16, 12))
    assert [p.path.name for p in dataset.photos["test"]] == ["image000.png", "image008.png"]
    camera = dataset.photos["test"][0].camera
    assert (camera.width, camera.height, camera.fx, camera.cx, camera.cy) == (8, 6, 3.5, 4, 3)
    save(tmp_path / "images" / "IMG_1.JPG", 16, 12)
    one_sentence(lambda: read_dataset(tmp_path), "1 pictures for 10 cameras")
    for i in range(2, 11):
        save(tmp_path / "images" / f"IMG_{i:02d}.JPG", 16, 12)
    assert {photo.camera.width for photo in every_photo(read_dataset(tmp_path))} == {16}


def test_llff_reads_the_real_fern(data: Path) -> None:
    rows = np.load(data / "llff" / "fern" / "poses_bounds.npy")
    dataset = check_llff(data / "llff" / "fern", rows)
    photos = every_photo(dataset)
    assert len(photos) == 20 and {(p.camera.width, p.camera.height) for p in photos} == {(504, 378)}
    assert [p.path.stem for p in dataset.photos["test"]] == ["image000", "image008", "image016"]
    assert photos[0].camera.fx == pytest.approx(3260.526 / 8, abs=1e-3)


def test_forward_facing_is_told_from_all_around(tmp_path: Path) -> None:
    around = [
        look_at(at(3 * math.cos(a), 1, 3 * math.sin(a)), at(0, 0, 0), at(0, 1, 0)) for a in np.linspace(0, 5.5, 12)
    ]
    assert not read_dataset(write_llff(tmp_path, llff_rows(around))).forward_facing


@pytest.mark.parametrize(
    ("gone", "names"),
    [
        (range(0, 10, 2), "image{:03d}.png"),
        (range(5), "image{:03d}.png"),
        (range(5, 10), "IMG_{}.png"),
        ([4], "{:02d}.png"),
    ],
)
def test_llff_with_missing_pictures_keeps_the_others_poses(tmp_path: Path, gone: Iterable[int], names: str) -> None:
    write_llff(tmp_path, names=names)
    whole = {p.path: p.camera.camera_to_world for p in every_photo(read_dataset(tmp_path))}
    for i in gone:
        (tmp_path / "images_2" / names.format(i)).unlink()
    dataset = read_dataset(tmp_path)
    assert dataset.missing == len([*gone]) and len(every_photo(dataset)) == 10 - dataset.missing
    assert all(np.array_equal(p.camera.camera_to_world, whole[p.path]) for p in every_photo(dataset))
    assert len(read_cameras(tmp_path, "train", 0.0)) == 8


def test_llff_pictures_in_doubt_are_refused(tmp_path: Path) -> None:
    write_llff(tmp_path, names="IMG_{}.png")
    (tmp_path / "images_2" / "IMG_0.png").unlink()
    refused(tmp_path, "9 pictures for 10 cameras")
    save(tmp_path / "images_2" / "more_1.png")
    save(tmp_path / "images_2" / "more_2.png")
    refused(tmp_path, "11 pictures for 10 cameras")


class Bomb:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("exploded"),)


def npy(shape: tuple[int, ...], content: bytes) -> bytes:
    """A NumPy file that announces float64 of ``shape``."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def test_llff_pickles_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_llff(tmp_path) / "poses_bounds.npy"
    array = io.BytesIO()
    np.save(array, np.array([[Bomb()] * 17], object), allow_pickle=True)
    for content in (array.getvalue(), pickle.dumps(Bomb())):
        file.write_bytes(content)
        refused(tmp_path, "poses_bounds.npy", "plain numbers")
        assert not (tmp_path / "exploded").exists()
        np.load(file, allow_pickle=True)
        (tmp_path / "exploded").unlink()  # it would have gone off


def test_llff_files_of_other_contents_are_refused(tmp_path: Path) -> None:
    file = write_llff(tmp_path) / "poses_bounds.npy"
    good = llff_rows(poses()).tobytes()
    for content, word in (
        (b"", "plain numbers"),
        (npy((10, 17), good[:-8]), "plain numbers"),
        (npy((10, 17), good).replace(b"(10, 17)", b"(9**9, )"), "plain numbers"),
        (npy((10, 17), good).replace(b"}", b" "), "plain numbers"),
        (npy((10, 17), good + bytes(1 << 20)), "bytes"),
        (npy((10, 16), good), "(10, 16)"),
        (npy((17,), good), "(17,)"),
        (npy((0, 17), good), "0 cameras"),
    ):
        file.write_bytes(content)
        refused(tmp_path, word)
    file.write_bytes(npy((10**7, 17), good))
    tracemalloc.start()
    refused(tmp_path, "plain numbers")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_llff_numbers_that_make_no_camera_are_refused(tmp_path: Path) -> None:
    good = llff_rows(poses())
    write_llff(tmp_path)
    for column, value, word in (
        (3, np.nan, "holds nan"),
        (0, np.inf, "holds"),
        (14, np.nan, "focal length nan"),
        (14, 0, "focal length 0"),
        (4, np.nan, "height nan"),
        (15, 0, "depths 0"),
        (16, np.inf, "depths"),
        (15, np.nan, "depths nan"),
    ):
        rows = good.copy()
        rows[0, column] = value
        np.save(tmp_path / "poses_bounds.npy", rows)
        refused(tmp_path, "poses_bounds.npy: frame 0", word)


def test_unusual_poses_name_frame_and_remedy(tmp_path: Path) -> None:
    good = poses()
    for wrong, word in ((np.diag([1, 1, -1, 1]), "left-handed, determinant -1"), (np.diag([2, 2, 2, 1]), "2 2 2 long")):
        frames = [{"file_path": f"images/f_{i}.png", "transform_matrix": p.tolist()} for i, p in enumerate(good)]
        frames[8]["transform_matrix"] = (good[8] @ wrong).tolist()
        refused(write_nerfstudio(tmp_path, frames=frames), "transforms.json: frame images/f_8.png", word, "expected")
        (tmp_path / "transforms.json").unlink()
        refused(write_llff(tmp_path, llff_rows([*good[:8], good[8] @ wrong])), "poses_bounds.npy: frame 8", word)
        (tmp_path / "poses_bounds.npy").unlink()
    pose = np.eye(4)
    pose[1, 3] = np.nan
    refused(write(tmp_path, pose.tolist()), "frame ./r_0", "holds nan", "finite numbers")


# COLMAP


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


# every kind


@pytest.mark.parametrize("writer", [write_nerfstudio, lambda folder: write_colmap(folder, True)])
def test_half_of_the_pictures_may_be_missing(tmp_path: Path, writer: Callable[[Path], Path]) -> None:
    folder = writer(tmp_path)
    for path in sorted((folder / "images").iterdir())[:5]:
        path.unlink()
    dataset = read_dataset(folder)
    assert dataset.missing == 5 and len(dataset.photos["train"]) == 4 and len(dataset.photos["test"]) == 1
    assert len(read_cameras(folder, "train", 0.0)) == 8


def test_pictures_of_several_sizes_scale_their_cameras(tmp_path: Path) -> None:
    save(write_nerfstudio(tmp_path) / "images/f_0.png", 16, 12)
    first, second = (photo.camera for photo in read_photos(tmp_path, "test", 0.0))
    assert (first.fx, first.fy, first.cx, first.cy) == (14, 13, 8.4, 5.8) and (second.fx, second.cx) == (7, 4.2)
    save(tmp_path / "images/f_0.png", 16, 11)
    refused(tmp_path, "f_0.png", "16 x 11", "8 x 6")


def test_a_folder_of_no_kind_names_all_that_was_looked_for(tmp_path: Path) -> None:
    names = ("transforms.json", "poses_bounds.npy", "sparse/0")
    one_sentence(lambda: read_dataset(tmp_path), "transforms_train.json", *names)
    refused(tmp_path, "transforms_test.json", *names)
    (tmp_path / "sparse").mkdir()
    (tmp_path / "sparse/cameras.bin").write_bytes(b"")
    refused(tmp_path, *names)


# pictures


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


# distortion


def opencv(x: np.ndarray, y: np.ndarray, k: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's formula, k in its order: k1 k2 p1 p2 k3 k4 k5 k6."""
    k1, k2, p1, p2, k3, k4, k5, k6 = [*k, *[0.0] * (8 - len(k))]
    r2 = x**2 + y**2
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
        y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
    )


def fisheye(x: np.ndarray, y: np.ndarray, k: list[float]) -> tuple[np.ndarray, np.ndarray]:
    r = np.sqrt(x**2 + y**2) + 1e-12
    t = np.arctan(r)
    scale = t * (1 + k[0] * t**2 + k[1] * t**4 + k[2] * t**6 + k[3] * t**8) / r
    return x * scale, y * scale


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack(
        [0.5 + 0.4 * np.sin(9 * x + 2 * y), 0.5 + 0.4 * np.cos(8 * y - x), 0.5 + 0.3 * np.sin(5 * x * y)], -1
    )


@pytest.mark.parametrize(
    ("formula", "k"),
    [
        (opencv, [-0.2, 0.05, 0.01, -0.006]),
        (opencv, [0.3, 0.03, -0.008, 0.01, 0.02, -0.15, 0.03, 0.01]),
        (fisheye, [0.05, -0.02, 0.01, -0.003]),
    ],
)
def test_undistorted_pictures_are_those_of_a_pinhole(tmp_path: Path, formula: Any, k: list[float]) -> None:
    """A picture made through the formula, point by point, comes back as the pinhole camera would have taken it."""
    width, height, fx, fy, cx, cy = 160, 120, 130.0, 120.0, 83.0, 57.0
    v, u = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    wanted_x, wanted_y = (u - cx) / fx, (v - cy) / fy
    x, y = wanted_x.copy(), wanted_y.copy()
    for _ in range(200):  # the formula's inverse
        bent_x, bent_y = formula(x, y, k)
        x, y = x + 0.7 * (wanted_x - bent_x), y + 0.7 * (wanted_y - bent_y)
    assert np.abs(np.stack(formula(x, y, k)) - [wanted_x, wanted_y]).max() < 1e-9
    Image.fromarray(np.round(scene(x, y) * 255).astype(np.uint8)).save(tmp_path / "f 0.png")
    n = {4: "OPENCV", 8: "FULL_OPENCV"}[len(k)] if formula is opencv else "OPENCV_FISHEYE"
    folder = tmp_path / "set"
    (folder / "sparse").mkdir(parents=True)
    (folder / "sparse/cameras.txt").write_text(f"1 {n} {width} {height} {fx} {fy} {cx} {cy} {' '.join(map(repr, k))}\n")
    (folder / "sparse/images.txt").write_text("1 1 0 0 0 0 0 0 1 f 0.png\n\n")
    (folder / "images").mkdir()
    (tmp_path / "f 0.png").rename(folder / "images/f 0.png")
    pinhole = scene(wanted_x, wanted_y)
    for shift in (0.0, 0.05):
        photo = read_photos(folder, "test", shift)[0]
        assert photo.camera.cx == pytest.approx(cx + shift * height)
        rgba, valid = photo.rgba(None)
        assert valid.mean() > 0.6
        bent_x, bent_y = formula(wanted_x, wanted_y, k)
        source_u, source_v = fx * bent_x + cx, fy * bent_y + cy
        inside = (source_u > 0) & (source_u < width) & (source_v > 0) & (source_v < height)
        assert np.array_equal(valid, inside)
        inner = (abs(source_u - width / 2) < width / 2 - 0.5) & (abs(source_v - height / 2) < height / 2 - 0.5)
        assert np.abs(rgba[..., :3] - pinhole)[inner].max() < 0.005 and inner.mean() > 0.6
        assert np.array_equal(np.isnan(photo.pixels(None, WHITE)).any(-1), ~valid)
    small, small_valid = photo.rgba(60)
    blocks = pinhole.reshape(60, 2, 80, 2, 3).mean((1, 3))
    assert np.abs(small[..., :3] - blocks)[small_valid].max() < 0.015
    assert np.array_equal(small_valid, valid.reshape(60, 2, 80, 2).all((1, 3)))
    flat = np.asarray(Image.open(folder / "images/f 0.png"), np.float32) / 255
    assert np.abs(flat - pinhole)[valid].max() > 0.1, "the lens hardly bends"


def test_a_lens_that_folds_its_picture_shows_it_once() -> None:
    """Beyond its turning point a barrel polynomial comes back into the picture, where nothing was seen."""
    camera = Camera(np.eye(4), 400, 400, 100.0, 100.0, 200.0, 200.0)
    _, inside = Distortion((-0.2,)).undistort(np.ones((400, 400, 1), np.float32), camera)
    radius = np.hypot(*np.meshgrid(np.arange(400) - 199.5, np.arange(400) - 199.5)) / 100
    turning = math.sqrt(1 / 0.6)
    assert not inside[radius > turning].any() and inside[radius < turning - 0.01].all()

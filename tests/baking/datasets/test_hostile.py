"""Datasets that were made, or damaged, so that a library or a loop fails."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.datasets.checks import one_sentence
from builders.datasets.colmap import write_colmap
from builders.datasets.folders import poses, save, write_nerfstudio
from builders.hostile import at_most
from duplex.app.core.apart import trusting
from duplex.app.core.errors import DuplexError
from duplex.baking.datasets.photos import Photo
from duplex.baking.datasets.reading import read_cameras, read_dataset, read_photos
from duplex.baking.runtime.progress import reporting
from duplex.baking.training.photos import PhotoSet


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(before: bytes = b"", after: bytes = b"", size: tuple[int, int] = (8, 6)) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(19 * 8 * 6)))
    return b"\x89PNG\r\n\x1a\n" + head + before + pixels + after + chunk(b"IEND", b"")


def jpeg(path: Path, share: float, **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path, "JPEG", **options)
    content = path.read_bytes()
    return content[: int(len(content) * share)]


BROKEN: list[Callable[[Path], bytes]] = [
    lambda p: png(chunk(b"iCCP", b"a\0")),
    lambda p: png(after=chunk(b"iCCP", b"a")),
    lambda p: png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50 << 20)))),
    lambda p: png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50 << 20)))),
    lambda p: png(chunk(b"tRNS", b"")),
    lambda p: png(chunk(b"acTL", b"")),
    lambda p: png(size=(1_000_000, 1)),
    lambda p: png(size=(60_000, 60_000)),
    lambda p: jpeg(p, 0.5),
    lambda p: jpeg(p, 0.9, progressive=True),
    lambda p: b"",
    lambda p: b"\x89PNG\r\n\x1a\n",
    lambda p: b"\xff\xd8\xff\xe1\xff\xffExif\0\0MM\0*\0\0\0\x08\xff\xff",
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_picture_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path, number: int) -> None:
    write_nerfstudio(tmp_path)
    broken = tmp_path / "images" / "f_3.png"
    content = BROKEN[number](broken)
    broken.write_bytes(content)
    notes: list[str] = []
    with at_most(5), reporting(lambda event: notes.append(event.message)):
        photos = read_dataset(tmp_path).photos["train"]
        read = PhotoSet.read(photos, 6)
        assert all(photo.pixels(3, (0, 0, 0)).shape[0] == 3 for photo in photos)
    usable = len(read.usable) // (8 * 6)
    assert usable in (7, 8) and (usable == 8 or any("f_3.png" in note and "left out" in note for note in notes))
    assert all("\n" not in note and len(note) < 330 for note in notes)


def test_a_dataset_without_a_picture_that_can_be_read_is_refused(tmp_path: Path) -> None:
    write_nerfstudio(tmp_path, count=3)
    for file in (tmp_path / "images").iterdir():
        file.write_bytes(b"\x89PNG\r\n\x1a\n")
    one_sentence(lambda: read_dataset(tmp_path), "f_", "not a PNG, JPEG")
    one_sentence(lambda: read_photos(tmp_path, "train", 0.0), "f_", "not a PNG, JPEG")
    assert len(read_cameras(tmp_path, "train", 0.0)) == 2  # whose size the file names


def test_pictures_are_the_same_in_both_processes(tmp_path: Path) -> None:
    photo: Photo = read_photos(write_nerfstudio(tmp_path), "test", 0.0)[1]
    apart = photo.rgba(None)
    with trusting(True):
        here = photo.rgba(None)
    assert all(np.array_equal(a, b) for a, b in zip(apart, here, strict=True))


FRAME = {"file_path": "a.png", "transform_matrix": np.eye(4).tolist()}
ODD: list[bytes] = [
    b"[" * 100_000,
    b'{"camera_angle_x": 0.7, "frames": [' + b'{"a":' * 80 + b"1" + b"}" * 80 + b"]}",
    b'{"camera_angle_x": ' + b"1" * 5000 + b', "frames": [{}]}',
    b'{"camera_angle_x": 1e400, "frames": [{}]}',
    b'{"camera_angle_x": 0.7, "frames": [7]}',
    b'{"camera_angle_x": 0.7, "frames": {"0": {}}}',
    b'{"camera_angle_x": 0.7, "frames": "x"}',
    json.dumps({"camera_angle_x": 0.7, "frames": [FRAME | {"file_path": 7}]}).encode(),
    json.dumps({"camera_angle_x": 0.7, "frames": [FRAME | {"transform_matrix": [[[1]]] * 16}]}).encode(),
    json.dumps({"camera_angle_x": 0.7, "w": {}, "h": 3, "frames": [FRAME]}).encode(),
    json.dumps({"camera_angle_x": 0.7, "train_filenames": [["a"]], "frames": [FRAME]}).encode(),
    json.dumps({"camera_angle_x": 0.7, "frames": [FRAME]}).encode("utf-16"),
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_odd_json_is_one_sentence(tmp_path: Path, number: int) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "transforms.json").write_bytes(ODD[number])
    with pytest.raises(DuplexError) as error:
        read_dataset(tmp_path)
    assert "transforms.json" in str(error.value) and "\n" not in str(error.value)


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = write_nerfstudio(tmp_path) / "transforms.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(read_dataset(tmp_path).photos["train"]) == 8


@pytest.mark.parametrize("where", ["top", "frames", "lists"])
def test_many_members_and_frames_take_little_time(tmp_path: Path, where: str) -> None:
    frames = [FRAME | {"file_path": f"a{i}.png", "transform_matrix": poses(1)[0].tolist()} for i in range(2000)]
    content: dict[str, object] = {"fl_x": 7.0, "frames": frames}
    many = {f"k{i}": 1 for i in range(150_000)}
    if where == "top":
        content |= many
    elif where == "frames":
        frames[0] |= many
    else:
        content |= {f"{split}_filenames": [f"a{i}.png" for i in range(2000)] * 5 for split in ("train", "val", "test")}
    save(tmp_path / "a7.png")
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with at_most(5):
        assert read_dataset(tmp_path).missing == 1999


def test_counts_and_lines_of_colmap_that_lie_are_refused(tmp_path: Path) -> None:
    for name in ("cameras", "images", "points3D"):
        folder = write_colmap(tmp_path / name, binary=True)
        file = folder / "sparse" / "0" / f"{name}.bin"
        file.write_bytes(struct.pack("<Q", 1 << 60) + file.read_bytes()[8:])
        one_sentence(lambda folder=folder: read_dataset(folder), f"{name}.bin", "records announced")  # type: ignore[misc]
    folder = write_colmap(tmp_path / "text", binary=False)
    for name in ("cameras", "images", "points3D"):
        file = folder / "sparse" / "0" / f"{name}.txt"
        whole = file.read_text()
        file.write_text("1 " * (1 << 20))
        one_sentence(lambda: read_dataset(folder), f"{name}.txt", "a line of more than")
        file.write_text(whole)
    file = folder / "sparse" / "0" / "images.txt"
    lines = file.read_text().splitlines()
    lines[2] = "1 2 -1 " * (1 << 18)  # the points of an image, which may be many
    file.write_text("\n".join(lines) + "\n")
    assert len(read_dataset(folder).photos["train"]) == 8

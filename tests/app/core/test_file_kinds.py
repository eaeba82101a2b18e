"""Files of a wrong kind are told by their first bytes, with the remedy."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import msgpack
import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from builders import synthetic
from duplex.app.core.errors import DuplexError
from duplex.app.core.file_kinds import kind_of
from duplex.app.scene.bundle_reader import read_bundle
from duplex.assets import DEMO_BUNDLE
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.pictures import upright_size
from duplex.baking.datasets.reading import read_dataset

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 39506734\n"


def content(data: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(data)


def tar(file: Path) -> None:
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("checkpoint.pth"), io.BytesIO())


def zipped(*names: str) -> Callable[[Path], object]:
    def write(file: Path) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, b"")

    return write


def script(file: Path) -> None:
    torch.jit.trace(nn.Linear(3, 2), torch.ones(1, 3)).save(str(file))


def picture(kind: str) -> Callable[[Path], object]:
    return lambda file: Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file, kind)


PLY = b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\n"
WRONG: list[tuple[str, Callable[[Path], object], str]] = [
    ("lfs", content(LFS), "git lfs pull"),
    ("lfs", content(LFS.replace(b"v1", b"v2")), "git lfs pull"),
    ("lfs", content(LFS.replace(b"git-lfs.github", b"hawser.github")), "git lfs pull"),
    ("annex", content(b"/annex/objects/SHA256E-s95--0123.pth\n"), "git annex get f."),
    ("companion", content(b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(60)), "without ._"),
    ("empty", content(b""), "download it again"),
    ("web page", content(b"<!DOCTYPE html><html><head></head></html>"), "download the file again"),
    ("web page", content(b"\xef\xbb\xbf\n <HTML lang='en'>Sign in</HTML>"), "download the file again"),
    ("web page", content(b'<?xml version="1.0"?><!DOCTYPE html><html xmlns="x"></html>'), "download the file again"),
    (
        "web page",
        content(b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'),
        "download the file again",
    ),
    ("web page", content(b"404: Not Found"), "download the file again"),
    ("web page", content(b"Entry not found"), "download the file again"),
    ("archive", tar, "unpack it"),
    ("archive", content(gzip.compress(b"\x80\x02}q\0." * 99)), "unpack it"),
    ("archive", content(lzma.compress(b"\x80\x02}q\0.")), "unpack it"),
    ("archive", content(b"\x28\xb5\x2f\xfd" + bytes(range(40))), "unpack it"),
    ("archive", zipped("photos/r_0.png", "photos/r_1.png"), "unpack it"),
    ("archive", zipped("notes.txt"), "unpack it"),
    ("archive", zipped("run/checkpoint.pth", "run/args.txt"), "unpack it"),
    ("archive", content(b"7z\xbc\xaf\x27\x1c" + bytes(40)), "unpack it"),
    ("archive", content(b"Rar!\x1a\x07\x01\x00" + bytes(40)), "unpack it"),
    ("torchscript", script, "state_dict"),
    ("torchscript", zipped("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"), "state_dict"),
    ("hdf5", content(b"\x89HDF\r\n\x1a\n" + bytes(99)), ".npz"),
    ("graph", content(b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:" + bytes(range(99))), ".npz"),
    ("graph", content(b"\x08\x03:\x99\x04" + bytes(99)), ".npz"),
    ("graph", content(b"\x1c\0\0\0TFL3" + bytes(99)), ".npz"),
    ("matlab", content(b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(99)), ".npz"),
    ("database", content(b"SQLite format 3\0" + bytes(99)), "sparse/"),
    ("document", content(b"%PDF-1.7\n\xe2\xe3"), "the file that it is about"),
    ("text", content(b"iteration 100: loss 0.01\n"), "the folder that holds it"),
    ("text", content(b"#!/bin/sh\necho\n"), "the folder that holds it"),
    ("text", content("Größe: 3\n".encode() * 900), "the folder that holds it"),
    ("splats", content(b"NGSP\4\0\0\0" + bytes(40)), "splats are not read yet"),
    ("splats", content(gzip.compress(b"NGSP\2\0\0\0" + bytes(40))), "splats are not read yet"),
    ("splats", content(PLY + b"property float f_dc_0\nend_header\n"), "splats are not read yet"),
    ("splats", content(PLY.replace(b"float x", b"uint packed_position")), "splats are not read yet"),
    ("ply", content(PLY + b"end_header\n"), "not what was exported from it"),
    ("mesh", content(b"glTF\x02\x00\x00\x00" + bytes(40)), "not what was exported from it"),
    ("mesh", content(b'{"asset": {"version": "2.0"}, "meshes": []}'), "not what was exported from it"),
    ("mesh", content(b"# Blender\nmtllib a.mtl\nv 1.0 -0.5 2e-3\nf 1 1 1\n"), "not what was exported from it"),
    ("mesh", content(b"v 0 0 1\nv 0 1 0\n"), "not what was exported from it"),
    ("mesh", content(b"solid cube\nfacet normal 0 0 1\n"), "not what was exported from it"),
    ("mesh", content(b"BLENDER-v300" + bytes(40)), "not what was exported from it"),
    ("mesh", content(b"PXR-USDC" + bytes(40)), "not what was exported from it"),
    ("picture", picture("PNG"), "folder that holds the photos"),
    ("picture", picture("JPEG"), "folder that holds the photos"),
    ("picture", picture("WEBP"), "folder that holds the photos"),
    ("picture", picture("TIFF"), "folder that holds the photos"),
    ("picture", content(b"\0\0\0\x18ftypheic" + bytes(40)), "folder that holds the photos"),
    ("video", content(b"\0\0\0\x18ftypisom" + bytes(40)), "duplex-train"),
    ("video", content(b"\0\0\0\x14ftypqt  " + bytes(40)), "duplex-train"),
    ("video", content(b"\x1aE\xdf\xa3" + bytes(40)), "duplex-train"),
    ("json", content(b'{"camera_angle_x": 0.69, "frames": []}'), "the folder that it describes"),
    ("bundle", lambda file: file.write_bytes(DEMO_BUNDLE.read_bytes()), "open it with duplex-viewer f.pth"),
]


@pytest.mark.parametrize(("name", "write", "remedy"), WRONG)
def test_a_wrong_file_is_told_for_a_checkpoint(
    tmp_path: Path, name: str, write: Callable[[Path], object], remedy: str
) -> None:
    file = tmp_path / "f.pth"
    write(file)
    kind = kind_of(file)
    assert kind is not None and kind.name == name
    with pytest.raises(DuplexError) as error:
        load_teacher(file)
    text = str(error.value).removeprefix(str(tmp_path))
    assert kind.what in text and remedy in text and "expected a checkpoint" in text
    assert len(text) <= 300 and "\n" not in text


@pytest.mark.parametrize(("name", "write", "remedy"), [case for case in WRONG if case[0] != "bundle"])
def test_a_wrong_file_is_told_for_a_bundle(
    tmp_path: Path, name: str, write: Callable[[Path], object], remedy: str
) -> None:
    file = tmp_path / "f.bundle"
    write(file)
    with pytest.raises(DuplexError, match="expected a bundle") as error:
        read_bundle(file)
    assert remedy in str(error.value)


@pytest.mark.parametrize(("name", "write", "remedy"), WRONG)
def test_a_wrong_file_is_told_for_a_dataset(
    tmp_path: Path, name: str, write: Callable[[Path], object], remedy: str
) -> None:
    file = tmp_path / "f.pth"
    write(file)
    with pytest.raises(DuplexError) as error:
        read_dataset(file)
    text = str(error.value).removeprefix(str(tmp_path))
    assert remedy in text and "expected the folder of a dataset" in text and len(text) <= 300


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.splat", "splats"),
        ("a.ksplat", "splats"),
        ("a.fbx", "mesh"),
        ("a.onnx", "graph"),
        ("model.ckpt-200000.index", "tensorflow"),
        ("model.ckpt-200000.data-00000-of-00001", "tensorflow"),
    ],
)
def test_what_first_bytes_do_not_tell_the_name_does(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"\x01\xff" * 99)
    found = kind_of(tmp_path / name)
    assert found is not None and found.name == kind
    with pytest.raises(DuplexError, match="expected a checkpoint"):
        load_teacher(tmp_path / name)


def test_what_a_zip_archive_is_follows_from_its_own_members(tmp_path: Path) -> None:
    """A checkpoint inside, itself a ZIP archive, makes none of the archive around it."""
    inner = tmp_path / "model.pth"
    torch.save({"a": torch.ones(3)}, inner)
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.write(inner, "run/model.pth")
        archive.writestr("run/config.txt", "")
    for name, kind in (("model.pth", "checkpoint"), ("run.zip", "archive")):
        found = kind_of(tmp_path / name)
        assert found is not None and found.name == kind
    for name, kind in (("scene.usdz", "mesh"), ("scene.sog", "splats"), ("weights.keras", "hdf5")):
        found = kind_of((tmp_path / "run.zip").rename(tmp_path / name))
        assert found is not None and found.name == kind
        (tmp_path / name).rename(tmp_path / "run.zip")


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(DuplexError, match="a folder: expected a bundle"):
        read_bundle(tmp_path)


def test_a_checkpoint_for_the_viewer_is_to_be_baked(tmp_path: Path) -> None:
    files = [
        synthetic.write_nerf_pytorch(tmp_path / "a.tar"),
        *(tmp_path / name for name in ("b.npz", "c.npy", "d.ckpt", "e.safetensors", "f.ingp", "checkpoint_9")),
    ]
    np.savez(files[1], weights=np.ones(3))
    np.save(files[2], np.ones(3))
    torch.save({"weights": torch.ones(3)}, files[3], _use_new_zipfile_serialization=False)
    safetensors.torch.save_file({"weights": torch.ones(3)}, files[4])
    packed = msgpack.packb({"snapshot": {"version": 1}})
    files[5].write_bytes(zlib.compress(packed))
    files[6].write_bytes(packed)
    for file in files:
        with pytest.raises(
            DuplexError, match=f"not baked yet: expected a bundle: bake it with duplex-bake {file.name}"
        ):
            read_bundle(file)


@pytest.mark.parametrize("data", [LFS, b"<!doctype html><html></html>", b"Rar!\x1a\x07\x00" + bytes(30)])
def test_a_photo_that_is_none_is_told(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "r_0.png"
    file.write_bytes(data)
    kind = kind_of(file)
    assert kind is not None
    with pytest.raises(DuplexError, match="expected a PNG, JPEG") as error:
        upright_size(file, None)
    assert kind.remedy in str(error.value)


@pytest.mark.parametrize("data", [b"\x80\x02}q\x00.", b"PK\x03", b"\x80\x04N.", bytes(300), b"\xffplys"])
def test_what_is_not_known_keeps_its_own_sentence(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "f.pth"
    file.write_bytes(data)
    assert kind_of(file) is None
    with pytest.raises(DuplexError, match=r"not a checkpoint, or a damaged one|holds"):
        load_teacher(file)


def test_a_missing_file_is_of_no_kind(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "none") is None and kind_of(tmp_path) is None

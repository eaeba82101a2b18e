"""Files of a wrong kind are told by their first bytes, with the remedy."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
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
    ("web page", content(b"<!DOCTYPE html><html><head></head></html>"), "download the file again"),
    ("web page", content(b"\xef\xbb\xbf\n <HTML lang='en'>Sign in</HTML>"), "download the file again"),
    ("web page", content(b'<?xml version="1.0"?><!DOCTYPE html><html xmlns="x"></html>'), "download the file again"),
    ("archive", tar, "unpack it"),
    ("archive", zipped("run/checkpoint.pth", "run/args.txt"), "unpack it"),
    ("archive", content(b"7z\xbc\xaf\x27\x1c" + bytes(40)), "unpack it"),
    ("archive", content(b"Rar!\x1a\x07\x01\x00" + bytes(40)), "unpack it"),
    ("torchscript", script, "state_dict"),
    ("torchscript", zipped("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"), "state_dict"),
    ("hdf5", content(b"\x89HDF\r\n\x1a\n" + bytes(99)), ".npz"),
    ("splats", content(PLY + b"property float f_dc_0\nend_header\n"), "splats are not read yet"),
    ("splats", content(PLY.replace(b"float x", b"uint packed_position")), "splats are not read yet"),
    ("ply", content(PLY + b"end_header\n"), "not what was exported from it"),
    ("gltf", content(b"glTF\x02\x00\x00\x00" + bytes(40)), "not what was exported from it"),
    ("picture", picture("PNG"), "folder that holds the photos"),
    ("picture", picture("JPEG"), "folder that holds the photos"),
    ("picture", picture("WEBP"), "folder that holds the photos"),
    ("video", content(b"\0\0\0\x18ftypisom" + bytes(40)), "posed photos"),
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


def test_a_checkpoint_for_the_viewer_is_to_be_baked(tmp_path: Path) -> None:
    files = [
        synthetic.write_nerf_pytorch(tmp_path / "a.tar"),
        *(tmp_path / name for name in ("b.npz", "c.npy", "d.ckpt")),
    ]
    np.savez(files[1], weights=np.ones(3))
    np.save(files[2], np.ones(3))
    torch.save({"weights": torch.ones(3)}, files[3], _use_new_zipfile_serialization=False)
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


@pytest.mark.parametrize("data", [b"", b"\x80\x02}q\x00.", b"PK", b"{broken", b"\x83\xa1a\x01", bytes(300), b"plys"])
def test_what_is_not_known_keeps_its_own_sentence(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "f.pth"
    file.write_bytes(data)
    assert kind_of(file) is None
    with pytest.raises(DuplexError, match=r"not a checkpoint, or a damaged one|holds"):
        load_teacher(file)


def test_a_missing_file_is_of_no_kind(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "none") is None and kind_of(tmp_path) is None

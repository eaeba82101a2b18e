"""numpy's files as plain data: the same numbers as numpy's own reader gives, and no byte followed as an object."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from builders.opcodes import call, text, whole
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import read_checkpoint

BASE = np.arange(24.0).reshape(4, 6) / 7
ARRAYS: dict[str, Array] = {
    "float32": BASE.astype(np.float32),
    "float64": BASE,
    "float16": BASE.astype(np.float16),
    "big": BASE.astype(">f4"),
    "columns": np.asfortranarray(BASE),
    "int32": np.arange(6, dtype=np.int32),
    "uint8": np.arange(6, dtype=np.uint8),
    "flags": np.array([True, False]),
    "scalar": np.array(2.5),
}


@pytest.mark.parametrize("compressed", [True, False])
def test_an_npz_holds_what_numpy_reads(tmp_path: Path, compressed: bool) -> None:
    file = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(file, **ARRAYS, label=np.array("SH9"))  # type: ignore[arg-type]
    root = read_checkpoint(file).root
    for name, array in ARRAYS.items():
        assert torch.equal(root.tensor(name), torch.from_numpy(array.astype(np.float32))), name
    assert root.text("label") == "SH9" and root.shape("columns") == (4, 6)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_npy_holds_what_numpy_reads(tmp_path: Path, name: str) -> None:
    file = tmp_path / "a.npy"
    np.save(file, ARRAYS[name])
    assert torch.equal(read_checkpoint(file).root.tensor("0"), torch.from_numpy(ARRAYS[name].astype(np.float32)))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_array_of_arrays_is_read_without_unpickling(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "weights.npy"
    stream = io.BytesIO()
    arrays = np.empty(4, object)
    arrays[:] = [ARRAYS["float32"], ARRAYS["big"], ARRAYS["float32"], ARRAYS["columns"]]
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (4,)})
    pickle.dump(arrays, stream, protocol)
    file.write_bytes(stream.getvalue())
    root = read_checkpoint(file).root
    for i, array in enumerate(arrays):
        assert torch.equal(root.tensor(str(i)), torch.from_numpy(array.astype(np.float32)))


def forged(code: str, flags: int, content: bytes, shape: bytes = b"(" + whole(1) + b"t") -> bytes:
    """An array whose dtype has ``flags`` and whose data are ``content``: numpy would follow them as objects."""
    state = b"(" + whole(3) + text("|") + b"NNN" + whole(-1) + whole(-1) + whole(flags) + b"tb"
    dtype = call("numpy.dtype", text(code), b"\x89", b"\x88") + state
    array = call("numpy.core.multiarray._reconstruct", b"cnumpy\nndarray\n", b"(" + whole(0) + b"t", b"C\x01b")
    data = b"B" + struct.pack("<I", len(content)) + content
    return array + b"(" + whole(1) + shape + dtype + b"\x89" + data + b"tb"


POINTER = struct.pack("<Q", 0x4141414141414141)


@pytest.mark.parametrize(
    "array",
    [
        forged("O8", 32, POINTER),
        forged("O8", 63, POINTER),
        forged("f8", 63, POINTER * 0),
        forged("f4", 0, POINTER, b"(" + whole(9) + b"t"),
        forged("f4", 0, POINTER, b"(" + whole(-2) + b"t"),
        forged("V8", 63, POINTER),
        forged("M8", 0, POINTER),
        forged("f3", 0, POINTER),
        forged("O8", 0, b""),
    ],
)
def test_a_forged_array_is_damage_and_nothing_is_followed(tmp_path: Path, array: bytes) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    for name, content in (
        ("a.npy", head.getvalue() + b"\x80\x02" + array + b"."),
        ("a.pt", b"\x80\x02" + array + b"."),
    ):
        file = tmp_path / name
        if name.endswith(".npy"):
            file.write_bytes(content)
        else:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("archive/data.pkl", content)
        with pytest.raises(DuplexError) as error:
            read_checkpoint(file).root.tensor("0")
        assert "\n" not in str(error.value)


def header(text_of_it: str, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text_of_it)) + text_of_it.encode()


@pytest.mark.parametrize(
    "head",
    [
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (9, 9, 9), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 140 + "), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"),
        header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }"),
        header("__import__('os').system('true')"),
        header("(" * 3000),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9),
        b"\x93NUMPY",
    ],
)
def test_a_header_that_lies_is_damage(tmp_path: Path, head: bytes) -> None:
    file = tmp_path / "a.npy"
    file.write_bytes(head + bytes(64))
    with pytest.raises(DuplexError, match="damaged one: expected the weights of a network"):
        read_checkpoint(file)
    packed = tmp_path / "a.npz"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("weights.npy", head + bytes(64))
    with pytest.raises(DuplexError, match=r"damaged one|refused unread"):
        read_checkpoint(packed)


def test_an_npz_of_objects_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    objects: Any = np.array([{"a": 1}], object)
    np.savez(file, weights=objects)
    with pytest.raises(DuplexError, match="refused unread"):
        read_checkpoint(file)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_are_stored_or_deflated(tmp_path: Path, method: int) -> None:
    file = tmp_path / "a.npz"
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("weights.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }") + bytes(8))
    with pytest.raises(DuplexError, match="damaged"):
        read_checkpoint(file)


@pytest.mark.parametrize("place", [12, 16])
def test_a_directory_whose_size_is_a_lie_is_not_read(tmp_path: Path, place: int) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, weights=BASE)
    content = bytearray(file.read_bytes())
    end = content.rindex(b"PK\5\6")
    content[end + place : end + place + 2] = b"\xff\xff"
    file.write_bytes(content)
    with pytest.raises(DuplexError, match="damaged"):
        read_checkpoint(file).root.tensor("weights")


def test_a_small_archive_of_large_arrays_is_not_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez_compressed(file, weights=np.zeros(1 << 25, np.float32))
    with pytest.raises(DuplexError, match="unpacks to far more than its"):
        read_checkpoint(file).root.tensor("weights")


@pytest.mark.parametrize("size", [0, 7, 10, 11])
def test_a_text_cut_off_is_damage_or_text(tmp_path: Path, size: int) -> None:
    file = tmp_path / "a.npz"
    with zipfile.ZipFile(file, "w") as archive:
        head = header("{'descr': '<U4', 'fortran_order': False, 'shape': (), }")
        archive.writestr("label.npy", head + "SH9".encode("utf-32-le")[:size])
    with pytest.raises(DuplexError):
        read_checkpoint(file).root.text("label", among=("SH9",))

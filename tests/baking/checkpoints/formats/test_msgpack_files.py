"""msgpack as plain data: what the msgpack library writes, and no container that costs more than its bytes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch

from builders.hostile import at_most
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import read_checkpoint

TREE: dict[str, Any] = {
    "none": None, "yes": True, "no": False, "small": 5, "negative": -7, "wide": 1 << 40, "low": -(1 << 40),
    "real": 2.5,    "text": "ü" * 40,
    "long": "x" * 70_000, "bytes": b"\0\1" * 200, "list": list(range(40)), "nested": {"a": [{"b": 1}]},
    **{f"number{i}": 1 << i for i in range(64)}, **{f"below{i}": -(1 << i) for i in range(64)},
}  # fmt: skip


def plain(content: bytes) -> bytes:
    return content


@pytest.mark.parametrize("pack", [plain, gzip.compress, zlib.compress])
@pytest.mark.parametrize("single", [True, False])
def test_every_kind_of_value_is_read(tmp_path: Path, pack: Callable[[bytes], bytes], single: bool) -> None:
    file = tmp_path / "a.msgpack"
    file.write_bytes(pack(msgpack.packb(TREE, use_single_float=single)))
    checkpoint = read_checkpoint(file)
    assert checkpoint.kind == "msgpack"
    value: Any = checkpoint.root.value
    assert {key: bytes(x) if isinstance(x, memoryview) else x for key, x in value.items()} == TREE
    assert bytes(checkpoint.root.data("bytes")) == TREE["bytes"]


def flax(shape: Any, name: Any, data: Any, code: int = 1) -> msgpack.ExtType:
    return msgpack.ExtType(code, msgpack.packb([shape, name, data]))


def test_arrays_of_flax_are_tensors(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    brain = (array.view(np.uint32) >> 16).astype(np.uint16)
    file = tmp_path / "checkpoint_1"
    tree = {
        "wide": flax([2, 3], "float32", array.tobytes()),
        "brain": flax([2, 3], "bfloat16", brain.tobytes()),
        "step": flax([], "int64", np.int64(9).tobytes(), 3),
        "other": msgpack.ExtType(2, b"x"),
    }
    file.write_bytes(msgpack.packb(tree))
    root = read_checkpoint(file).root
    assert torch.equal(root.tensor("wide", (2, 3)), torch.from_numpy(array))
    assert torch.equal(root.tensor("brain"), torch.from_numpy(array))
    assert root.whole("step", 0, 9) == 9 and "other" not in root


@pytest.mark.parametrize(
    "value",
    [
        flax([1 << 40], "float32", b"1234"),
        flax([-1], "float32", b"1234"),
        flax([1] * 500, "float32", b"1234"),
        flax([1], "O", b"12345678"),
        flax([1], "V4", b"1234"),
        flax(["1"], "float32", b"1234"),
        flax([0], "float32", b"", 3),
        flax([2], "float32", b"12345678", 3),
        flax([{}, 2], "float32", b"1234"),
        flax([1.5, [2]], "float32", b"1234"),
        flax([2], "float32", 7),
        flax({}, [], None),
        msgpack.ExtType(1, b"\xdd\xff\xff\xff\xff"),
        msgpack.ExtType(1, b""),
    ],
)
def test_an_array_that_lies_is_damage(tmp_path: Path, value: msgpack.ExtType) -> None:
    file = tmp_path / "checkpoint_1"
    file.write_bytes(msgpack.packb({"weights": value}))
    with pytest.raises(DuplexError, match="damaged one: expected a msgpack map"):
        read_checkpoint(file)


@pytest.mark.parametrize(
    "content",
    [
        b"\x81\xa1a" + b"\x91" * 100_000,
        b"\x81\xa1a\xdd\xff\xff\xff\xff",
        b"\x81\xa1a\xdf\xff\xff\xff\xff",
        b"\x81\xa1a\xc6\xff\xff\xff\xff",
        b"\x81\xa1a\xdb\xff\xff\xff\xff",
        b"\x81\xa1a\xc1",
        b"\x8f",
        b"\x81\xa1a\x01\x01",
        gzip.compress(b"\x81\xa1a" + bytes(100))[:-9],
        zlib.compress(b"\x81\xa1a\xdd\x01\x31\x2d\x00" + b"\x90" * 20_000_000),
        gzip.compress(b"\x81\xa1a\xc6\x0b\xeb\xc2\x00" + bytes(200_000_000)),
    ],
)
def test_a_file_that_promises_more_than_it_holds_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.ingp"
    file.write_bytes(content)
    with at_most(3), pytest.raises(DuplexError) as error:
        read_checkpoint(file)
    assert "\n" not in str(error.value)

"""Files of torch.save as plain data: the same tensors as torch's own reader gives, and no byte beyond the file."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import read_checkpoint

BASE = torch.arange(24.0).reshape(4, 6)
TENSORS: dict[str, Tensor] = {
    "float32": BASE,
    "float64": BASE.double() / 7,
    "float16": BASE.half(),
    "bfloat16": BASE.bfloat16(),
    "int64": BASE.long() - 3,
    "int32": BASE.int(),
    "int16": BASE.short(),
    "uint8": BASE.byte(),
    "bool": BASE > 5,
    "transposed": BASE.T,
    "slice": BASE[1:3, 2:5],
    "column": BASE[:, 3],
    "scalar": torch.tensor(4.5),
    "one": torch.ones(1, 1, 1),
}


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_those_of_torch(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "all.pt"
    state = OrderedDict(TENSORS)
    parameters = {"weight": nn.Parameter(BASE * 2), "buffer": nn.Linear(3, 2).state_dict()}
    torch.save({"state": state, "net": parameters, "step": 7}, file, _use_new_zipfile_serialization=zipped)
    root = read_checkpoint(file).root
    for name, tensor in TENSORS.items():
        made = root.at("state").tensor(name)
        assert made.dtype == torch.float32 and torch.equal(made, tensor.float()), name
    assert root.at("state").tensor("float16", keep_half=True).dtype == torch.float16
    assert torch.equal(root.at("state").whole_tensor("int64", (4, 6)), TENSORS["int64"].int())
    assert torch.equal(root.at("net").tensor("weight"), BASE * 2)
    assert torch.equal(root.at("net", "buffer").tensor("bias"), parameters["buffer"]["bias"])  # type: ignore[index]
    assert root.whole("step", 0, 9) == 7


def test_large_storages_are_read_only_when_they_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "lazy.pt"
    torch.save({"used": torch.ones(4), "optimizer": torch.zeros(1000)}, file)
    damaged = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith("data/1"))
        place = archive.getinfo(name).header_offset
    damaged[place + 600] ^= 0xFF  # in the zeros that nobody asks for
    file.write_bytes(damaged)
    root = read_checkpoint(file).root
    assert root.tensor("used").tolist() == [1.0] * 4
    with pytest.raises(DuplexError, match="optimizer cannot be read: a damaged file"):
        root.tensor("optimizer")


def test_a_lone_tensor_and_a_pickled_module_have_members(tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    torch.save(torch.ones(2, 2), file)
    assert read_checkpoint(file).root.tensor("tensor", (2, 2)).sum() == 4
    torch.save(nn.Sequential(nn.Linear(2, 3)), file)
    names = [f"torch.nn.modules.{name}" for name in ("container.Sequential", "linear.Linear")]
    root = read_checkpoint(file, names).root
    assert root.at("_modules", "0").kind == names[1]
    assert root.at("_modules", "0", "_parameters").tensor("weight", (3, 2)).shape == (3, 2)
    with pytest.raises(DuplexError, match=r"refused unread: it pickles the Python object torch.nn.modules.container"):
        read_checkpoint(file)


def reworked(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def member(parts: dict[str, bytes], ending: str) -> str:
    return next(name for name in parts if name.endswith(ending))


def drop(ending: str) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.__delitem__(member(parts, ending)) or None


def cut(ending: str) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        parts[member(parts, ending)] = parts[member(parts, ending)][:-1]

    return change


@pytest.mark.parametrize("change", [drop("data.pkl"), drop("data/0"), cut("data.pkl"), cut("data/0")])
def test_an_archive_without_all_its_parts_is_damaged(
    tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    file = tmp_path / "cut.pt"
    torch.save({"weight": torch.ones(5)}, file)
    reworked(file, change)
    with pytest.raises(
        DuplexError, match=r"not a checkpoint, or a damaged one: expected a file written by torch\.save"
    ):
        read_checkpoint(file).root.tensor("weight")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_anywhere_is_one_sentence(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "cut.pt"
    torch.save({"weight": torch.ones(50), "other": torch.ones(3)}, file, _use_new_zipfile_serialization=zipped)
    whole = file.read_bytes()
    for end in range(0, len(whole) - 1, 17):
        file.write_bytes(whole[:end])
        with pytest.raises(DuplexError) as error:
            read_checkpoint(file).root.tensor("weight")
            read_checkpoint(file).root.tensor("other")
        assert "\n" not in str(error.value)


class Forged:
    """Pickles as a tensor of ``storage`` with any offset, shape and strides."""

    def __init__(self, offset: Any, shape: Any, strides: Any):
        self.parts = (offset, shape, strides)

    def __reduce__(self) -> Any:
        storage = torch.ones(6)._typed_storage()
        return torch._utils._rebuild_tensor_v2, (storage, *self.parts, False, OrderedDict())


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (7,), (1,)),
        (3, (4,), (1,)),
        (0, (2, 2), (6, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (2, 3), (3,)),
        (0, (2.0,), (1,)),
        (0, (1 << 62, 1 << 62), (0, 1)),
        (0, (1,) * 40, (1,) * 40),
        (0, "six", (1,)),
        (1 << 70, (1,), (1,)),
    ],
)
def test_a_tensor_outside_its_storage_is_damaged(tmp_path: Path, offset: Any, shape: Any, strides: Any) -> None:
    file = tmp_path / "forged.pt"
    torch.save({"weight": Forged(offset, shape, strides)}, file)
    with pytest.raises(DuplexError, match="damaged one"):
        read_checkpoint(file).root.tensor("weight")


@pytest.mark.parametrize("shape", [(1 << 14, 1 << 14), (1 << 40,), (7,)])
def test_a_tensor_that_repeats_its_numbers_is_not_unfolded(tmp_path: Path, shape: tuple[int, ...]) -> None:
    file = tmp_path / "repeated.pt"
    torch.save({"weight": Forged(0, shape, (0,) * len(shape))}, file)
    with pytest.raises(DuplexError, match=r"weight (repeats 24 bytes|holds more than)"):
        read_checkpoint(file).root.tensor("weight")


def test_numbers_that_many_tensors_share_are_not_copied_without_end(tmp_path: Path) -> None:
    file = tmp_path / "shared.pt"
    shared = torch.ones(1 << 22, dtype=torch.float16)
    torch.save({f"weight{i}": shared.view(1 << 22) for i in range(60)}, file)
    with pytest.raises(DuplexError, match="share the same numbers over and over"):
        read_checkpoint(file).root.tensors()


def test_storages_larger_than_the_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.pt"
    torch.save({"weight": torch.zeros(1 << 25)}, file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(DuplexError, match="unpacks to far more than its"):
        read_checkpoint(file).root.tensor("weight")


def test_a_stream_with_another_head_is_no_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "other.pt"
    stream = io.BytesIO()
    for value in (1 << 70, 1001, {}, {"weight": 1}, []):
        pickle.dump(value, stream, protocol=2)
    file.write_bytes(stream.getvalue())
    with pytest.raises(DuplexError, match="damaged one"):
        read_checkpoint(file)

"""safetensors as plain data: what the safetensors library writes, and nothing outside the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import read_checkpoint


def test_tensors_are_those_that_were_saved(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"f4": base, "f2": base.half(), "bf2": base.bfloat16(), "i8": base.long(), "flags": base > 3}
    save_file(tensors, file, {"note": "kept out"})
    checkpoint = read_checkpoint(file)
    assert checkpoint.kind == "torch" and sorted(checkpoint.root.names()) == sorted(tensors)
    for name, tensor in tensors.items():
        assert torch.equal(checkpoint.root.tensor(name, (3, 4)), tensor.float()), name


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 80]},
        {"dtype": "F32", "shape": [2], "data_offsets": [4, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1] * 99, "data_offsets": [0, 8]},
        {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]},
        {"dtype": ["F32"], "shape": 2, "data_offsets": "ab"},
        {"shape": [2]},
        [1, 2],
    ],
)
def test_a_header_that_lies_is_one_sentence(tmp_path: Path, entry: Any) -> None:
    head = json.dumps({"weight": entry}).encode()
    file = tmp_path / "a.safetensors"
    file.write_bytes(len(head).to_bytes(8, "little") + head + bytes(8))
    with pytest.raises(DuplexError) as error:
        read_checkpoint(file).root.tensor("weight")
    assert "\n" not in str(error.value)

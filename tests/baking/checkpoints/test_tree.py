"""The checked way from a checkpoint's tree to its values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import read_checkpoint
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.values import InMemory, Instance, Numbers
from duplex.baking.checkpoints.tree import CheckpointNode


def numbers(array: Any, dtype: str = "f4") -> Numbers:
    made = np.asarray(array, dtype)
    return Numbers.dense(InMemory(made.tobytes()), dtype, made.shape)


def node(**members: Any) -> CheckpointNode:
    return CheckpointNode(members, "a.pt")


def test_small_arrays_stand_for_numbers_and_lists() -> None:
    tree = node(near=numbers(2.5), step=numbers([7], "i8"), box=numbers([[1, 2, 3], [4, 5, 6]], "f8"))
    assert tree.number("near", 0, 9) == 2.5 and tree.whole("step", 0, 9) == 7
    assert tree.numbers("box", 6).tolist() == [1, 2, 3, 4, 5, 6]


def test_an_object_is_its_state_and_the_absent_is_empty() -> None:
    tree = node(options=Instance("argparse.Namespace", [], {"near": 2, "deep": [{"a": 1}]}))
    assert tree.at("options").kind == "argparse.Namespace" and tree.at("options").number("near", 0, 9) == 2
    assert tree.at("options", "deep", 0).whole("a", 1, 1) == 1
    for absent in (tree.at("no", "such", 3), tree.at("options", "near", "x"), CheckpointNode(None, "a.pt")):
        assert not absent.exists and absent.names() == [] and absent.children(9) == [] and "x" not in absent
        assert absent.shape("x") is None and absent.dtype("x") == ""


WRONG: list[tuple[Callable[[CheckpointNode], object], str]] = [
    (lambda n: n.tensor("text"), "text is missing or holds no numbers"),
    (lambda n: n.tensor("absent"), "absent is missing or holds no numbers"),
    (lambda n: n.tensor("matrix", (3, None)), r"matrix has the shape \(2, 3\): expected 3 x any"),
    (lambda n: n.tensor("empty", (None, None)), r"empty has the shape \(0, 4\)"),
    (lambda n: n.tensor("diverged"), "diverged holds NaN or infinity"),
    (lambda n: n.tensor("overflows"), "overflows holds NaN or infinity"),
    (lambda n: n.tensor("quantised"), "quantised is missing or holds no numbers"),
    (lambda n: n.whole_tensor("matrix", (2, 3)), "matrix holds no whole numbers"),
    (lambda n: n.whole_tensor("wide", (1,)), "wide holds 1099511627776: expected whole numbers of 32 bits"),
    (lambda n: n.bits("matrix"), "matrix holds f4: expected bytes"),
    (lambda n: n.data("matrix"), "matrix: .*: expected bytes"),
    (lambda n: n.tensors(), "a.pt is no state dict of tensors"),
    (lambda n: n.at("wholes").tensors(), "wholes: a holds int64: expected dense floating point numbers"),
    (lambda n: n.number("matrix", 0, 1), r"matrix: .*: expected a number from 0 to 1"),
    (lambda n: n.text("matrix"), "matrix: .*: expected a text"),
]


@pytest.mark.parametrize(("ask", "words"), WRONG)
def test_a_wrong_member_is_one_sentence(ask: Callable[[CheckpointNode], object], words: str) -> None:
    tree = node(
        text="x" * 1000,
        matrix=numbers(np.ones((2, 3))),
        empty=numbers(np.ones((0, 4))),
        diverged=numbers([1, np.nan]),
        overflows=numbers([1e300], "f8"),
        quantised=Numbers(InMemory(b"1234"), "QInt8", (4,), (1,)),
        wide=numbers([1 << 40], "i8"),
        wholes={"a": numbers([1], "i8")},
    )
    with pytest.raises(DuplexError, match=words) as error:
        ask(tree)
    assert len(str(error.value)) <= 300 and "\n" not in str(error.value)


def test_what_is_made_of_a_small_file_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    torch.save({"weight": torch.ones(1 << 20, dtype=torch.float16)}, file)
    root = read_checkpoint(file).root
    with pytest.raises(DuplexError, match="share the same numbers over and over"):
        for _ in range(1000):
            root.tensor("weight")


def test_a_file_over_the_bound_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    with file.open("wb") as stream:
        stream.truncate(5 << 30)  # takes no room on the disk
    with pytest.raises(DuplexError, match=r"5\.0 GiB: checkpoints of up to 4 GiB are read"):
        Budget(file)


@pytest.mark.parametrize("shape", [(0,), (0, 1 << 40), (1 << 40, 0), (0, *[1 << 40] * 7)])
def test_an_array_without_numbers_takes_no_memory(shape: tuple[int, ...]) -> None:
    tree = node(
        empty=Numbers.dense(InMemory(b""), "f4", shape)
        if len(shape) < 8
        else Numbers(InMemory(b""), "f4", shape, (1,) * 8)
    )
    for ask in (lambda: tree.tensor("empty"), lambda: tree.number("empty", 0, 1), lambda: tree.tensors()):
        try:
            ask()
        except DuplexError as error:
            assert "\n" not in str(error)

"""Pickles that are refused and never run."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from builders.hostile import Hostile, at_most
from builders.opcodes import call, text, whole
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import read_checkpoint
from duplex.baking.checkpoints.loading import load_teacher


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("key", ["model_coarse_state_dict", "network_fn_state_dict"])
def test_a_hostile_pickle_is_refused_and_never_run(tmp_path: Path, legacy: bool, key: str) -> None:
    file, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    content = {key: Hostile(f"touch {trace}")}
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DuplexError, match="refused unread") as error:
        load_teacher(file)
    assert "\n" not in str(error.value)
    assert not trace.exists()


def test_a_plain_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    file, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    file.write_bytes(pickle.dumps(Hostile(f"touch {trace}")))
    with pytest.raises(DuplexError):
        load_teacher(file)
    assert not trace.exists()


def saved(file: Path, *members: tuple[str, bytes]) -> Path:
    """A file of torch.save whose dictionary has these members, each given by its opcodes."""
    pickled = b"\x80\x02}(" + b"".join(text(name) + opcodes for name, opcodes in members) + b"u."
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return file


DOUBLED = (
    b"("
    + whole(1)
    + b"lq\x00"
    + b"".join(b"(h" + bytes([i]) + b"h" + bytes([i]) + b"lq" + bytes([i + 1]) for i in range(60))
)
NESTED = b"]" * 5000 + b"a" * 4999
KNOT = b")q\x000" + b"".join(
    b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) + b"0" for i in range(60)
)


@pytest.mark.parametrize(
    "opcodes",
    [
        call("builtins.bytearray", b"\x8a\x05\x00\x00\x00\x00\x7f"),
        call("__builtin__.bytes", b"\x8a\x05\x00\x00\x00\x00\x7f"),
        call("builtins.list", call("builtins.bytearray", whole(1 << 30))),
        call("builtins.complex", text("1" * 1000)),
        DOUBLED,
        NESTED,
        KNOT + b"}(h\x3c" + whole(1) + b"u",
        call("collections.OrderedDict") + b"}(" + text("items") + whole(1) + text("values") + whole(2) + b"ub",
        call("collections.OrderedDict") + b"}(" + text("get") + whole(1) + b"ub",
        call("torch.device", text("cuda:9999")),
        call("torch.Size", b"(" + whole(-5) + b"l"),
        call("torch._utils._rebuild_qtensor", whole(1)),
        call("numpy.ndarray", whole(1 << 30)),
    ],
)  # fmt: skip
def test_calls_and_knots_stay_data_and_cost_nothing(tmp_path: Path, opcodes: bytes) -> None:
    file = saved(tmp_path / "knot.pt", ("strange", opcodes), ("number", whole(7)))
    with at_most(2):
        root = read_checkpoint(file).root
        assert root.whole("number", 7, 7) == 7
        for ask in (lambda: root.number("strange", 0, 1), lambda: root.text("strange"), lambda: root.tensor("strange")):
            with pytest.raises(DuplexError) as error:
                ask()
            assert len(str(error.value)) < 300 + len(str(file)) and "\n" not in str(error.value)
        assert root.at("strange", "items", 0, "values").at("get").names() == []


@pytest.mark.parametrize(
    ("opcodes", "word"),
    [
        (call("os.system", text("true")), "os.system"),
        (call("builtins.eval", text("1")), "builtins.eval"),
        (call("builtins.getattr", text("x"), text("y")), "builtins.getattr"),
        (b"cposix\nsystem\n", "posix.system"),
        (text("subprocess") + text("Popen") + b"\x93", "subprocess.Popen"),
        (b"(" + text("x") + b"ios\nsystem\n", "os.system"),
        (b"(cbuiltins\nexec\n" + text("x") + b"o", "builtins.exec"),
        (call("torch.storage._load_from_bytes", b"U\x01x"), "torch.storage._load_from_bytes"),
        (call("numpy.core.multiarray.fromfile", text("x")), "numpy.core.multiarray.fromfile"),
    ],
)
def test_a_name_that_no_checkpoint_needs_is_refused(tmp_path: Path, opcodes: bytes, word: str) -> None:
    with pytest.raises(DuplexError, match=f"refused unread: it pickles the Python object {word}"):
        read_checkpoint(saved(tmp_path / "evil.pt", ("strange", opcodes)))


@pytest.mark.parametrize(
    "opcodes",
    [
        b"t",
        b"0" * 9,
        b"h\x07",
        b"(1u",
        b"\x82\x01",
        b"\x97",
        b"Qx",
        b"\x8b\xff\xff\xff\x7f",
        b"\x8a\xff" + b"\x7f" * 255,
        b"\x8e" + b"\xff" * 8,
        b"I" + b"9" * 5000 + b"\n",
        b"Fnot a number\n",
        b"cone name alone\n",
        whole(1) + whole(2) + b"R",
        whole(1) + whole(2) + b"b",
        b"(" + text("a") + b"d",
    ],
)
def test_opcodes_that_fit_nothing_are_damage(tmp_path: Path, opcodes: bytes) -> None:
    with pytest.raises(DuplexError, match="damaged one"):
        read_checkpoint(saved(tmp_path / "broken.pt", ("strange", opcodes)))


def test_many_opcodes_in_a_small_file_end_the_budget(tmp_path: Path) -> None:
    for opcodes in (b"]" * 3_000_000, b"N0" * 1_500_000, b")" * 3_000_000):
        file = tmp_path / "list.pt"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + opcodes + b".")
        with pytest.raises(DuplexError, match="more objects than a checkpoint of its size holds"):
            read_checkpoint(file)


PAIRS = b"(" + b"".join(b"(" + whole(i) + whole(i) + b"l" for i in range(3000)) + b"lq\x02"


@pytest.mark.parametrize(
    ("given", "called"),
    [
        (text("x" * (1 << 16)), b"c_codecs\nencode\n"),
        (PAIRS, b"ccollections\nOrderedDict\n"),
        (PAIRS, b"cbuiltins\nset\n"),
    ],
)
def test_what_is_made_again_and_again_is_counted(tmp_path: Path, given: bytes, called: bytes) -> None:
    once = b"h\x01h\x02\x85R"
    opcodes = b"(" + given + b"q\x02" + called + b"q\x01" + once * 20_000 + b"l"
    file = saved(tmp_path / "again.pt", ("strange", opcodes))
    with at_most(3):
        try:
            root = read_checkpoint(file).root
            assert called.startswith(b"cbuiltins")  # one shared list
            assert len(root.at("strange").children(1 << 20)) > 20_000
        except DuplexError as error:
            assert "over and over" in str(error) or "more objects than" in str(error)

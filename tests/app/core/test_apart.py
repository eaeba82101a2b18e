"""Files of strangers are parsed in another process, whose end is a sentence."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from duplex.app.core import apart as module
from duplex.app.core.apart import LENGTHS, apart, trusting
from duplex.app.core.errors import DuplexError
from duplex.baking.datasets import decoding


@pytest.fixture
def picture(tmp_path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


def test_it_finds_what_is_found_here(picture: str) -> None:
    found = apart(decoding.pixels, picture, picture, 7, 5)
    assert np.array_equal(found, decoding.pixels(picture, 7, 5)) and found.dtype == np.uint8
    assert apart(decoding.header, picture, picture) == [7, 5, 1]
    with trusting(True):
        assert apart(os.getpid, "here") == os.getpid()
    assert apart(os.getpid, "there") != os.getpid()
    with pytest.raises(DuplexError, match="a mask of 7 x 5: expected the shape"):
        apart(decoding.mask, picture, picture, 50, 5)


ENDS: list[tuple[Any, tuple[Any, ...], str]] = [
    (os.abort, (), "status"),
    (os._exit, (0,), "status 0"),
    (json.loads, ("{",), "status"),
    (np.ones, (1 << 40,), "status"),
    (time.sleep, (60,), "more than 1 s"),
    (json.loads, ("[" * 3000 + "1" + "]" * 3000,), "ended"),
]


@pytest.mark.parametrize("number", range(len(ENDS)))
def test_the_end_of_the_process_is_a_sentence_and_the_rest_goes_on(
    number: int, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, arguments, words = ENDS[number]
    if function is time.sleep:
        monkeypatch.setattr(module, "SECONDS", 1.0)
    with pytest.raises(DuplexError, match=r"^b\.png: the process that read it ended") as error:
        apart(function, "b.png", *arguments)
    assert words in str(error.value) and len(str(error.value)) < 300
    assert apart(decoding.header, picture, picture) == [7, 5, 1]


@pytest.mark.parametrize(
    ("header", "content"),
    [
        (b'{"shape": [1000000, 1000000], "dtype": "|u1"}', b""),
        (b'{"shape": [2], "dtype": "|O"}', bytes(16)),
        (b'{"shape": [-1, -4], "dtype": "|u1"}', bytes(4)),
        (b'{"shape": [2, 2], "dtype": "|u1"}', bytes(5)),
        (b'{"shape": [1, 1, 1, 1, 1], "dtype": "|u1"}', bytes(1)),
        (b'{"dtype": "|u1"}', b""),
        (b"[]", b""),
        (b"{", b""),
    ],
)
def test_a_lying_answer_is_refused_before_memory_is_taken(header: bytes, content: bytes) -> None:
    answer = io.BytesIO(LENGTHS.pack(len(header), len(content)) + header + content)
    child = module._Child.__new__(module._Child)
    child.process = SimpleNamespace(stdout=answer)  # type: ignore[assignment]
    with pytest.raises((ValueError, KeyError, EOFError)):
        child._answer()


@pytest.mark.system
def test_children_end_with_their_parent() -> None:
    code = "import os; from duplex.app.core.apart import apart; print(apart(os.getpid, 'x'), flush=True); os._exit(0)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    child = int(said.stdout)
    for _ in range(100):
        try:
            os.kill(child, 0)
        except OSError:
            return
        if Path(f"/proc/{child}/stat").exists() and ") Z " in Path(f"/proc/{child}/stat").read_text():
            return
        time.sleep(0.1)
    raise AssertionError("it is still there")

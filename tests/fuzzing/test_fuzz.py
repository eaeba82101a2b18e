"""The fuzzer itself: its inputs repeat, its workers find what is planted, and a quick run finds nothing."""

from __future__ import annotations

import io
import json
import os
import pickletools
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from fuzzing import canary, corpus, seeds
from fuzzing.inputs import Inputs, read_files
from fuzzing.judge import ACCEPTED, REFUSED, Outcome, judged
from fuzzing.minimise import Minimiser
from fuzzing.mutators import archives, formats, pickles
from fuzzing.targets import TARGETS

from duplex.app.core.errors import DuplexError

FUZZING = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def seed_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    seeds.write(folder, {target.seeds for target in TARGETS})
    return folder


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds_are_accepted_and_small(seed_files: Path, target) -> None:
    for folder in sorted((seed_files / target.seeds / "small").iterdir()):
        outcome = judged(target.use, folder)
        assert outcome.kind == ACCEPTED, (folder.name, outcome)
        assert max(len(content) for content in read_files(folder).values()) <= 21_000, folder.name


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_an_input_follows_from_seed_and_recipe(seed_files: Path, target) -> None:
    first, again = (Inputs(seed_files / target.seeds, 3, target.only) for _ in range(2))
    other = Inputs(seed_files / target.seeds, 4, target.only)
    recipes = [(i,) if i % 3 else (i, i + 1, i + 7) for i in range(60)]
    made = [first.made(recipe) for recipe in recipes]
    assert made == [again.made(recipe) for recipe in recipes]
    assert made != [other.made(recipe) for recipe in recipes]
    assert len({json.dumps(sorted((k, v.hex()) for k, v in files.items())) for files in made}) > 50


def test_mutations_know_the_structure() -> None:
    """Most changed archives can still be opened, and most changed pickles still be taken apart."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "a/data.pkl", b"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x05X\x01\x00\x00\x00bG@\x00\x00\x00\x00\x00\x00\x00u."
        )
        archive.writestr("a/data/0", bytes(64))
    counts: Counter[str] = Counter()
    for i in range(400):
        content = formats.mutated_file("x.pth", buffer.getvalue(), Random(i))
        entries = archives.entries_of(content)
        counts["archives"] += bool(entries)
        pickled = next((e.content for e in entries if e.name.endswith(b".pkl")), b"")
        opcodes, _ = pickles.opcodes_of(pickled)
        counts["pickles"] += len(opcodes) > 2
        counts["changed"] += content != buffer.getvalue()
    assert min(counts["archives"], counts["pickles"]) > 200 and counts["changed"] > 350, counts


def test_whole_numbers_become_opcodes() -> None:
    for number in (0, 255, 256, -1, 1 << 31, -(1 << 63), 10**400, 1 << 2100):
        ((_, argument, _),) = list(pickletools.genops(pickles.integer(number) + b"."))[:1]
        assert argument == number


def ends(error: BaseException | None = None, call: bool = False):
    def use(folder: Path) -> None:
        if call:
            canary.mark()
        if error:
            raise error

    return use


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (ends(), ACCEPTED),
        (ends(DuplexError("a: 1: expected 2")), REFUSED),
        (ends(DuplexError("two\nlines")), REFUSED),  # shown on one line
        (ends(DuplexError("x" * 3000)), "sentence"),
        (ends(KeyError("x")), "KeyError"),
        (ends(SystemExit(1)), "SystemExit"),
        (ends(DuplexError("a"), call=True), "executed"),
    ],
)
def test_an_end_is_judged(tmp_path: Path, use, kind: str) -> None:
    assert judged(use, tmp_path).kind == kind


def test_a_memory_error_behind_a_sentence_is_seen(tmp_path: Path) -> None:
    def use(folder: Path) -> None:
        try:
            raise MemoryError
        except MemoryError:
            raise DuplexError("it does not fit") from None

    assert judged(use, tmp_path).kind == "memory"


def test_inputs_become_small_and_keep_their_defect(tmp_path: Path) -> None:
    entries = tuple(archives.Entry(f"{i}".encode(), bytes(range(40))) for i in range(9))
    files = {"a.zip": archives.packed(entries), "b.txt": b"line\n" * 50 + b"BAD\n" + b"line\n" * 50, "c": b"x"}

    def stays(files: dict[str, bytes]) -> bool:
        kept = archives.entries_of(files.get("a.zip", b""))
        return any(e.name == b"4" and b"\x07" in e.content for e in kept) and b"BAD" in files.get("b.txt", b"")

    small = Minimiser(stays, 20).files(files)
    assert small == {"a.zip": archives.packed((archives.Entry(b"4", b"\x07"),)), "b.txt": b"BAD"}
    entry = corpus.add("settings", Outcome("KeyError", "app/x/y.py:3 < app/z.py:1"), small, tmp_path)
    assert entry.relative_to(tmp_path).as_posix() == "settings/KeyError-y.zip"
    corpus.unpack(entry, tmp_path / "out")
    assert read_files(tmp_path / "out") == small


def fuzz(tmp_path: Path, *arguments: object) -> tuple[int, str, list[dict]]:
    counts = tmp_path / "counts.json"
    command = [sys.executable, "-I", FUZZING, "--json", counts, "--corpus", tmp_path / "corpus", *arguments]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr, json.loads(counts.read_text("utf-8"))


@pytest.mark.system
def test_a_quick_run_of_all_targets_finds_nothing(tmp_path: Path) -> None:
    start = time.monotonic()
    status, text, counts = fuzz(tmp_path, "--inputs", 3000, "--workers", 2, "--seed", 11)
    assert status == 0, text
    assert sum(target["inputs"] for target in counts) == pytest.approx(3000, abs=5)
    assert all(target["refused"] > 0 for target in counts if target["target"] != "settings")
    assert time.monotonic() - start < 300


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_long_run_finds_nothing(tmp_path: Path, target) -> None:
    seed = os.urandom(4).hex()  # another one each time, which the failure tells
    status, text, _ = fuzz(tmp_path, "--target", target.name, "--minutes", 5 * target.share, "--seed", int(seed, 16))
    assert status == 0, f"--seed {int(seed, 16)}\n{text}"

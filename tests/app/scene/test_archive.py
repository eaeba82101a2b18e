"""Damaged and hostile archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from builders.bundles import parts_of, refused, with_manifest, write_parts
from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle_reader import read_bundle


def test_not_a_bundle(tmp_path: Path) -> None:
    file = tmp_path / "x.bundle"
    refused(file, "no such file")
    file.write_bytes(b"")
    refused(file, "an empty file", "expected a bundle")
    file.write_text("hello")
    refused(file, "a text file", "expected a bundle")
    file.write_bytes(b"\xff" * 9)
    refused(file, "not a bundle")
    write_parts(file, {"readme.txt": b"hi"})
    refused(file, "an archive", "expected a bundle")
    write_parts(file, {"outer.glb": b"hi"})
    refused(file, "manifest.json", "missing")
    write_parts(file, {"manifest.json": b"[]"})
    refused(file, "not a bundle")
    write_parts(file, {"manifest.json": b"[" * 100000})
    refused(file, "not JSON")


def test_every_truncation_is_refused(demo_file: Path) -> None:
    whole = demo_file.read_bytes()
    for share in range(1, 25):
        demo_file.write_bytes(whole[: len(whole) * share // 25])
        refused(demo_file, "truncated")


def test_flipped_bytes_are_refused_or_harmless(demo_file: Path) -> None:
    whole, rng = demo_file.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 30):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        demo_file.write_bytes(bytes(damaged))
        try:
            read_bundle(demo_file)
        except DuplexError as error:
            assert "\n" not in str(error)


@pytest.mark.system
def test_a_list_of_endless_parts_is_refused_unread(demo_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(demo_file, "w") as archive:
        for i in range(20_000):
            archive.writestr(f"{i}", b"")
    many = demo_file.read_bytes()
    with zipfile.ZipFile(demo_file, "w") as archive:
        for i in range(70_000):  # more than the usual end record can count
            archive.writestr(f"{i}", b"")
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was read"))
    refused(demo_file, "an archive", "expected a bundle")
    demo_file.write_bytes(many)
    refused(demo_file, "an archive", "expected a bundle")


@pytest.mark.parametrize("name", ["../evil.png", "/etc/passwd", "a/b.png", "..\\evil", "C:evil", ".hidden"])
def test_names_that_leave_the_bundle_are_refused(demo_file: Path, name: str) -> None:
    parts = parts_of(demo_file)
    write_parts(demo_file, parts | {name: b"x"})
    refused(demo_file, "plain names")


def test_a_lying_size_is_refused(demo_file: Path) -> None:
    def lie(manifest: dict) -> None:
        manifest["parts"]["outer.glb"] += 1

    with_manifest(demo_file, lie, keep_sizes=True)
    refused(demo_file, "outer.glb", "states")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(demo_file: Path) -> None:
    parts = parts_of(demo_file)
    with zipfile.ZipFile(demo_file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, b"\0" * (64 << 20) if name == "shading.onnx" else content)
    refused(demo_file, "shading.onnx", "states")


def test_only_stored_and_deflated_parts_are_read(demo_file: Path) -> None:
    parts = parts_of(demo_file)
    with zipfile.ZipFile(demo_file, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    refused(demo_file, "neither stored nor deflated")

"""Bundles that were made to take memory and time, and large ones that are sound."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from builders.bundles import parts_of, refused, with_manifest, write_parts
from builders.hostile import at_most
from builders.large_bundles import large, sheet
from duplex.app.core.errors import DuplexError
from duplex.app.scene import glb
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.app.scene.mesh import Mesh


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(size: tuple[int, int], extra: bytes = b"", form: tuple[int, ...] = (8, 6, 0, 0, 0), rows: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, *form))
    pixels = zlib.compress(rows or bytes((1 + 4 * size[0]) * size[1]), 9)
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def with_parts(
    file: Path, parts: dict[str, bytes], change: Callable[[dict[str, Any]], object] = lambda m: None
) -> None:
    """Put ``parts`` into the bundle, deflated, with true sizes."""
    old = parts_of(file)
    manifest = json.loads(old["manifest.json"])
    change(manifest)
    whole = old | parts
    manifest["parts"] = {name: len(content) for name, content in whole.items() if name != "manifest.json"}
    whole["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in whole.items():
            archive.writestr(name, content)


def quickly(file: Path, *words: str) -> None:
    with at_most(2):
        refused(file, *words)


def test_a_mesh_of_zeros_is_refused(demo_file: Path) -> None:
    whole = demo_file.read_bytes()
    two = np.array([[0, 1, 2]], np.int32)
    many = glb.write(Mesh(np.eye(3, dtype=np.float32)[np.zeros(300_000, int)], np.zeros((300_000, 2)), two))
    with_parts(demo_file, {"outer.glb": many})
    quickly(demo_file, "outer.glb unpacks")
    demo_file.write_bytes(whole)
    parts = parts_of(demo_file)
    write_parts(demo_file, parts | {"outer.glb": many})  # stored, so that it is as large as it says
    with_manifest(demo_file, lambda m: m["shells"]["outer"].update(vertices=300_000, faces=1))
    quickly(demo_file, "outer.glb", "accessor", "from 1 to 3")


def test_more_faces_than_a_shell_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glb, "MAX_FACES", 10)
    assert len(glb.read(glb.write(sheet(8)), "x").faces) == 8
    with pytest.raises(DuplexError, match="count: 54: expected a whole number from 1 to 30"):
        glb.read(glb.write(sheet(18)), "x")


@pytest.mark.parametrize("side", [4096, 4095, 2048])
def test_textures_of_nothing_are_refused(demo_file: Path, side: int) -> None:
    empty = png((side, side))

    def change(manifest: dict[str, Any]) -> None:
        for shell in manifest["shells"].values():
            shell["texture_size"] = [side, side]

    with_parts(demo_file, {name: empty for name in parts_of(demo_file) if ".features" in name}, change)
    quickly(demo_file, "too few to hold them")


BOMB = zlib.compress(bytes(1 << 20), 9)
ODD: list[tuple[bytes, tuple[int, ...]]] = [
    (chunk(b"iCCP", b"a\0\0" + BOMB), (8, 6, 0, 0, 0)),
    (chunk(b"zTXt", b"a\0\0" + BOMB), (8, 6, 0, 0, 0)),
    (chunk(b"iTXt", b"a\0\1\0\0\0" + BOMB), (8, 6, 0, 0, 0)),
    (chunk(b"acTL", struct.pack(">II", 9, 0)), (8, 6, 0, 0, 0)),
    (chunk(b"eXIf", b"MM\0*"), (8, 6, 0, 0, 0)),
    (b"", (8, 6, 0, 0, 1)),
    (b"", (16, 6, 0, 0, 0)),
    (chunk(b"PLTE", bytes(3)), (8, 3, 0, 0, 0)),
    (b"", (8, 2, 0, 0, 0)),
    (chunk(b"IDAT", b"") * 100_001, (8, 6, 0, 0, 0)),
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_only_pictures_as_the_writer_writes_them_are_read(demo_file: Path, demo: Bundle, number: int) -> None:
    extra, form = ODD[number]
    size = (demo.outer.texels.shape[2], demo.outer.texels.shape[1])
    rows = np.random.default_rng(0).integers(0, 4, size[1] * (1 + 8 * size[0]), np.uint8).tobytes()
    write_parts(demo_file, parts_of(demo_file) | {"outer.features0.png": png(size, extra, form, rows)})
    with_manifest(demo_file, lambda m: None)
    quickly(demo_file, "outer.features0.png", "another format" if form != (8, 6, 0, 0, 0) else "more than pixels")


def test_a_picture_that_is_cut_off_is_a_sentence(demo_file: Path) -> None:
    parts = parts_of(demo_file)
    whole = parts["inner.features1.png"]
    for size in (20, 33, 60, len(whole) // 2):
        write_parts(demo_file, parts | {"inner.features1.png": whole[:size]})
        with_manifest(demo_file, lambda m: None)
        quickly(demo_file, "inner.features1.png", "not a PNG")


def test_parts_that_share_their_bytes_are_refused(demo_file: Path) -> None:
    content = demo_file.read_bytes()
    with zipfile.ZipFile(demo_file) as archive:
        where = archive.getinfo("outer.features0.png").header_offset
    start = content.index(b"PK\1\2")
    entries = content[start:]
    name = entries.index(b"outer.features1.png")
    shared = bytearray(entries)
    shared[name - 26 : name - 22] = struct.pack("<I", 1 << 24)  # its size in the file
    demo_file.write_bytes(content[:start] + bytes(shared))
    assert where and len(content) < 1 << 24
    quickly(demo_file, "share their bytes")


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("report.json", b'{"bracketing": 1e400}'),
        ("report.json", b'{"bracketing": NaN}'),
        ("report.json", b'{"a": 1, "a": 2}'),
        ("report.json", b'{"a": "\\ud800"}'),
        ("report.json", b'{"a":' * 70 + b"1" + b"}" * 70),
        ("report.json", b'{"a": "' + b"x" * 70_000 + b'"}'),
        ("report.json", b'{"a": ' + b"9" * 5000 + b"}"),
        ("cameras.json", b'{"rig": [], "cameras": []}'),
        ("cameras.json", b'{"rig": {}, "cameras": {"0": 1}}'),
        ("cameras.json", b'{"rig": {}, "cameras": [' + b"0," * 5000 + b"0]}"),
    ],
)
def test_odd_json_is_one_sentence(demo_file: Path, part: str, content: bytes) -> None:
    write_parts(demo_file, parts_of(demo_file) | {part: content})
    with_manifest(demo_file, lambda m: None)
    quickly(demo_file, part)


def test_metadata_of_pillow_is_refused_too(demo_file: Path, demo: Bundle) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("a", "b")
    buffer = io.BytesIO()
    Image.fromarray(demo.outer.texels[0]).save(buffer, "PNG", pnginfo=text)
    write_parts(demo_file, parts_of(demo_file) | {"outer.features0.png": buffer.getvalue()})
    with_manifest(demo_file, lambda m: None)
    quickly(demo_file, "more than pixels")


@pytest.mark.parametrize(("side", "used"), [(512, 0.0), (1024, 0.003), (1024, 1.0)])
def test_large_bundles_with_little_in_them_are_read(demo: Bundle, tmp_path: Path, side: int, used: float) -> None:
    file = tmp_path / "large.bundle"
    written = large(demo, 20_000, side, used)
    file.write_bytes(write_bundle(written))
    again = read_bundle(file, trusted=False)
    assert np.array_equal(again.outer.texels, written.outer.texels) and again.faces == written.faces


@pytest.mark.slow
def test_a_bundle_of_the_preset_high_opens_in_time(demo: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "high.bundle"
    for faces, side, seconds in ((160_000, 2048, 5), (2_000_000, 4096, 10)):
        file.write_bytes(write_bundle(large(replace(demo, references=()), faces, side)))
        with at_most(seconds):
            assert read_bundle(file).outer.texels.shape[1] == side

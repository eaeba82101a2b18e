"""Meshes in binary glTF."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from duplex.app.core.errors import DuplexError
from duplex.app.scene import glb
from duplex.app.scene.mesh import Mesh


def mesh(n: int = 50) -> Mesh:
    rng = np.random.default_rng(0)
    return Mesh(
        rng.normal(size=(n, 3)).astype(np.float32),
        rng.random((n, 2)),
        rng.integers(0, n, (max(80, n // 2), 3)),
        rng.random(n).astype(np.float32),
    )


@pytest.mark.parametrize("n", [50, 70000])
def test_round_trip_is_exact_to_16_bits_and_then_exact(n: int) -> None:
    written = mesh(n)
    found = glb.read(glb.write(written), "x")
    assert np.abs(found.positions - written.positions).max() <= np.ptp(written.positions, axis=0).max() / 65535
    assert np.abs(found.uvs - written.uvs).max() <= 1 / 65535
    assert np.array_equal(found.faces, written.faces)
    assert np.abs(found.seen - written.seen).max() <= 1 / 255
    again = glb.read(glb.write(found), "x")
    assert np.array_equal(again.seen, found.seen)
    assert np.array_equal(again.positions, found.positions) and np.array_equal(again.uvs, found.uvs)


def test_another_reader_sees_the_same_mesh() -> None:
    content = glb.write(mesh())
    read = glb.read(content, "x")
    scene = trimesh.load(io.BytesIO(content), file_type="glb", process=False)
    loaded = scene.to_geometry() if isinstance(scene, trimesh.Scene) else scene
    found, wanted = np.asarray(loaded.triangles), read.positions[read.faces]
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, atol=1e-4)


def test_without_values_everything_is_seen() -> None:
    content = glb.write(replace(mesh(), seen=None))
    assert b"_SEEN" not in content and glb.read(content, "x").seen is None


def test_values_of_other_tools_are_read() -> None:
    def as_floats(document: dict) -> None:  # the first positions, whose values are made to fit
        document["accessors"][3].update(componentType=glb.FLOAT, normalized=False, bufferView=4, byteOffset=0)
        document["bufferViews"].append({"buffer": 0, "byteOffset": 0, "byteLength": 200})

    halves = replace(mesh(), positions=np.full((50, 3), 0.5, np.float32) + np.eye(50, 3, dtype=np.float32) * 1e-9)
    with pytest.raises(DuplexError, match="_SEEN"):
        glb.read(patched(as_floats), "x")
    assert (glb.read(patched(as_floats, halves), "x").seen == np.float32(0.5)).all()


def patched(change: object, valid: Mesh | None = None) -> bytes:
    """A file of ``valid`` whose JSON went through ``change``."""
    content = glb.write(valid or mesh())
    size = struct.unpack_from("<I", content, 12)[0]
    document = json.loads(content[20 : 20 + size])
    change(document)  # type: ignore[operator]
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + size :]
    return struct.pack("<IIIII", glb.MAGIC, 2, 20 + len(text) + len(rest), len(text), glb.JSON_CHUNK) + text + rest


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["accessors"][0].update(count=10**9),
        lambda d: d["accessors"][0].update(count=-1),
        lambda d: d["bufferViews"][0].update(byteOffset=-8),
        lambda d: d["bufferViews"][0].update(byteOffset=10**12),
        lambda d: d["bufferViews"][0].update(byteStride=0),
        lambda d: d["bufferViews"][2].update(byteOffset=4),
        lambda d: d["accessors"][0].update(componentType=1),
        lambda d: d["accessors"][1].update(count=3),
        lambda d: d["nodes"][0].update(scale=[float("nan")] * 3),
        lambda d: d["nodes"][0].update(scale=[1]),
        lambda d: d.pop("meshes"),
        lambda d: d["meshes"][0]["primitives"][0].update(indices=99),
        lambda d: d.update(nodes=[]),
        lambda d: d["bufferViews"].__setitem__(0, []),
        lambda d: d["accessors"][2].update(componentType=glb.FLOAT, count=120),
        lambda d: d["accessors"][2].update(normalized=True),
        lambda d: d.update(extras="x" * (2 << 20)),
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(_SEEN=99),
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(_SEEN=0),
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(_SEEN="x"),
        lambda d: d["accessors"][3].update(normalized=False),
        lambda d: d["accessors"][3].update(count=49),
        lambda d: d["accessors"][3].update(count=10**9),
        lambda d: d["accessors"][3].update(type="VEC2"),
        lambda d: d["bufferViews"][3].update(byteOffset=10**6),
    ],
)
def test_lying_headers_are_refused(change: object) -> None:
    with pytest.raises(DuplexError, match="not a triangle mesh"):
        glb.read(patched(change), "x")


def test_garbage_and_truncations_are_refused() -> None:
    content = glb.write(mesh())
    for cut in range(0, len(content), 37):
        with pytest.raises(DuplexError):
            glb.read(content[:cut], "x")

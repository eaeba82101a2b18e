"""Meshes with Draco: positions as they were, readable by others, and wrong files in a sentence."""

from __future__ import annotations

import json

import DracoPy
import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.scene import glb
from duplex.app.scene.codec import draco
from duplex.app.scene.codec.draco import Lattice


def ball(bits: int = 12) -> Lattice:
    """A ball of 800 faces on a lattice of ``bits`` bits, which fills it."""
    v, u = np.mgrid[:21, :20]
    polar, around = v * np.pi / 20, u * 2 * np.pi / 20
    points = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1)
    whole = np.round((points.reshape(-1, 3) + 1) / 2 * ((1 << bits) - 1)).astype(np.uint16)
    corner = (v[:-1] * 20 + u[:-1]).reshape(-1)
    right = (v[:-1] * 20 + (u[:-1] + 1) % 20).reshape(-1)
    faces = np.concatenate([np.stack([corner, corner + 20, right], 1), np.stack([right, corner + 20, right + 20], 1)])
    _, where = np.unique(whole, axis=0, return_inverse=True)
    faces = where.reshape(-1)[faces]
    kept = (faces != np.roll(faces, 1, 1)).all(1)
    return Lattice(np.unique(whole, axis=0), faces[kept].astype(np.int32), 0.001, np.array([1.0, 2.0, 3.0]))


def corners(mesh: Lattice) -> list[tuple[int, ...]]:
    found = mesh.positions[mesh.faces].reshape(-1, 9).astype(int)
    turned = [max(tuple(row[3 * i :]) + tuple(row[: 3 * i]) for i in range(3)) for row in found.tolist()]
    return sorted(turned)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_positions_and_faces_are_as_they_were(bits: int) -> None:
    mesh = ball(bits)
    found = draco.read(draco.write(mesh, bits), "x")
    assert corners(found) == corners(mesh)
    assert found.step == mesh.step and (found.origin == mesh.origin).all() and found.positions.dtype == np.uint16


def test_it_is_glb_as_others_read_it() -> None:
    mesh = ball()
    text, binary = glb.chunks(draco.write(mesh, 12))
    document = json.loads(text)
    assert document["extensionsRequired"] == ["KHR_draco_mesh_compression"]
    assert document["accessors"][0]["max"] == [4095, 4095, 4095]
    found = DracoPy.decode(bytes(binary[: document["bufferViews"][0]["byteLength"]]))
    assert len(found.faces) == document["accessors"][1]["count"] // 3 == len(mesh.faces)


def other(points: np.ndarray) -> bytes:
    content = DracoPy.encode(points, np.array([[0, 1, 2]], np.uint32), quantization_bits=14)
    return glb.container(json.loads(glb.chunks(draco.write(ball(), 12))[0]) | view(content), content)


def view(content: bytes) -> dict:
    return {"bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": len(content)}]}


def test_other_files_are_refused_in_a_sentence() -> None:
    sound = draco.write(ball(), 12)
    document = json.loads(glb.chunks(sound)[0])
    broken = [b"", b"glTF" * 20, sound[:-9], glb.container(document, b"DRACO" * 40)]
    broken += [other(np.array([[0, 0, 0], [0.5, 0, 0], [0, 1e6, 0.3]], np.float32))]
    broken += [other(np.array([[-5, 0, 0], [1, 0, 0], [0, 9, 0]], np.float32))]
    document["nodes"][0]["scale"] = [1, 2, 1]
    broken += [glb.container(document, bytes(glb.chunks(sound)[1]))]
    for content in broken:
        with pytest.raises(DuplexError) as error:
            draco.read(content, "x.glb")
        assert str(error.value).startswith("x.glb: ") and len(str(error.value)) < 300

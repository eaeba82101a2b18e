"""Bundles of a few triangles and texels: with and without references, shared textures, older networks, other rigs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.mutators.media import png

from builders.bundles import seen_from_above
from builders.scenes.balls import wavy_scene
from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.bundle_writer import write_bundle
from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.mesh import Mesh
from duplex.app.scene.network import ConvLayer, NetworkSpec, NetworkWeights
from duplex.app.scene.reference import PHOTO, TEACHER, Reference
from duplex.baking.compression.packing import StorageConfig, as_it_is

SURROUNDINGS = MeshSpace("contracted", (0.1, 0.2, -0.1), 0.5, True, 20.0)
ROOM = {"surrounded": True, "forward": False, "hemisphere": False, "radius": 1.5, "fov": 0.9}
ROOM |= {"center": [0.0, 0, 0], "up": [0.0, 0, 1]}
FRONT = ROOM | {"forward": True, "eye": [0.0, -3, 0], "target": [0.0, 0, 0], "spread": 0.3}
REPORT = {
    "bracketing": 0.3, "seed": 3, "seconds": {"density": 1.5}, "curve": [[0, 1.5], [10, 0.5]],
    "settings": {"density": {"grid": 64, "scan": 32}, "views": {"sub_steps": 2}},
}  # fmt: skip
TEACHER_FACTS = {
    "family": "nerf-pytorch", "sha256": "0" * 64, "near": 2.0, "far": 6.0, "bounds": [[-1.0, -1, -1], [1.0, 1, 1]],
    "principal_shift": 0.1, "space": {"name": "world"}, "dataset_to_world": None, "activation": None,
    "encoding": "ftd",
}  # fmt: skip


def write(folder: Path) -> None:
    """The seeds."""
    plain = bundle(4, 8)
    made: dict[str, Bundle] = {
        "plain": plain,
        "room": replace(bundle(8, 8), rig=ROOM, references=_references()),
        "front": replace(bundle(12, 4), rig=FRONT, references=_references()[:1], double_sided=True),
        "old": replace(bundle(4, 4, deep=True), report={}, teacher={}, cameras=()),
        "seen": seen_from_above(bundle(12, 4)),
        "wide": replace(plain, outer=_shell(1, 8, 900.0), references=_references()[1:]),
    }
    for name, value in made.items():
        _save(folder / "small" / name, value)
    for name, value in {"packed": wavy_scene(32, 8), "packed surroundings": wavy_scene(32, 8, SURROUNDINGS)}.items():
        (folder / "small" / name).mkdir()
        (folder / "small" / name / "scene.bundle").write_bytes(as_it_is(value, StorageConfig(2.0, 10)))
    for name, value in {"large": bundle(12, 64), "room": replace(bundle(4, 32), rig=ROOM)}.items():
        _save(folder / "large" / name, value)


def _save(folder: Path, value: Bundle) -> None:
    folder.mkdir()
    (folder / "scene.bundle").write_bytes(write_bundle(value))


def bundle(features: int, side: int, deep: bool = False) -> Bundle:
    """A bundle of two small balls, with ``features`` channels and textures of ``side`` texels."""
    spec = NetworkSpec.shallow(features, 4)
    if features == 12:  # of format 2
        spec = replace(spec, reference=ReferenceView((0.0, 0.5, 1.0), 3.0, 200.0))
    if deep:
        layers = (ConvLayer(3, 2 * features + 8, 4, "relu"), ConvLayer(3, 4, 16, "none"))
        spec = NetworkSpec(features, layers, channels_to_space=2)
    rng = np.random.default_rng(5)
    shapes = [(x.outputs, x.inputs, x.kernel, x.kernel) for x in spec.layers]
    weights = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)
    network = NetworkWeights(
        (weights[0] * spec.taps(), *weights[1:]), tuple(np.zeros(s[0], np.float32) for s in shapes)
    )
    return Bundle(
        _shell(features // 4, side, 1.0), _shell(features // 4, side, 0.8), spec, network, cameras=_cameras(),
        rig=ROOM | {"surrounded": False}, report=REPORT, teacher=TEACHER_FACTS, thumbnail=png(((b"IHDR", b"\0" * 13),)),
        onnx=b"x" * 40,
    )  # fmt: skip


def _shell(textures: int, side: int, size: float) -> BundleShell:
    corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32) * size
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]], np.int32)
    rng = np.random.default_rng(7)
    texels = rng.integers(0, 4, (textures, side, side, 4)).astype(np.uint8)
    uvs = rng.uniform(0, 1, (6, 2)).astype(np.float32)
    scale, offset = np.ones(4 * textures, np.float32), np.zeros(4 * textures, np.float32)
    return BundleShell(Mesh(corners, uvs, faces), texels, scale, offset)


def _pose(angle: float) -> Array:
    return look_at(np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.0]), np.zeros(3), np.array([0.0, 0, 1]))


def _cameras() -> tuple[Camera, ...]:
    return tuple(Camera.from_fov(_pose(float(i)), 80, 60, 0.7) for i in range(3))


def _references() -> tuple[Reference, ...]:
    cameras: list[Any] = [
        (TEACHER, Camera.from_fov(_pose(0), 6, 4, 0.7)),
        (PHOTO, Camera.from_fov(_pose(1), 3, 5, 0.7)),
    ]
    return tuple(Reference(kind, c, np.full((c.height, c.width, 4), 99, np.uint8)) for kind, c in cameras)

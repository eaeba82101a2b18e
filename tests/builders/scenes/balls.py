"""A small scene whose atlas is one of the bake's: two wavy balls with smooth features."""

from __future__ import annotations

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.mesh import Mesh
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.baking.geometry.atlas import AtlasConfig, unwrap

WORLD = MeshSpace()


def wavy_ball(space: MeshSpace = WORLD, texels: int = 256, size: float = 1.5, rings: int = 40) -> Mesh:
    """A ball with waves, in the world, unwrapped in ``space``; what is low was not seen."""
    around_it = 3 * rings // 2
    v, u = np.mgrid[: rings + 1, :around_it]
    polar, around = v * np.pi / rings, u * 2 * np.pi / around_it
    radius = size + 0.1 * np.sin(5 * polar) * np.cos(6 * around)
    points = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1)
    flat = (radius[..., None] * points).reshape(-1, 3)
    row, column = v[1:-2] * around_it, u[1:-2]
    corner, right = (row + column).reshape(-1), (row + (column + 1) % around_it).reshape(-1)
    below, beside = corner + around_it, right + around_it
    faces = np.concatenate([np.stack([corner, below, right], 1), np.stack([right, below, beside], 1)])
    empty = np.zeros((len(flat), 2), np.float32)
    shell = unwrap(Mesh(flat.astype(np.float32), empty, faces.astype(np.int32)), AtlasConfig(texels))
    world = space.to_world(shell.positions.astype(np.float64)).astype(np.float32)
    return Mesh(world, shell.uvs, shell.faces, (shell.positions[:, 2] > 0).astype(np.float32))


def wavy_scene(texels: int = 64, rings: int = 16, space: MeshSpace = WORLD) -> Bundle:
    """A bundle of two balls with 8 features."""
    spec = NetworkSpec.shallow(8, 4)
    rng = np.random.default_rng(5)
    shapes = [(x.outputs, x.inputs, x.kernel, x.kernel) for x in spec.layers]
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    weights[0] = (weights[0] * spec.taps()).astype(np.float32)
    biases = tuple(np.zeros(shape[0], np.float32) for shape in shapes)
    shells = [
        BundleShell(
            wavy_ball(space, texels, size, rings),
            _smooth(texels, i),
            np.full(8, 2, np.float32),
            -np.ones(8, np.float32),
        )
        for i, size in enumerate((1.5, 1.3))
    ]
    eye = look_at(np.array([4.0, 1, 1]), np.zeros(3), np.array([0.0, 0, 1]))
    cameras = tuple(Camera.from_fov(eye, 80, side, 0.7) for side in (60, 80))
    rig = {"center": [0.0, 0, 0], "radius": 4.0, "up": [0.0, 0, 1], "hemisphere": True, "fov": 0.7}
    return Bundle(shells[0], shells[1], spec, NetworkWeights(tuple(weights), biases), cameras=cameras, rig=rig)


def _smooth(side: int, seed: int) -> Array:
    """Texels (2, side, side, 4) of sums of waves."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin(2 * np.pi * (a * x + b * y) + c) for a, b, c in rng.uniform(-4, 4, (24, 3))]
    values = np.tensordot(rng.normal(size=(8, 24)), np.stack(waves), 1)
    texels = (128 + 20 * values).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(texels.reshape(2, 4, side, side).transpose(0, 2, 3, 1))

"""The bundle in memory: the two textured shells, the network, the cameras and metadata (docs/bundle.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import Mesh
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.app.scene.reference import Reference

VERSION = 2  # of the bundle format
WEIGHTS = "shading.safetensors"  # the part of the network
SHELLS = ("outer", "inner")
MAX_TEXTURE_SIDE = 4096  # texels


@dataclass(frozen=True)
class BundleShell:
    """One shell of the duplex mesh and its quantised feature textures.

    Feature ``4 i + c`` at a point is ``offset + scale * texel / 255``, with channel ``c`` of texture ``i`` there.

    * ``mesh``: float32 positions, world; float32 uvs; int32 faces.
    * ``texels``: (textures, height, width, 4) uint8; row 0 is at ``v = 0``.
    * ``scale``, ``offset``: (4 * textures,) float32.
    """

    mesh: Mesh
    texels: Array
    scale: Array
    offset: Array


@dataclass(frozen=True)
class Bundle:
    """A baked scene.

    * ``double_sided``: whether back faces count as surface.
    * ``background``: RGB in [0, 1], the background of the teacher's training.
    * ``up``: (3,) unit vector, world.
    * ``to_checkpoint``, ``to_dataset``: (4, 4) float64, from the bundle's world to the coordinate frame of the
      checkpoint and of the dataset's files.
    * ``cameras``: the presets, then the dataset's cameras.
    * ``rig``: JSON object with the placement of the training cameras (:mod:`duplex.app.scene.orbits`).
    * ``teacher``, ``report``: JSON objects with the provenance of the checkpoint and the statistics of the bake.
    * ``thumbnail``: PNG file; ``onnx``: the same network as an ONNX model; each empty if absent.
    * ``references``: images of the scene from known cameras, to compare with.
    """

    outer: BundleShell
    inner: BundleShell
    network: NetworkSpec
    weights: NetworkWeights
    double_sided: bool = False
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    to_checkpoint: Array = field(default_factory=lambda: np.eye(4))
    to_dataset: Array = field(default_factory=lambda: np.eye(4))
    cameras: tuple[Camera, ...] = ()
    rig: dict[str, Any] = field(default_factory=dict)
    teacher: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    thumbnail: bytes = b""
    onnx: bytes = b""
    references: tuple[Reference, ...] = ()

    @property
    def shells(self) -> tuple[BundleShell, BundleShell]:
        """The outer and the inner one."""
        return self.outer, self.inner

    @cached_property
    def bounds(self) -> Array:
        """Bounding box of both shells: its low and high corner, (2, 3) float64, world."""
        points = np.concatenate([self.outer.mesh.positions, self.inner.mesh.positions])
        return np.stack([points.min(0), points.max(0)]).astype(np.float64)

    def camera(self, index: int) -> Camera:
        """Camera ``index`` of :attr:`cameras`, counted from 0; raises :class:`DuplexError` if it is out of range."""
        if not 0 <= index < len(self.cameras):
            has = f"cameras 0 to {len(self.cameras) - 1}" if self.cameras else "no cameras"
            raise DuplexError(f"camera {index}: this bundle has {has}")
        return self.cameras[index]

    @property
    def faces(self) -> int:
        """Number of triangles of both shells together."""
        return len(self.outer.mesh.faces) + len(self.inner.mesh.faces)

    @property
    def texels(self) -> int:
        """Number of atlas texels of both shells together, whatever the number of textures."""
        return int(sum(np.prod(shell.texels.shape[1:3]) for shell in (self.outer, self.inner)))

"""A whole bundle in few bytes: every part stored as :mod:`duplex.app.scene.codec` reads it (docs/bundle.md)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import moderngl
import numpy as np
from PIL import Image
from safetensors import numpy as safetensors

from duplex.app.core.apart import trusting
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.app.render.backends.onnx_model import network_to_onnx
from duplex.app.render.gpu import create_headless_context
from duplex.app.render.renderer import Renderer
from duplex.app.scene import glb
from duplex.app.scene.archive import REMEDY, pack
from duplex.app.scene.bundle import SHELLS, VERSION, WEIGHTS, Bundle
from duplex.app.scene.bundle_writer import Parts, add_reference, manifest_of, texture_facts
from duplex.app.scene.camera import Camera
from duplex.app.scene.codec import shell_mesh
from duplex.app.scene.codec.features import PackedFeatures
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.mesh import Mesh
from duplex.app.scene.network import NetworkWeights
from duplex.app.scene.reference import Reference
from duplex.baking.compression.features import unpacked_of
from duplex.baking.compression.geometry import compress_mesh
from duplex.baking.distill.export import THUMBNAIL
from duplex.baking.fields.spaces import Contracted, Ndc, Space, from_json
from duplex.baking.settings import as_number, setting

LEAST_STEP, MOST_STEP = 0.1, 30.0  # that are tried for a number of bytes
TRIALS = 8
MOST_MEGABYTES = 1000
WEIGHT_STEPS = 255  # of a weight's size in its output's largest
DIGITS = 6  # of cameras' numbers
THUMBNAIL_QUALITY = 75


@dataclass(frozen=True)
class StorageConfig:
    """How coarsely a bundle is stored."""

    feature_step: float = setting(
        1.0, "quantisation step of features, in what the network's first layer gives", low=0.01, high=100
    )
    position_bits: int = setting(11, "bits of a vertex's coordinate", low=8, high=16)
    references: int = setting(
        0, "pictures of the teacher that a small bundle keeps, which the viewer compares with", low=0, high=16
    )


class StoredMesh(NamedTuple):
    """The ``parts`` of a shell's mesh, what the manifest says of them, and the ``mesh`` that is read from them."""

    parts: Parts
    entry: dict[str, Any]
    mesh: Mesh


class Compression:
    """A bundle that is stored in few bytes, with few of its reference pictures; the slow parts are made once."""

    def __init__(self, bundle: Bundle, config: StorageConfig, ctx: moderngl.Context):
        self.bundle = bundle
        self.pictures = Parts()
        kept = spread(bundle.references, config.references)
        self.references = [add_reference(self.pictures, i, each, lossy=True) for i, each in enumerate(kept)]
        space = mesh_space(_space_of(bundle), [shell.mesh for shell in bundle.shells])
        self.meshes = [
            store_mesh(shell.mesh, shell.texels.shape[1], config.position_bits, space, name)
            for name, shell in zip(SHELLS, bundle.shells, strict=True)
        ]
        self.thumbnail = _thumbnail(ctx, bundle, "WEBP")

    @property
    def fixed(self) -> int:
        """The bytes of all parts but the features."""
        return len(self.file([]))

    def file(self, features: Sequence[PackedFeatures], bundle: Bundle | None = None) -> bytes:
        """The bytes of the bundle's file of format 2 with ``features`` of both shells.

        ``bundle``: what has learned since, with the same meshes.
        """
        bundle = bundle or self.bundle
        parts, coarse, fine = Parts(), Parts(), Parts()
        shells = {}
        for name, shell, mesh in zip(SHELLS, bundle.shells, self.meshes, strict=True):
            parts |= mesh.parts
            shells[name] = mesh.entry | texture_facts(shell)
        for name, packed in zip(SHELLS, features, strict=False):
            names = {part: f"{name}.{part}" for part in ("model", "coarse", "fine")}
            contents = dict(zip(names.values(), packed.write(), strict=True))
            fine[names["fine"]] = contents.pop(names["fine"])
            coarse |= contents
            shells[name] |= {"features": {"codec": "wavelet"} | names}
        parts[WEIGHTS] = _weights(bundle.weights)
        about = {
            "cameras.json": _compact({"rig": bundle.rig, "cameras": [_rounded(c) for c in bundle.cameras]}),
            "report.json": _compact(bundle.report),
            "thumbnail.webp": self.thumbnail,
        }
        manifest = manifest_of(bundle, VERSION, shells, self.references) | {"thumbnail": "thumbnail.webp"}
        return pack(manifest, parts | coarse | about | fine | self.pictures)

    def file_within(
        self,
        features: Callable[[float], list[PackedFeatures]],
        step: float,
        megabytes: float | None,
        bundle: Bundle | None = None,
    ) -> bytes:
        """The bytes of a file of at most ``megabytes``, if they are given, with the smallest step from ``step`` on.

        ``features``: of both shells, quantised in a step; ``bundle``: as for :meth:`file`. Raises :class:`DuplexError`
        if no step makes it so small.
        """
        file = self.file(features(step), bundle)
        if megabytes is None or len(file) <= 1e6 * megabytes:
            return file
        low, high = step, MOST_STEP
        best = self.file(features(high), bundle)
        if len(best) > 1e6 * megabytes:
            raise DuplexError(
                f"--megabytes {megabytes:g}: this scene takes {len(best) / 1e6:.2f} MB however coarse its features "
                "are: expected more, fewer --position-bits, or a bake with fewer --faces"
            )
        for _ in range(TRIALS):
            step = float(np.sqrt(low * high))
            file = self.file(features(step), bundle)
            if len(file) <= 1e6 * megabytes:
                high, best = step, file
            else:
                low = step
        return best


def spread(references: Sequence[Reference], count: int) -> list[Reference]:
    """At most ``count`` of the ``references``, evenly spread."""
    chosen = np.linspace(0, len(references) - 1, min(count, len(references))).round().astype(int)
    return [references[i] for i in chosen]


def as_it_is(bundle: Bundle, config: StorageConfig, megabytes: float | None = None) -> bytes:
    """The bytes of a small file of ``bundle`` that has not learned to be small, of at most ``megabytes``."""
    compression = Compression(bundle, config, create_headless_context())
    unpacked = unpacked_of(bundle.shells, bundle.weights)
    step = LEAST_STEP if megabytes else config.feature_step
    return compression.file_within(lambda step: [each.packed(step) for each in unpacked], step, megabytes)


def checked_megabytes(megabytes: float | None, uncompressed: bool = False) -> float | None:
    """``megabytes``, None for no limit; raises :class:`DuplexError` for what is no size of a small bundle."""
    if megabytes is None:
        return None
    if not 0 < as_number("megabytes", megabytes, float) <= MOST_MEGABYTES:
        raise DuplexError(f"--megabytes {megabytes:g}: expected more than 0 and at most {MOST_MEGABYTES}")
    if uncompressed:
        raise DuplexError(f"--megabytes {megabytes:g}: nothing that --uncompressed can keep: expected one of the two")
    return megabytes


def expanded(bundle: Bundle) -> Bundle:
    """``bundle`` with the parts that a small file leaves out because they follow from others."""
    onnx = bundle.onnx or network_to_onnx(bundle.network, bundle.weights)
    return replace(bundle, onnx=onnx, thumbnail=_thumbnail(create_headless_context(), bundle, "PNG"))


def store_mesh(mesh: Mesh, texels: int, bits: int, space: MeshSpace, name: str) -> StoredMesh:
    """The parts of a shell's ``mesh`` with a texture of ``texels`` a side; ``bits``: of a vertex's coordinate."""
    found = compress_mesh(mesh, bits, space, texels)
    if found is None:
        content = glb.write(mesh)
        entry: dict[str, Any] = {"mesh": f"{name}.glb"}
        parts, stored = {entry["mesh"]: content}, glb.read(content, name)
    else:
        entry = {"mesh": f"{name}.glb", "charts": f"{name}.charts", "space": space.to_json()}
        parts = dict(zip((entry["mesh"], entry["charts"]), found, strict=True))
        with trusting(True):
            stored = shell_mesh.read(*found, space, name)
    return StoredMesh(parts, entry | {"vertices": len(stored.positions), "faces": len(stored.faces)}, stored)


def stored_meshes(meshes: Sequence[Mesh], space: Space, texels: int, bits: int) -> list[Mesh]:
    """What is read of both shells' ``meshes``, of a teacher in ``space``; otherwise as for :func:`store_mesh`."""
    lattice = mesh_space(space, meshes)
    return [store_mesh(mesh, texels, bits, lattice, "shell").mesh for mesh in meshes]


def mesh_space(space: Space, meshes: Sequence[Mesh]) -> MeshSpace:
    """The space in which ``meshes`` were unwrapped, for a teacher in ``space``, as far as they reach."""
    if not isinstance(space, Contracted | Ndc):
        return MeshSpace()
    return space.of_meshes.reaching(np.concatenate([mesh.positions for mesh in meshes]).astype(np.float64))


def _space_of(bundle: Bundle) -> Space:
    """The space of the bundle's teacher, by what it says of it."""
    return from_json(Node(bundle.teacher.get("space"), "teacher: space", REMEDY))


def _weights(weights: NetworkWeights) -> bytes:
    """The weights as whole numbers of a scale for each output, and the biases as they are."""
    tensors: dict[str, Array] = {}
    for i, (weight, bias) in enumerate(zip(weights.weights, weights.biases, strict=True)):
        scale = np.maximum(np.abs(weight).max((1, 2, 3)), 1e-12) / WEIGHT_STEPS
        tensors[f"layers.{i}.weight"] = np.round(weight / scale.reshape(-1, 1, 1, 1)).astype(np.int16)
        tensors[f"layers.{i}.scale"] = scale.astype(np.float32)
        tensors[f"layers.{i}.bias"] = bias
    return bytes(safetensors.save(tensors))


def _rounded(camera: Camera) -> dict[str, Any]:
    """A camera's object with short numbers."""

    def short(value: Any) -> Any:
        if isinstance(value, list):
            return [short(each) for each in value]
        return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value

    return {key: short(value) for key, value in camera.to_json().items()}


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _thumbnail(ctx: moderngl.Context, bundle: Bundle, kind: str) -> bytes:
    """A small picture from the first camera, drawn anew: nothing is decoded that came with the bundle."""
    if not bundle.cameras:
        return b""
    drawn = Renderer(ctx, bundle).image(bundle.cameras[0].resized(*THUMBNAIL))
    buffer = io.BytesIO()
    Image.fromarray(drawn[..., :3]).save(buffer, kind, quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()

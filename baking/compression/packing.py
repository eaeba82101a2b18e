"""A whole bundle in few bytes: every part stored as :mod:`duplex.app.scene.codec` reads it (docs/bundle.md)."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image
from safetensors import numpy as safetensors

from duplex.app.core.apart import trusting
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.app.render.backends.onnx_model import network_to_onnx
from duplex.app.render.offscreen import render
from duplex.app.scene import glb
from duplex.app.scene.archive import REMEDY, pack
from duplex.app.scene.bundle import SHELLS, VERSION, Bundle, BundleShell
from duplex.app.scene.bundle_writer import Parts, manifest_of, texture_facts
from duplex.app.scene.camera import Camera
from duplex.app.scene.codec import shell_mesh
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.network import NetworkWeights
from duplex.baking.compression.features import Unpacked
from duplex.baking.compression.geometry import compress_mesh
from duplex.baking.distill.export import THUMBNAIL
from duplex.baking.fields.spaces import Contracted, Ndc, from_json
from duplex.baking.settings import setting

LEAST_STEP, MOST_STEP = 0.1, 30.0  # that are tried for a number of bytes
TRIALS = 8
WEIGHT_STEPS = 511  # of a weight's size in its output's largest
DIGITS = 6  # of cameras' numbers
THUMBNAIL_QUALITY = 75


@dataclass(frozen=True)
class StorageConfig:
    """How coarsely a bundle is stored."""

    step: float = setting(
        1.0, "quantisation step of features, in what the network's first layer gives", low=0.01, high=100
    )
    position_bits: int = setting(12, "bits of a vertex's coordinate", low=8, high=16)


@dataclass(frozen=True)
class CompressionConfig:
    """The settings of a compression."""

    storage: StorageConfig = field(default_factory=StorageConfig)


def compress(bundle: Bundle, config: StorageConfig, megabytes: float | None = None) -> bytes:
    """The bytes of a small file of ``bundle``: of at most ``megabytes``, or with the step of ``config``.

    Raises :class:`DuplexError` if no step makes it so small.
    """
    compression = Compression(bundle, config.position_bits)
    if megabytes is None:
        return compression.file(config.step)
    low, high = LEAST_STEP, MOST_STEP
    best = compression.file(high)
    if len(best) > 1e6 * megabytes:
        raise DuplexError(
            f"--megabytes {megabytes:g}: this scene takes {len(best) / 1e6:.2f} MB however coarse its features are: "
            "expected more, fewer --position-bits, or a bake with fewer --faces"
        )
    for _ in range(TRIALS):
        step = float(np.sqrt(low * high))
        file = compression.file(step)
        if len(file) <= 1e6 * megabytes:
            high, best = step, file
        else:
            low = step
    return best


def expanded(bundle: Bundle) -> Bundle:
    """``bundle`` with the parts that a small file leaves out because they follow from others."""
    onnx = bundle.onnx or network_to_onnx(bundle.network, bundle.weights)
    return replace(bundle, onnx=onnx, thumbnail=_thumbnail(bundle, "PNG"))


class Compression:
    """A bundle that is stored in few bytes, without its reference pictures; the slow parts of that are made once."""

    def __init__(self, bundle: Bundle, position_bits: int):
        self.bundle = bundle
        count = bundle.network.feature_channels
        layer = bundle.weights.weights[0]
        shells = (bundle.outer, bundle.inner)
        self.features = [Unpacked(shell, layer[:, i * count : (i + 1) * count]) for i, shell in enumerate(shells)]
        space = _space_of(bundle)
        self.meshes = [
            _mesh_parts(shell, position_bits, space, name) for name, shell in zip(SHELLS, shells, strict=True)
        ]

        self.about = {
            "cameras.json": _compact({"rig": bundle.rig, "cameras": [_rounded(c) for c in bundle.cameras]}),
            "report.json": _compact(bundle.report),
            "thumbnail.webp": _thumbnail(bundle, "WEBP"),
        }

    def file(self, step: float) -> bytes:
        """The bytes of the bundle's file of format 2, with features quantised in ``step``."""
        bundle = self.bundle
        parts, coarse, fine = Parts(), Parts(), Parts()
        shells = {}
        shapes = zip(SHELLS, (bundle.outer, bundle.inner), self.meshes, self.features, strict=True)
        for name, shell, (mesh, entry), features in shapes:
            names = {part: f"{name}.{part}" for part in ("model", "coarse", "fine")}
            contents = dict(zip(names.values(), features.packed(step).write(), strict=True))
            fine[names["fine"]] = contents.pop(names["fine"])
            coarse |= contents
            parts |= mesh
            shells[name] = entry | texture_facts(shell) | {"features": {"codec": "wavelet"} | names}
        parts["shading.safetensors"] = _weights(bundle.weights)
        manifest = manifest_of(bundle, VERSION, shells, []) | {"thumbnail": "thumbnail.webp"}
        return pack(manifest, parts | coarse | self.about | fine)


def _mesh_parts(shell: BundleShell, bits: int, space: MeshSpace, name: str) -> tuple[Parts, dict[str, Any]]:
    """The parts of a shell's mesh, and what the manifest says of them."""
    found = compress_mesh(shell.mesh, bits, space, shell.texels.shape[1])
    if found is None:
        content = glb.write(shell.mesh)
        counts = {"vertices": len(shell.mesh.positions), "faces": len(shell.mesh.faces)}
        return {f"{name}.glb": content}, {"mesh": f"{name}.glb"} | counts
    with trusting(True):
        mesh = shell_mesh.read(*found, space, name)
    entry: dict[str, Any] = {"mesh": f"{name}.glb", "charts": f"{name}.charts", "space": space.to_json()}
    entry |= {"vertices": len(mesh.positions), "faces": len(mesh.faces)}
    return dict(zip((entry["mesh"], entry["charts"]), found, strict=True)), entry


def _space_of(bundle: Bundle) -> MeshSpace:
    """The space in which the shells were unwrapped, by what the bundle says of its teacher, as far as they reach."""
    space = from_json(Node(bundle.teacher.get("space"), "teacher: space", REMEDY))
    if not isinstance(space, Contracted | Ndc):
        return MeshSpace()
    points = np.concatenate([shell.mesh.positions for shell in (bundle.outer, bundle.inner)]).astype(np.float64)
    return space.of_meshes.reaching(points)


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


def _thumbnail(bundle: Bundle, kind: str) -> bytes:
    """A small picture from the first camera, drawn anew: nothing is decoded that came with the bundle."""
    if not bundle.cameras:
        return b""
    buffer = io.BytesIO()
    picture = Image.fromarray(np.asarray(render(bundle, 0, size=THUMBNAIL))[..., :3])
    picture.save(buffer, kind, quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()

"""The bundle: everything the viewer draws, in one file (docs/bundle.md)."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene import glb
from duplex.app.scene.archive import Archive, pack
from duplex.app.scene.camera import Camera
from duplex.app.scene.checked_values import flag, floats, frame, triple
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.app.scene.reference import MAX_REFERENCE_SIDE, PHOTO, TEACHER, Reference

VERSION = 1
MAX_TEXELS_SIDE = 8192
MAX_CAMERAS = 4096
MAX_REFERENCES = 16
MAX_MESH_BYTES, MAX_WEIGHTS_BYTES, MAX_THUMBNAIL_BYTES = 1 << 28, 1 << 23, 1 << 22
SHELLS = ("outer", "inner")


@dataclass(frozen=True)
class BundleShell:
    """A shell with its features.

    ``positions`` (v, 3), ``uvs`` (v, 2) float32; ``faces`` (f, 3) int32; ``texels`` (textures, height, width, 4)
    uint8, row 0 at v = 0; ``scale``, ``offset`` (4 * textures,): feature = offset + scale * texel / 255.
    """

    positions: Array
    uvs: Array
    faces: Array
    texels: Array
    scale: Array
    offset: Array


@dataclass(frozen=True)
class Bundle:
    """A baked scene.

    ``double_sided``: whether backs of faces count as surface; ``background``: RGB in [0, 1] that the teacher was
    trained against; ``up``: unit (3,); ``to_checkpoint``:
    (4, 4), the bundle's world to the frame of the checkpoint's own numbers; ``to_dataset``: (4, 4), to the frame of
    the dataset's files; ``cameras``: presets, then the dataset's; ``teacher``,
    ``report``: JSON objects about where the bundle comes from; ``thumbnail``: PNG; ``onnx``: the network again;
    ``references``: what the scene should look like from some cameras.
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

    @cached_property
    def bounds(self) -> Array:
        """World box around both shells, (2, 3)."""
        points = np.concatenate([self.outer.positions, self.inner.positions])
        return np.stack([points.min(0), points.max(0)]).astype(np.float64)

    def camera(self, index: int) -> Camera:
        """Camera ``index`` of :attr:`cameras`, from 0; raises :class:`DuplexError` where there is none."""
        if not 0 <= index < len(self.cameras):
            has = f"cameras 0 to {len(self.cameras) - 1}" if self.cameras else "no cameras"
            raise DuplexError(f"camera {index}: this bundle has {has}")
        return self.cameras[index]

    @property
    def faces(self) -> int:
        """Triangles of both shells."""
        return len(self.outer.faces) + len(self.inner.faces)

    @property
    def texels(self) -> int:
        """Texels of both shells, each counted once however many features it holds."""
        return int(sum(np.prod(shell.texels.shape[1:3]) for shell in (self.outer, self.inner)))


def write_bundle(bundle: Bundle) -> bytes:
    """The bundle as the bytes of one file."""
    parts: dict[str, bytes] = {}
    shells = {}
    for name, shell in zip(SHELLS, (bundle.outer, bundle.inner), strict=True):
        textures = [f"{name}.features{i}.png" for i in range(len(shell.texels))]
        parts[f"{name}.glb"] = glb.write(shell.positions, shell.uvs, shell.faces)
        for file, texels in zip(textures, shell.texels, strict=True):
            parts[file] = _png(texels)
        shells[name] = {
            "mesh": f"{name}.glb",
            "vertices": len(shell.positions),
            "faces": len(shell.faces),
            "textures": textures,
            "texture_size": [shell.texels.shape[2], shell.texels.shape[1]],
            "scale": [float(x) for x in shell.scale],
            "offset": [float(x) for x in shell.offset],
        }
    tensors: dict[str, Array] = {}
    for i, (weight, bias) in enumerate(zip(bundle.weights.weights, bundle.weights.biases, strict=True)):
        tensors |= {f"layers.{i}.weight": np.ascontiguousarray(weight), f"layers.{i}.bias": np.ascontiguousarray(bias)}
    parts["shading.safetensors"] = safetensors.save(tensors)
    parts["shading.onnx"] = bundle.onnx
    cameras = {"rig": bundle.rig, "cameras": [camera.to_json() for camera in bundle.cameras]}
    parts["cameras.json"] = json.dumps(cameras).encode()
    parts["report.json"] = json.dumps(bundle.report, indent=1).encode()
    parts["thumbnail.png"] = bundle.thumbnail
    references = []
    for i, reference in enumerate(bundle.references):
        file = f"reference{i}.png"
        parts[file] = _png(reference.rgba)
        references.append({"kind": reference.kind, "picture": file, "camera": reference.camera.to_json()})
    manifest = {
        "format": "duplex",
        "version": VERSION,
        "shells": shells,
        "double_sided": bundle.double_sided,
        "network": bundle.network.to_json(),
        "scene": {
            "background": list(bundle.background),
            "up": list(bundle.up),
            "to_checkpoint": [float(x) for x in bundle.to_checkpoint.reshape(-1)],
            "to_dataset": [float(x) for x in bundle.to_dataset.reshape(-1)],
        },
        "teacher": bundle.teacher,
        "references": references,
    }
    return pack(manifest, parts)


def read_bundle(path: str | Path) -> Bundle:
    """Read and check the bundle at ``path``; raises :class:`DuplexError` for a missing file or an unsound bundle."""
    path = Path(path)
    if not path.is_file():
        raise DuplexError(f"{path}: no such file: expected a bundle made by duplex-bake")
    with Archive(path) as archive:
        manifest = archive.manifest()
        version = manifest.get("version")
        if type(version) is not int or not 1 <= version <= VERSION:
            raise DuplexError(
                f"{path}: format {version!r:.40}, this viewer reads {VERSION}: update duplex or bake again"
            )
        try:
            return _read(archive, manifest, str(path))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            raise DuplexError(
                f"{path}: manifest.json: {type(error).__name__} {error}: a damaged bundle; bake again"
            ) from None


def _read(archive: Archive, manifest: dict[str, Any], name: str) -> Bundle:
    network = NetworkSpec.from_json(manifest["network"], f"{name}: network")
    outer, inner = (_shell(archive, manifest["shells"][s], network, f"{name}: {s}") for s in SHELLS)
    scene = manifest["scene"]
    if abs(float(np.linalg.norm(floats(scene["up"], 3))) - 1) > 1e-3:
        raise ValueError("scene.up is no unit vector")
    if min(len(np.unique(shell.positions, axis=0)) for shell in (outer, inner)) < 3:
        raise ValueError("a shell has no extent")
    cameras = archive.json("cameras.json")
    if len(cameras["cameras"]) > MAX_CAMERAS:
        raise DuplexError(f"{name}: {len(cameras['cameras'])} cameras: at most {MAX_CAMERAS}")
    return Bundle(
        outer,
        inner,
        network,
        _weights(archive, network, f"{name}: shading.safetensors"),
        double_sided=flag(manifest.get("double_sided", True), "double_sided"),
        background=triple(scene["background"]),
        up=triple(scene["up"]),
        to_checkpoint=frame(scene["to_checkpoint"]),
        to_dataset=frame(scene.get("to_dataset", np.eye(4))),
        cameras=tuple(Camera.from_json(c, f"{name}: camera {i}") for i, c in enumerate(cameras["cameras"])),
        rig=dict(cameras["rig"]),
        teacher=dict(manifest["teacher"]),
        report=_report(archive.json("report.json")),
        thumbnail=archive.read("thumbnail.png", MAX_THUMBNAIL_BYTES),
        onnx=archive.read("shading.onnx", MAX_WEIGHTS_BYTES),
        references=_references(archive, manifest.get("references", []), name),
    )


def _references(archive: Archive, entries: list[dict[str, Any]], name: str) -> tuple[Reference, ...]:
    if len(entries) > MAX_REFERENCES:
        raise DuplexError(f"{name}: {len(entries)} reference pictures: at most {MAX_REFERENCES}")
    found = []
    for i, entry in enumerate(entries):
        kind, camera = entry["kind"], Camera.from_json(entry["camera"], f"{name}: reference {i}")
        if kind not in (TEACHER, PHOTO):
            raise ValueError(f"reference {i} is neither of the teacher nor a photo")
        size = (camera.width, camera.height)
        if max(size) > MAX_REFERENCE_SIDE:
            raise DuplexError(f"{name}: reference {i}: {size[0]} x {size[1]}: at most {MAX_REFERENCE_SIDE} a side")
        rgba = _rgba(archive.read(entry["picture"], _png_limit(size)), size, f"{name}: {entry['picture']}")
        found.append(Reference(kind, camera, rgba))
    return tuple(found)


def _shell(archive: Archive, entry: dict[str, Any], network: NetworkSpec, name: str) -> BundleShell:
    positions, uvs, faces = glb.read(archive.read(entry["mesh"], MAX_MESH_BYTES), f"{name}: {entry['mesh']}")
    if (len(positions), len(faces)) != (entry["vertices"], entry["faces"]):
        raise DuplexError(
            f"{name}: {len(positions)} vertices and {len(faces)} faces where the manifest states "
            f"{entry['vertices']} and {entry['faces']}: a damaged or forged bundle"
        )
    width, height = (int(x) for x in entry["texture_size"])
    if not (1 <= width <= MAX_TEXELS_SIDE and 1 <= height <= MAX_TEXELS_SIDE):
        raise DuplexError(f"{name}: textures of {width} x {height}: expected 1 to {MAX_TEXELS_SIDE} texels a side")
    count = network.feature_channels // 4
    if len(entry["textures"]) != count:
        raise DuplexError(f"{name}: {len(entry['textures'])} feature textures: the network takes {count}")
    size = (width, height)
    texels = np.stack([_rgba(archive.read(x, _png_limit(size)), size, f"{name}: {x}") for x in entry["textures"]])
    return BundleShell(
        positions,
        uvs,
        faces,
        texels,
        floats(entry["scale"], 4 * count).astype(np.float32),
        floats(entry["offset"], 4 * count).astype(np.float32),
    )


def _rgba(content: bytes, size: tuple[int, int], name: str) -> Array:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.size != size or image.mode != "RGBA":
                raise DuplexError(
                    f"{name}: {image.mode} of {image.size[0]} x {image.size[1]}: the manifest states "
                    f"RGBA of {size[0]} x {size[1]}: a damaged or forged bundle"
                )
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise DuplexError(f"{name}: not a PNG image: a damaged bundle; bake again") from None


def _png_limit(size: tuple[int, int]) -> int:
    """Bytes that no PNG of RGBA pixels needs more of: they may not compress, and have a header and notes."""
    return 5 * size[0] * size[1] + (1 << 20)


def _png(texels: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(texels, "RGBA").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _weights(archive: Archive, network: NetworkSpec, name: str) -> NetworkWeights:
    try:
        tensors = safetensors.load(archive.read("shading.safetensors", MAX_WEIGHTS_BYTES))
        layers = range(len(network.layers))
        weights = NetworkWeights(
            tuple(tensors[f"layers.{i}.weight"].astype(np.float32) for i in layers),
            tuple(tensors[f"layers.{i}.bias"].astype(np.float32) for i in layers),
        )
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise DuplexError(f"{name}: not the weights of this network: a damaged bundle; bake again") from None
    weights.check(network, name)
    return weights


def _report(report: Any) -> dict[str, Any]:
    bracketing = report.get("bracketing")
    if bracketing is not None and not (isinstance(bracketing, float | int) and 0 <= bracketing <= 1):
        raise ValueError("report.json: bracketing is no share")
    return dict(report)

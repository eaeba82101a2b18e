"""Bundle reader: checks every value of the file before use (docs/bundle.md)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene import glb
from duplex.app.scene.archive import Archive
from duplex.app.scene.bundle import SHELLS, VERSION, Bundle, BundleShell
from duplex.app.scene.camera import Camera
from duplex.app.scene.checked_values import flag, floats, frame, triple
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.app.scene.reference import MAX_REFERENCE_SIDE, PHOTO, TEACHER, Reference

MAX_TEXTURE_SIDE = 8192  # texels
MAX_CAMERAS = 4096
MAX_REFERENCES = 16
MAX_MESH_BYTES = 1 << 28
MAX_WEIGHTS_BYTES = 1 << 23  # of the safetensors part and of the ONNX part
MAX_THUMBNAIL_BYTES = 1 << 22
MIN_SHELL_POINTS = 3  # distinct vertices


def read_bundle(path: str | Path) -> Bundle:
    """Read and validate the bundle at ``path``; raises :class:`DuplexError` for a missing file or an invalid bundle."""
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
    """Build the bundle from an open archive; messages start with ``name``.

    A ValueError, KeyError or similar comes from an invalid manifest; :func:`read_bundle` reports it.
    """
    network = NetworkSpec.from_json(manifest["network"], f"{name}: network")
    outer, inner = (_shell(archive, manifest["shells"][s], network, f"{name}: {s}") for s in SHELLS)
    scene = manifest["scene"]
    if abs(float(np.linalg.norm(floats(scene["up"], 3))) - 1) > 1e-3:
        raise ValueError("scene.up is no unit vector")
    if min(len(np.unique(shell.mesh.positions, axis=0)) for shell in (outer, inner)) < MIN_SHELL_POINTS:
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
    references = []
    for i, entry in enumerate(entries):
        kind = entry["kind"]
        camera = Camera.from_json(entry["camera"], f"{name}: reference {i}")
        if kind not in (TEACHER, PHOTO):
            raise ValueError(f"reference {i} is neither of the teacher nor a photo")
        size = (camera.width, camera.height)
        if max(size) > MAX_REFERENCE_SIDE:
            raise DuplexError(f"{name}: reference {i}: {size[0]} x {size[1]}: at most {MAX_REFERENCE_SIDE} a side")
        rgba = _rgba(archive.read(entry["picture"], _png_limit(size)), size, f"{name}: {entry['picture']}")
        references.append(Reference(kind, camera, rgba))
    return tuple(references)


def _shell(archive: Archive, entry: dict[str, Any], network: NetworkSpec, name: str) -> BundleShell:
    mesh = glb.read(archive.read(entry["mesh"], MAX_MESH_BYTES), f"{name}: {entry['mesh']}")
    if (len(mesh.positions), len(mesh.faces)) != (entry["vertices"], entry["faces"]):
        raise DuplexError(
            f"{name}: {len(mesh.positions)} vertices and {len(mesh.faces)} faces where the manifest states "
            f"{entry['vertices']} and {entry['faces']}: a damaged or forged bundle"
        )
    width, height = (int(x) for x in entry["texture_size"])
    if not (1 <= width <= MAX_TEXTURE_SIDE and 1 <= height <= MAX_TEXTURE_SIDE):
        raise DuplexError(f"{name}: textures of {width} x {height}: expected 1 to {MAX_TEXTURE_SIDE} texels a side")
    count = network.feature_channels // 4
    if len(entry["textures"]) != count:
        raise DuplexError(f"{name}: {len(entry['textures'])} feature textures: the network takes {count}")
    size = (width, height)
    texels = np.stack([_rgba(archive.read(x, _png_limit(size)), size, f"{name}: {x}") for x in entry["textures"]])
    return BundleShell(
        mesh,
        texels,
        floats(entry["scale"], 4 * count).astype(np.float32),
        floats(entry["offset"], 4 * count).astype(np.float32),
    )


def _rgba(content: bytes, size: tuple[int, int], name: str) -> Array:
    """The PNG ``content`` as (height, width, 4) uint8; ``size`` is the (width, height) of the manifest."""
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
    """Upper bound of a PNG file in bytes, for RGBA of ``size`` that does not compress, with metadata."""
    return 5 * size[0] * size[1] + (1 << 20)


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

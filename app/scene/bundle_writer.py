"""Bundle writer: one function for each group of parts (docs/bundle.md). Equal bundles give equal bytes."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image
from safetensors import numpy as safetensors

from duplex.app.core.arrays import Array
from duplex.app.scene import glb
from duplex.app.scene.archive import pack
from duplex.app.scene.bundle import SHELLS, VERSION, WEIGHTS, Bundle, BundleShell
from duplex.app.scene.network import NetworkWeights
from duplex.app.scene.reference import Reference

REFERENCE_QUALITY = 85  # of WebP, at most 100
Parts = dict[str, bytes]  # part name to content, in the order of the file


def write_bundle(bundle: Bundle) -> bytes:
    """The bytes of a bundle file that holds ``bundle``; equal bundles give equal bytes."""
    parts: Parts = {}
    shells = {
        name: _add_shell(parts, name, shell) for name, shell in zip(SHELLS, (bundle.outer, bundle.inner), strict=True)
    }
    cameras = {"rig": bundle.rig, "cameras": [camera.to_json() for camera in bundle.cameras]}
    parts[WEIGHTS] = _weights(bundle.weights)
    parts["shading.onnx"] = bundle.onnx
    parts["cameras.json"] = json.dumps(cameras).encode()
    parts["report.json"] = json.dumps(bundle.report, indent=1).encode()
    parts["thumbnail.png"] = bundle.thumbnail
    references = [add_reference(parts, i, reference) for i, reference in enumerate(bundle.references)]
    version = VERSION if _needs_version_2(bundle) else 1
    return pack(manifest_of(bundle, version, shells, references), parts)


def manifest_of(
    bundle: Bundle, version: int, shells: dict[str, Any], references: list[dict[str, Any]]
) -> dict[str, Any]:
    """The manifest without its ``parts`` member, which :func:`~duplex.app.scene.archive.pack` adds.

    ``shells``, ``references``: their objects and entries.
    """
    network = bundle.network.to_json()
    networks = {"network": network} if version == 1 else {"networks": [network | {"weights": WEIGHTS}]}
    return {
        "format": "duplex",
        "version": version,
        "shells": shells,
        "double_sided": bundle.double_sided,
        **networks,
        "scene": {
            "background": list(bundle.background),
            "up": list(bundle.up),
            "to_checkpoint": [float(x) for x in bundle.to_checkpoint.reshape(-1)],
            "to_dataset": [float(x) for x in bundle.to_dataset.reshape(-1)],
        },
        "teacher": bundle.teacher,
        "references": references,
    }


def _needs_version_2(bundle: Bundle) -> bool:
    """Whether the bundle has anything that format 1 does not know."""
    return bundle.network.scaled or any(shell.mesh.seen is not None for shell in (bundle.outer, bundle.inner))


def _add_shell(parts: Parts, name: str, shell: BundleShell) -> dict[str, Any]:
    """Add the mesh and the feature textures of ``shell`` to ``parts``; returns the shell's object of the manifest."""
    textures = [f"{name}.features{i}.png" for i in range(len(shell.texels))]
    parts[f"{name}.glb"] = glb.write(shell.mesh)
    for file, texels in zip(textures, shell.texels, strict=True):
        parts[file] = _png(texels)
    return {
        "mesh": f"{name}.glb",
        "vertices": len(shell.mesh.positions),
        "faces": len(shell.mesh.faces),
        "textures": textures,
        **texture_facts(shell),
    }


def texture_facts(shell: BundleShell) -> dict[str, Any]:
    """What the manifest says of a shell's texels, however they are stored."""
    return {
        "texture_size": [shell.texels.shape[2], shell.texels.shape[1]],
        "scale": [float(x) for x in shell.scale],
        "offset": [float(x) for x in shell.offset],
    }


def add_reference(parts: Parts, index: int, reference: Reference, lossy: bool = False) -> dict[str, Any]:
    """Add the image of ``reference`` to ``parts``; returns its entry in the manifest."""
    file = f"reference{index}." + ("webp" if lossy else "png")
    parts[file] = _webp(reference.rgba) if lossy else _png(reference.rgba)
    return {"kind": reference.kind, "picture": file, "camera": reference.camera.to_json()}


def _weights(weights: NetworkWeights) -> bytes:
    """The safetensors file of the network's weights."""
    tensors: dict[str, Array] = {}
    for i, (weight, bias) in enumerate(zip(weights.weights, weights.biases, strict=True)):
        tensors[f"layers.{i}.weight"] = np.ascontiguousarray(weight)
        tensors[f"layers.{i}.bias"] = np.ascontiguousarray(bias)
    return bytes(safetensors.save(tensors))


def _webp(rgba: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgba, "RGBA").save(buffer, "WEBP", quality=REFERENCE_QUALITY, method=6)
    return buffer.getvalue()


def _png(rgba: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgba, "RGBA").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()

"""Read a bundle with standard parts alone: zipfile, json, numpy and Pillow. docs/bundle.md describes the format.

python examples/04_read_bundle_without_duplex.py scene.bundle
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COMPONENTS = {5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}


def read_mesh(glb: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (v, 3), texture coordinates (v, 2) in [0, 1] and faces (f, 3) of a glTF binary."""
    json_length = struct.unpack_from("<I", glb, 12)[0]
    gltf = json.loads(glb[20 : 20 + json_length])
    binary = glb[20 + json_length + 8 :]

    def accessor(index: int) -> np.ndarray:
        entry = gltf["accessors"][index]
        view = gltf["bufferViews"][entry["bufferView"]]
        dtype, width = np.dtype(COMPONENTS[entry["componentType"]]), WIDTHS[entry["type"]]
        strides = (view.get("byteStride", dtype.itemsize * width), dtype.itemsize)
        return np.ndarray((entry["count"], width), dtype, binary, view.get("byteOffset", 0), strides)

    primitive, node = gltf["meshes"][0]["primitives"][0], gltf["nodes"][0]
    positions = accessor(primitive["attributes"]["POSITION"]) * np.array(node.get("scale", [1.0] * 3))
    positions = positions + np.array(node.get("translation", [0.0] * 3))
    uvs = accessor(primitive["attributes"]["TEXCOORD_0"]) / 65535
    return positions, uvs, accessor(primitive["indices"]).reshape(-1, 3)


def read_weights(safetensors: bytes) -> dict[str, np.ndarray]:
    """The float32 tensors of a safetensors file by name."""
    header_length = struct.unpack_from("<Q", safetensors)[0]
    header = json.loads(safetensors[8 : 8 + header_length])
    data = safetensors[8 + header_length :]
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def main(bundle: Path) -> dict[str, Any]:
    """Read and describe both shells, their features and the network."""
    found: dict[str, Any] = {}
    with zipfile.ZipFile(bundle) as parts:
        manifest = json.loads(parts.read("manifest.json"))
        for name, shell in manifest["shells"].items():
            if "textures" not in shell:
                sys.exit(f"{bundle}: a small bundle: duplex-bake expand {bundle} -o FILE gives it standard parts")
            positions, _, faces = read_mesh(parts.read(shell["mesh"]))
            textures = [np.asarray(Image.open(io.BytesIO(parts.read(file)))) for file in shell["textures"]]
            texels = np.concatenate(textures, -1)
            features = np.array(shell["offset"]) + np.array(shell["scale"]) * texels / 255  # (h, w, channels)
            found[name] = {"positions": positions, "faces": faces, "features": features}
            print(f"{name}: {len(positions)} vertices, {len(faces)} faces, features {features.shape}")
        found["weights"] = read_weights(parts.read("shading.safetensors"))
    for name, tensor in found["weights"].items():
        print(f"{name}: {tensor.shape}")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))

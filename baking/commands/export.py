"""``duplex-bake export``: write the shells and cameras of a bundle in the coordinates of the user's files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import trimesh

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.baking.commands import console

FORMATS = ("ply", "obj", "glb", "stl")
FRAMES = ("dataset", "checkpoint", "bundle")


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-bake export``; ``arguments``: the command line after ``export``."""
    parser = argparse.ArgumentParser(
        "duplex-bake export", description="Write a bundle's two shells as meshes, and its cameras as transforms.json."
    )
    parser.add_argument("bundle", type=Path, help="the bundle to read")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--format", choices=FORMATS, default="ply", help="of the meshes [ply]")
    parser.add_argument("--frame", choices=FRAMES, default="dataset", help="whose coordinates [the dataset's files']")
    given = parser.parse_args(arguments)
    return console.run(lambda: _export(given))


def _export(arguments: argparse.Namespace) -> int:
    bundle = read_bundle(arguments.bundle)
    if arguments.output.exists() and not arguments.output.is_dir():
        raise DuplexError(f"{arguments.output}: a file: expected the folder to write into")
    arguments.output.mkdir(parents=True, exist_ok=True)
    frame = frame_of(bundle, arguments.frame)
    for name, shell in (("outer", bundle.outer), ("inner", bundle.inner)):
        mesh = shell.mesh
        points = mesh.positions.astype(np.float64) @ frame[:3, :3].T + frame[:3, 3]
        faces = mesh.faces[:, ::-1] if np.linalg.det(frame[:3, :3]) < 0 else mesh.faces
        content = trimesh.Trimesh(points, faces, process=False).export(file_type=arguments.format)
        file = arguments.output / f"{name}.{arguments.format}"
        write_atomically(file, content.encode() if isinstance(content, str) else content)
        print(f"{file}: {len(mesh.faces)} faces")
    cameras = arguments.output / "transforms.json"
    write_atomically(cameras, json.dumps(_transforms(bundle, frame), indent=1).encode())
    print(f"{cameras}: {len(bundle.cameras)} cameras")
    return 0


def frame_of(bundle: Bundle, frame: str) -> Array:
    """The transform (4, 4) from the bundle's world to ``frame``, one of :data:`FRAMES`."""
    return {"dataset": bundle.to_dataset, "checkpoint": bundle.to_checkpoint, "bundle": np.eye(4)}[frame]


def _transforms(bundle: Bundle, frame: Array) -> dict[str, object]:
    """The cameras in the ``transforms.json`` format of nerfstudio and instant-ngp."""
    frames = []
    for i, camera in enumerate(bundle.cameras):
        entry = camera.moved(frame)
        frames.append(
            {
                "file_path": f"camera_{i:04d}.png",
                "transform_matrix": entry.camera_to_world.tolist(),
                "w": camera.width,
                "h": camera.height,
                "fl_x": camera.fx,
                "fl_y": camera.fy,
                "cx": camera.cx,
                "cy": camera.cy,
            }
        )
    return {"camera_model": "PINHOLE", "frames": frames}

"""Export of a bundle for other programs: its shells as mesh files, its cameras as ``transforms.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve_folder
from duplex.app.scene.bundle import Bundle

FORMATS = ("ply", "obj", "glb", "stl")
FRAMES = ("dataset", "checkpoint", "bundle")


@dataclass(frozen=True)
class ExportedFile:
    """A written file: its ``path``, and that it holds ``count`` items of the kind ``content`` (faces or cameras)."""

    path: Path
    count: int
    content: str


def export_meshes(
    bundle: Bundle, folder: Path, file_format: str = "ply", coordinates: str = "dataset"
) -> list[ExportedFile]:
    """Write the outer and the inner shell of ``bundle`` and its cameras into ``folder``, which is made if missing.

    ``file_format``: of the meshes, one of :data:`FORMATS`; ``coordinates``: the frame of all positions, one of
    :data:`FRAMES`. Raises :class:`DuplexError`.
    """
    for name, value, known in (("format", file_format, FORMATS), ("frame", coordinates, FRAMES)):
        if value not in known:
            raise DuplexError(f"--{name} {value!r:.60}: expected {', '.join(known)}")
    with reserve_folder(folder) as unfinished:
        to_frame = frame_of(bundle, coordinates)
        files = []
        for name, shell in (("outer", bundle.outer), ("inner", bundle.inner)):
            mesh = shell.mesh
            points = mesh.positions.astype(np.float64) @ to_frame[:3, :3].T + to_frame[:3, 3]
            faces = mesh.faces[:, ::-1] if np.linalg.det(to_frame[:3, :3]) < 0 else mesh.faces
            content = trimesh.Trimesh(points, faces, process=False).export(file_type=file_format)
            file = folder / f"{name}.{file_format}"
            unfinished.write(file, content.encode() if isinstance(content, str) else content)
            files.append(ExportedFile(file, len(mesh.faces), "faces"))
        cameras = folder / "transforms.json"
        unfinished.write(cameras, json.dumps(_transforms(bundle, to_frame), indent=1).encode())
        unfinished.finish()
    return [*files, ExportedFile(cameras, len(bundle.cameras), "cameras")]


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

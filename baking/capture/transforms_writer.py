"""nerfstudio's ``transforms.json`` from COLMAP's model of the same folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from duplex.app.core.files import write_atomically
from duplex.baking.datasets.colmap import binary
from duplex.baking.datasets.lens import Lens

IMAGES, MODEL = "images", "sparse/0"
POINTS = "points.ply"


def write_transforms(folder: Path, file: Path) -> None:
    """Write the cameras of ``folder``'s model to ``file``; raises as the model's reader does."""
    lenses = binary.read_cameras(folder / MODEL / "cameras.bin")
    images = sorted(binary.read_images(folder / MODEL / "images.bin"), key=lambda image: image.name)
    frames = [
        {
            "file_path": f"{IMAGES}/{image.name}",
            **_lens(lenses[image.camera]),
            "transform_matrix": image.pose(image.name).tolist(),
        }
        for image in images
    ]
    content: dict[str, Any] = {"camera_model": "OPENCV", "frames": frames}
    if (folder / MODEL / POINTS).is_file():
        content["ply_file_path"] = f"{MODEL}/{POINTS}"
    write_atomically(file, (json.dumps(content, indent=1) + "\n").encode())


def _lens(lens: Lens) -> dict[str, float]:
    """nerfstudio's entries of a lens; those of OpenCV's model alone can occur."""
    assert lens.size is not None
    numbers = {"w": lens.size[0], "h": lens.size[1], "fl_x": lens.fx, "fl_y": lens.fy, "cx": lens.cx, "cy": lens.cy}
    bent = lens.distortion
    radial = (*bent.numerator, 0.0, 0.0)[:2] if bent else (0.0, 0.0)
    tangential = bent.tangential if bent else (0.0, 0.0)
    numbers |= dict(zip(("k1", "k2", "p1", "p2"), (*radial, *tangential), strict=True))
    return {key: value for key, value in numbers.items() if value is not None}

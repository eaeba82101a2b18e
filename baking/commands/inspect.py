"""``duplex-bake inspect``: print the facts of a checkpoint and draw a small picture of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.images import save_png
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_scene_arguments, scene_options
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.geometry.density import DensityConfig, sample_density, search_box
from duplex.baking.subject import SceneOptions, Subject, read_subject

QUICK = DensityConfig(grid=96, scan=64)


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-bake inspect``; ``arguments``: the command line after ``inspect``."""
    parser = argparse.ArgumentParser(
        "duplex-bake inspect", description="Say what a checkpoint is, what would be assumed of it, and draw it once."
    )
    parser.add_argument("checkpoint", type=Path, help="the checkpoint's file, or the folder that holds it")
    parser.add_argument(
        "--preview", type=Path, metavar="PNG", help="where the picture goes [CHECKPOINT-preview.png here]"
    )
    parser.add_argument("--size", type=int, default=200, help="side of the picture in pixels [200]")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_scene_arguments(parser)
    given = parser.parse_args(arguments)
    return console.run(lambda: _inspect(given))


def _inspect(arguments: argparse.Namespace) -> int:
    if not 16 <= arguments.size <= 2048:
        raise DuplexError(f"--size {arguments.size}: expected 16 to 2048 pixels")
    subject = read_subject(
        arguments.checkpoint, arguments.data, arguments.device, SceneOptions(**scene_options(arguments))
    )
    known = facts(subject)
    if not arguments.json:
        print("\n".join(f"{name:15}{value}" for name, value in _lines(known)))
    grid = sample_density(subject.teacher, None, QUICK)
    preview = arguments.preview or Path(f"{arguments.checkpoint.resolve().stem}-preview.png")
    save_png(picture(subject, grid, arguments.size), preview)
    matter = [[round(float(x), 3) for x in corner] for corner in (grid.low, grid.high)]
    if arguments.json:
        print(json.dumps(known | {"matter": matter, "preview": str(preview)}))
    else:
        print(f"{'matter':15}{_box(matter)}\n{'preview':15}{preview}")
    return 0


def facts(subject: Subject) -> dict[str, Any]:
    """The facts of a teacher by name, as JSON values."""
    teacher = subject.teacher
    scene = teacher.scene
    return {
        "file": str(teacher.path),
        "bytes": teacher.path.stat().st_size,
        "sha256": teacher.sha256,
        "family": teacher.family,
        **teacher.fine.describe(),
        "networks": 1 if teacher.coarse is teacher.fine else 2,
        "space": scene.space.name,
        "bounds": search_box(scene).tolist(),
        "near": scene.near,
        "far": scene.far,
        "background": list(scene.background),
        "samples": [scene.coarse_samples, scene.fine_samples],
        "up": list(scene.up),
        "cameras": f"{len(subject.cameras)} of the dataset"
        if subject.cameras
        else "none: give --data for the real ones",
        "assumed": list(scene.assumed),
    }


def picture(subject: Subject, grid: DensityGrid, size: int) -> Array:
    """The teacher's picture from the first camera on its background: (size, size, 3) uint8."""
    camera = subject.rig.path().camera(0, size, size)
    if subject.cameras:
        camera = subject.cameras[0].resized(size, size)
    rgba = FastRenderer(subject.teacher, grid).render(camera).cpu().numpy()
    rgb = rgba[..., :3] + (1 - rgba[..., 3:]) * np.array(subject.teacher.scene.background, np.float32)
    return np.asarray(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))


def _lines(known: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for name, value in known.items():
        if name == "assumed":
            lines += [("assumed", sentence) for sentence in value]
        elif name == "bounds":
            lines.append((name, _box(value)))
        elif isinstance(value, list):
            lines.append((name, " ".join(f"{x:g}" for x in value)))
        else:
            lines.append((name, f"{value:g}" if isinstance(value, float) else str(value)))
    return lines


def _box(corners: list[list[float]]) -> str:
    return " to ".join(" ".join(f"{x:.3g}" for x in corner) for corner in corners)

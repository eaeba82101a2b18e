"""Two comparisons, each side by side in one run: ``python -m duplex.baking.evaluation.benchmark CHECKPOINT``.

The fast renderer against the standard one (seconds and agreement), and the atlas against xatlas's own unwrapping.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xatlas

from duplex.app.core.errors import run_command
from duplex.app.core.metrics import psnr
from duplex.app.render.gpu import create_headless_context
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields import rendering
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.geometry.atlas import AtlasConfig, unwrap
from duplex.baking.geometry.density import DensityConfig
from duplex.baking.geometry.object_density import object_density
from duplex.baking.geometry.shells import ShellConfig, Viewpoints, extract_shells
from duplex.baking.rig import Rig
from duplex.baking.runtime.devices import pick_device


def main() -> int:
    """Entry point of the module: parse and compare."""
    parser = argparse.ArgumentParser("duplex.baking.evaluation.benchmark", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--views", type=int, default=3, help="views that both renderers draw, in turn [3]")
    parser.add_argument("--size", type=int, default=200, help="side of each view in pixels [200]")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    return run_command(lambda: _compare(arguments))


def _compare(arguments: argparse.Namespace) -> int:
    teacher = load_teacher(arguments.checkpoint, pick_device(arguments.device))
    rig = Rig.from_scene(teacher.scene)
    probes = rig.evenly(48, 72)
    grid = object_density(teacher, DensityConfig(), probes)
    fast = FastRenderer(teacher, grid)
    background = np.array(teacher.scene.background, np.float32)
    slow_seconds: list[float] = []
    fast_seconds: list[float] = []
    agreement = []
    for camera in rig.cameras(arguments.views, arguments.size, np.random.default_rng(7)):
        pictures = []
        for seconds, render in (
            (slow_seconds, lambda c=camera: rendering.render(teacher, c)),
            (fast_seconds, lambda c=camera: fast.render(c)),
        ):
            spent, rgba = _timed(lambda r=render: r().cpu().numpy())  # type: ignore[misc]
            seconds.append(spent)
            pictures.append(np.clip(rgba[..., :3] + (1 - rgba[..., 3:]) * background, 0, 1))
        agreement.append(psnr(*pictures))
    ratio = float(np.median(np.array(slow_seconds) / np.array(fast_seconds)))
    print(
        f"a view of {arguments.size} x {arguments.size}: standard renderer {np.median(slow_seconds):.2f} s, "
        f"fast renderer {np.median(fast_seconds):.2f} s, {ratio:.1f} times fewer, "
        f"agreement {min(agreement):.1f} dB at worst over {arguments.views} views"
    )
    shell, _ = extract_shells(grid, Viewpoints(rig.evenly(32, 400)), ShellConfig(), create_headless_context())
    ours, _ = _timed(lambda: unwrap(shell, AtlasConfig()))
    theirs, _ = _timed(lambda: xatlas.parametrize(shell.positions, shell.faces.astype(np.uint32)))
    print(
        f"atlas of {len(shell.faces)} faces: {ours:.2f} s; xatlas alone {theirs:.2f} s, {theirs / ours:.0f} times more"
    )
    return 0


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    raise SystemExit(main())

"""``duplex-bake``: parse, bake, print."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from duplex.app.errors import DuplexError, run_command
from duplex.app.gpu import create_headless_context
from duplex.baking.config import PRESETS, add_arguments, from_arguments
from duplex.baking.datasets import read_cameras
from duplex.baking.pipeline import BakeJob, bake
from duplex.baking.progress import peak_memory_gib, say
from duplex.baking.rig import Rig
from duplex.baking.teachers import SceneInfo, load_teacher
from duplex.baking.workspace import Workspace

BACKGROUNDS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}


def main() -> int:
    """Entry point of ``duplex-bake``."""
    parser = argparse.ArgumentParser(
        "duplex-bake", description="Bake a trained NeRF into a bundle that duplex-viewer draws."
    )
    parser.add_argument("checkpoint", type=Path, help="the checkpoint's file, or the folder that holds it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle to write")
    parser.add_argument("--quality", choices=PRESETS, default="draft", help="preset of all settings [draft]")
    parser.add_argument("--data", type=Path, help="the checkpoint's dataset: cameras are taken around its own")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted bake")
    parser.add_argument("--restart", action="store_true", help="throw an interrupted bake away and begin anew")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers [0]")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ... [auto: cuda where there is one]")
    scene = parser.add_argument_group("scene", "What the checkpoint's own files say, or their defaults, unless given.")
    scene.add_argument("--near", type=float, help="where rays begin, world units")
    scene.add_argument("--far", type=float, help="where rays end, world units")
    scene.add_argument("--background", choices=BACKGROUNDS, help="what the teacher was trained against")
    scene.add_argument("--bounds", type=float, nargs=6, metavar="X", help="box to look in: low x y z, high x y z")
    scene.add_argument("--cameras", choices=("hemisphere", "sphere"), help="from where the scene is seen")
    add_arguments(parser)
    arguments = parser.parse_args()
    return run_command(lambda: _bake(arguments))


def _bake(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.seed < 1 << 63:
        raise DuplexError(f"--seed {arguments.seed}: expected 0 to 2^63 - 1")
    if arguments.data and arguments.cameras:
        raise DuplexError("--cameras does not go with --data, which brings its own")
    device = pick_device(arguments.device)
    config = from_arguments(arguments)
    teacher = load_teacher(arguments.checkpoint, device)
    teacher = dataclasses.replace(teacher, scene=_scene(teacher.scene, arguments))
    for assumption in teacher.scene.assumed:
        say(f"assumed: {assumption}; --near, --far and --background say otherwise")
    dataset = tuple(read_cameras(arguments.data, "train", teacher.scene.principal_shift)) if arguments.data else ()
    rig = (
        Rig.from_cameras(list(dataset), teacher.scene)
        if dataset
        else Rig.from_scene(teacher.scene, None if not arguments.cameras else arguments.cameras == "hemisphere")
    )
    bounds = _bounds(arguments.bounds)
    if bounds is not None:
        rig = dataclasses.replace(rig, center=bounds.mean(0))
    job = BakeJob(teacher, config, rig, bounds, dataset, arguments.seed)
    if arguments.output.is_dir():
        raise DuplexError(f"{arguments.output}: a folder: expected the name of the bundle to write")
    workspace = Workspace(arguments.output, job.fingerprint(), arguments.resume, arguments.restart)
    bundle = bake(job, arguments.output, workspace, create_headless_context())
    report = bundle.report
    print(
        f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB, {bundle.faces} faces, "
        f"bracketing {100 * report['bracketing']:.1f}%, training {report['training_psnr']:.1f} dB, "
        f"{sum(report['seconds'].values()):.0f} s, peak memory {peak_memory_gib():.1f} GiB"
    )
    return 0


def pick_device(name: str) -> torch.device:
    """The torch device of a ``--device`` flag; raises :class:`DuplexError` when there is none of that name."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("only cpu and cuda are supported")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DuplexError(f"--device {name}: not available ({str(error).splitlines()[0]}): try cpu") from None
    return device


def _scene(scene: SceneInfo, arguments: argparse.Namespace) -> SceneInfo:
    near = scene.near if arguments.near is None else arguments.near
    far = scene.far if arguments.far is None else arguments.far
    background = BACKGROUNDS.get(arguments.background, scene.background)
    return dataclasses.replace(scene, near=near, far=far, background=background)


def _bounds(values: list[float] | None) -> np.ndarray | None:
    if values is None:
        return None
    bounds = np.array(values).reshape(2, 3)
    if not np.isfinite(bounds).all() or (bounds[1] <= bounds[0]).any():
        raise DuplexError(
            f"--bounds {' '.join(f'{x:g}' for x in values)}: expected low x y z, then a larger high x y z"
        )
    return bounds

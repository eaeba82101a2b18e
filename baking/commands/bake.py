"""``duplex-bake``: parse, bake, print. ``duplex-bake inspect`` and ``export`` are in files of their own names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from duplex.app.core.errors import DuplexError, run_command
from duplex.app.render.gpu import create_headless_context
from duplex.baking.commands import export as export_cli
from duplex.baking.commands import inspect as inspect_cli
from duplex.baking.commands.scene_arguments import add_scene_arguments, read_seed, read_subject
from duplex.baking.config import PRESETS, add_arguments, from_arguments
from duplex.baking.job import BakeJob
from duplex.baking.pipeline import bake
from duplex.baking.runtime.progress import peak_memory_gib
from duplex.baking.runtime.workspace import Workspace

SUBCOMMANDS = {"inspect": inspect_cli.main, "export": export_cli.main}


def main() -> int:
    """Entry point of ``duplex-bake``."""
    if len(sys.argv) > 1 and sys.argv[1] in SUBCOMMANDS:
        return SUBCOMMANDS[sys.argv[1]](sys.argv[2:])
    parser = argparse.ArgumentParser(
        "duplex-bake",
        description="Bake a trained NeRF into a bundle that duplex-viewer draws.",
        epilog="duplex-bake inspect FILE says what a checkpoint is; duplex-bake export BUNDLE writes its shells.",
    )
    parser.add_argument("checkpoint", type=Path, help="the checkpoint's file, or the folder that holds it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle to write")
    parser.add_argument("--quality", choices=PRESETS, default="draft", help="preset of all settings [draft]")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted bake")
    parser.add_argument("--restart", action="store_true", help="throw an interrupted bake away and begin anew")
    parser.add_argument(
        "--preview", type=Path, metavar="BUNDLE", help="write what is learned so far there, to watch it in the viewer"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers [0]")
    add_scene_arguments(parser)
    add_arguments(parser)
    arguments = parser.parse_args()
    return run_command(lambda: _bake(arguments))


def _bake(arguments: argparse.Namespace) -> int:
    config, seed = from_arguments(arguments), read_seed(arguments.seed)
    subject = read_subject(arguments.checkpoint, arguments)
    job = BakeJob(subject.teacher, config, subject.rig, subject.cameras, subject.photos, seed, subject.to_dataset)
    if arguments.output.is_dir():
        raise DuplexError(f"{arguments.output}: a folder: expected the name of the bundle to write")
    _check_preview(arguments.preview, arguments.output)
    ctx = create_headless_context()
    with Workspace(arguments.output, job.fingerprint(), arguments.resume, arguments.restart) as workspace:
        bundle = bake(job, arguments.output, workspace, ctx, arguments.preview)
    report = bundle.report
    print(
        f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB, {bundle.faces} faces, "
        f"bracketing {100 * report['bracketing']:.1f}%, unseen views {report['curve'][-1][2]:.1f} dB, "
        f"{sum(report['seconds'].values()):.0f} s, peak memory {peak_memory_gib():.1f} GiB"
    )
    return 0


def _check_preview(preview: Path | None, output: Path) -> None:
    if preview and preview.absolute() == output.absolute():
        raise DuplexError(f"--preview {preview}: the bundle itself: expected another name, which will be overwritten")
    if preview and (preview.is_dir() or not preview.absolute().parent.is_dir()):
        raise DuplexError(f"--preview {preview}: expected the name of a file in a folder that exists")

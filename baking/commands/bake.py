"""``duplex-bake``: parse, bake, print. Its subcommands have their own modules."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from duplex.baking.api import bake
from duplex.baking.commands import compress, console, export, inspect
from duplex.baking.commands.scene_arguments import add_scene_arguments, scene_options
from duplex.baking.config import PRESETS, BakeConfig
from duplex.baking.runtime.memory import peak_memory_gib
from duplex.baking.settings import add_flags, given_settings

SUBCOMMANDS = {
    "inspect": inspect.main,
    "export": export.main,
    "compress": compress.main,
    "expand": compress.expand,
}


def main() -> int:
    """Entry point of ``duplex-bake``."""
    if len(sys.argv) > 1 and sys.argv[1] in SUBCOMMANDS:
        return SUBCOMMANDS[sys.argv[1]](sys.argv[2:])
    parser = argparse.ArgumentParser(
        "duplex-bake",
        description="Bake a trained NeRF into a bundle that duplex-viewer draws.",
        epilog="duplex-bake inspect FILE says what a checkpoint is; duplex-bake export BUNDLE writes its shells; "
        "duplex-bake compress BUNDLE stores it in few bytes, and duplex-bake expand BUNDLE in standard parts again.",
    )
    parser.add_argument("checkpoint", type=Path, help="the checkpoint's file, or the folder that holds it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle to write")
    parser.add_argument("--quality", choices=PRESETS, help="preset of all settings [what suits --minutes, or draft]")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted bake")
    parser.add_argument("--restart", action="store_true", help="throw an interrupted bake away and begin anew")
    parser.add_argument(
        "--preview", type=Path, metavar="BUNDLE", help="write what is learned so far there, to watch it in the viewer"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="let the bake take so long: it chooses the numbers of views and steps",
    )
    parser.add_argument(
        "--crop",
        nargs="+",
        metavar="X",
        help="bake this part alone: low x y z, high x y z in the dataset's frame, or sphere:X,Y,Z,RADIUS",
    )
    parser.add_argument(
        "--uncompressed",
        action="store_true",
        help="store glTF, PNG, ONNX and reference pictures, in ten times the bytes",
    )
    parser.add_argument(
        "--megabytes", type=float, metavar="N", help="most that the bundle may take [what --rate-weight gives]"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers [0]")
    add_scene_arguments(parser)
    add_flags(parser, BakeConfig, "draft")
    arguments = parser.parse_args()
    return console.run(lambda: _bake(arguments))


def _bake(arguments: argparse.Namespace) -> int:
    bundle = bake(
        arguments.checkpoint,
        arguments.output,
        data=arguments.data,
        quality=arguments.quality,
        resume=arguments.resume,
        restart=arguments.restart,
        preview=arguments.preview,
        minutes=arguments.minutes,
        crop=arguments.crop,
        uncompressed=arguments.uncompressed,
        megabytes=arguments.megabytes,
        seed=arguments.seed,
        device=arguments.device,
        trusted=arguments.trusted,
        **scene_options(arguments),
        **given_settings(arguments, BakeConfig),
    )
    report = bundle.report
    found = f"{report['curve'][-1][2]:.1f} dB"
    if not arguments.uncompressed:
        found = f"{report['stored_psnr']:.1f} dB, {found} before compression"
    print(
        f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB, {bundle.faces} faces, "
        f"bracketing {100 * report['bracketing']:.1f}%, unseen views {found}, "
        f"{sum(report['seconds'].values()):.0f} s, peak memory {peak_memory_gib():.1f} GiB"
    )
    return 0

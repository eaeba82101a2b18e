"""``duplex-eval``: parse, compare, print."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.bundle import read_bundle
from duplex.app.errors import DuplexError, run_command
from duplex.app.gpu import create_headless_context
from duplex.app.renderer import Renderer
from duplex.baking.evaluate import (
    against_photos,
    against_teacher,
    as_baked,
    facts,
    overrides_of,
    photos_of,
)
from duplex.baking.progress import say
from duplex.baking.scene_arguments import pick_device
from duplex.baking.teachers import load_teacher

DEFAULT_VIEWS = 8


def main() -> int:
    """Entry point of ``duplex-eval``."""
    parser = argparse.ArgumentParser("duplex-eval", description="Compare a bundle with its teacher and with photos.")
    parser.add_argument("bundle", type=Path, help="the bundle to judge")
    parser.add_argument("--teacher", type=Path, metavar="CKPT", help="compare with this checkpoint at unseen cameras")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="compare with the test photos of this dataset")
    parser.add_argument("--views", type=int, help=f"cameras or photos to compare [{DEFAULT_VIEWS} cameras, all photos]")
    parser.add_argument("--size", type=int, default=200, help="height of the pictures in pixels [200]")
    parser.add_argument("--device", default="auto", help="where the teacher runs: cpu, cuda ... [auto]")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    return run_command(lambda: _evaluate(arguments))


def _evaluate(arguments: argparse.Namespace) -> int:
    if not 16 <= arguments.size <= 4096:
        raise DuplexError(f"--size {arguments.size}: expected 16 to 4096 pixels")
    if arguments.views is not None and not 1 <= arguments.views <= 10000:
        raise DuplexError(f"--views {arguments.views}: expected 1 to 10000")
    bundle = read_bundle(arguments.bundle)
    renderer = Renderer(create_headless_context(), bundle)
    report: dict[str, Any] = {"teacher": None, "photos": None}
    if arguments.teacher:
        teacher = as_baked(load_teacher(arguments.teacher, pick_device(arguments.device), overrides_of(bundle)), bundle)
        if teacher.sha256 != bundle.teacher.get("sha256"):
            say(f"note: {teacher.path} is not the checkpoint that this bundle was baked from")
        views = arguments.views or DEFAULT_VIEWS
        report["teacher"] = against_teacher(bundle, renderer, teacher, views, arguments.size)
    if arguments.data:
        photos = photos_of(bundle, arguments.data)
        if arguments.views and arguments.views < len(photos):
            photos = [photos[i] for i in np.linspace(0, len(photos) - 1, arguments.views).round().astype(int)]
        report["photos"] = against_photos(bundle, renderer, photos, arguments.size)
    report |= facts(bundle, arguments.bundle)
    print(json.dumps(report) if arguments.json else _text(report))
    return 0


def _text(report: dict[str, Any]) -> str:
    lines = []
    for name in ("teacher", "photos"):
        block = report[name]
        if block:
            each = "  ".join(f"{view['psnr']:.2f}" for view in block["views"])
            lines.append(
                f"against the {name}: PSNR {block['psnr']:.2f} dB, SSIM {block['ssim']:.4f}\n  per view: {each}"
            )
    bracketing = report["bracketing"]
    lines.append(
        f"{report['bundle_bytes'] / 1e6:.2f} MB, {report['faces']} faces, {report['texels']} texels, "
        f"{report['macs_per_pixel']:.0f} multiply-adds a pixel"
        + (f", bracketing {100 * bracketing:.1f}%" if bracketing is not None else "")
    )
    return "\n".join(lines)

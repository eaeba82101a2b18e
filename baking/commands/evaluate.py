"""``duplex-eval``: parse, compare, print."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.errors import DuplexError, run_command
from duplex.app.core.files import write_atomically
from duplex.app.render.gpu import create_headless_context
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.tools.cli import parse_size
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.commands import ablate as ablate_cli
from duplex.baking.commands.scene_arguments import pick_device
from duplex.baking.evaluation.evaluate import (
    Judge,
    Reference,
    against_photos,
    against_teacher,
    as_baked,
    depths_of,
    facts,
    frame_seconds,
    motion,
    overrides_of,
    photos_of,
    summary,
)
from duplex.baking.evaluation.metrics import Metrics
from duplex.baking.evaluation.report import html_report
from duplex.baking.evaluation.speed import compare_speed, text
from duplex.baking.fields.field import Overrides, Teacher
from duplex.baking.runtime.progress import say

DEFAULT_VIEWS = 8
FRAME_SIDES = (400, 800)  # of the pictures whose time the report gives


def main() -> int:
    """Entry point of ``duplex-eval``."""
    if len(sys.argv) > 1 and sys.argv[1] == "ablate":
        return ablate_cli.main(sys.argv[2:])
    parser = argparse.ArgumentParser(
        "duplex-eval",
        description="Compare a bundle with its teacher and with photos.",
        epilog="duplex-eval ablate CHECKPOINT -o TABLE says what each idea of the method is worth on a scene.",
    )
    parser.add_argument("bundle", type=Path, help="the bundle to judge")
    parser.add_argument("--teacher", type=Path, metavar="CKPT", help="compare with this checkpoint at unseen cameras")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="compare with the test photos of this dataset")
    parser.add_argument(
        "--teacher-photos",
        action="store_true",
        help="with --teacher and --data: compare the teacher with the photos too (slow)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="draw the teacher as the bake does, some 30 times quicker than by the standard renderer and all but equal",
    )
    parser.add_argument("--views", type=int, help=f"cameras or photos to compare [{DEFAULT_VIEWS} cameras, all photos]")
    parser.add_argument("--frames", type=int, default=0, help="with --teacher: frames of two paths, for steadiness [0]")
    parser.add_argument(
        "--speed",
        action="store_true",
        help="with --teacher: only time the viewer beside the standard renderer",
    )
    parser.add_argument(
        "--size", metavar="N|WxH", help="height of the pictures in pixels [200]; with --speed their size [800x800]"
    )
    parser.add_argument("--device", default="auto", help="where the teacher runs: cpu, cuda ... [auto]")
    parser.add_argument("--no-lpips", action="store_true", help="leave out LPIPS, whose weights are fetched once")
    parser.add_argument("--no-report", action="store_true", help="write no HTML report beside the bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    return run_command(lambda: _evaluate(arguments))


def _evaluate(arguments: argparse.Namespace) -> int:
    if arguments.speed:
        return _speed(arguments)
    arguments.size = _height(arguments.size or "200")
    if arguments.views is not None and not 1 <= arguments.views <= 10000:
        raise DuplexError(f"--views {arguments.views}: expected 1 to 10000")
    if arguments.frames and not (arguments.teacher and 3 <= arguments.frames <= 360):
        raise DuplexError(f"--frames {arguments.frames}: expected 3 to 360, and --teacher with it")
    if arguments.teacher_photos and not (arguments.teacher and arguments.data):
        raise DuplexError("--teacher-photos: expected --teacher and --data with it")
    if arguments.fast and not arguments.teacher:
        raise DuplexError("--fast: expected --teacher with it, the checkpoint to draw")
    bundle = read_bundle(arguments.bundle)
    teacher = Reference(_teacher(arguments, bundle), bundle, arguments.fast) if arguments.teacher else None
    photos = photos_of(bundle, arguments.data) if arguments.data else []
    judge = Judge(bundle, Renderer(create_headless_context(), bundle), Metrics(not arguments.no_lpips))
    compared = {}
    if teacher:
        compared["teacher"] = against_teacher(judge, teacher, arguments.views or DEFAULT_VIEWS, arguments.size)
    if photos:
        if arguments.views and arguments.views < len(photos):
            photos = [photos[i] for i in np.linspace(0, len(photos) - 1, arguments.views).round().astype(int)]
        compared["photos"] = against_photos(judge, photos, arguments.size)
    report: dict[str, Any] = {
        name: summary(compared[name]) if name in compared else None for name in ("teacher", "photos")
    }
    if arguments.teacher_photos:
        report["photos"]["teacher"] = summary(against_photos(judge, photos, arguments.size, teacher))
    if arguments.fast:
        report["teacher_renderer"] = "fast"
    report |= facts(bundle, arguments.bundle)
    if teacher and arguments.frames:
        report["steadiness"] = motion(judge, teacher, arguments.frames, arguments.size)
    print(json.dumps(report) if arguments.json else _text(report))
    if compared and not arguments.no_report:
        page = arguments.bundle.with_suffix(".report.html")
        frames = {side: frame_seconds(judge, side) for side in FRAME_SIDES}
        try:
            write_atomically(page, html_report(bundle, arguments.bundle, report, compared, frames))
            say(f"report: {page}")
        except OSError as error:
            say(f"note: no report: {page}: {error.strerror}")
    return 0


def _speed(arguments: argparse.Namespace) -> int:
    if not arguments.teacher:
        raise DuplexError("--speed: expected --teacher with it, the checkpoint whose network is timed")
    size = parse_size(arguments.size or "800x800")
    bundle = read_bundle(arguments.bundle)
    told = Overrides(depths=depths_of(bundle))  # by which some checkpoints cannot be read without
    result = compare_speed(bundle, load_teacher(arguments.teacher, pick_device(arguments.device), told), size)
    print(json.dumps(result) if arguments.json else text(result))
    return 0


def _height(text: str) -> int:
    if not text.isdecimal() or not 16 <= int(text) <= 4096:
        raise DuplexError(f"--size {text}: expected 16 to 4096 pixels")
    return int(text)


def _teacher(arguments: argparse.Namespace, bundle: Bundle) -> Teacher:
    teacher = as_baked(load_teacher(arguments.teacher, pick_device(arguments.device), overrides_of(bundle)), bundle)
    if teacher.sha256 != bundle.teacher.get("sha256"):
        say(f"note: {teacher.path} is not the checkpoint that this bundle was baked from")
    return teacher


def _measures(block: dict[str, Any]) -> str:
    lpips = "".join(
        f", LPIPS ({label}) {block[key]:.4f}"
        for key, label in (("lpips_vgg", "VGG"), ("lpips_alex", "Alex"))
        if block[key] is not None
    )
    each = "  ".join(f"{view['psnr']:.2f}" for view in block["views"])
    return f"PSNR {block['psnr']:.2f} dB, SSIM {block['ssim']:.4f}{lpips}\n  per view: {each}"


def _text(report: dict[str, Any]) -> str:
    lines = []
    if report.get("teacher_renderer") == "fast":
        lines.append("the teacher's pictures are those of the fast renderer")
    for name in ("teacher", "photos"):
        block = report[name]
        if block:
            lines.append(f"against the {name}: {_measures(block)}")
            if "teacher" in block:
                lines.append(f"the teacher against the {name}: {_measures(block['teacher'])}")
    for name, path in report.get("steadiness", {}).items():
        lines.append(
            f"steadiness, {name}: changes {path['psnr']:.2f} dB, worst {path['worst']:.2f} dB; largest over median "
            f"change {path['jump']:.2f}, the teacher's {path['teacher_jump']:.2f}"
        )
    bracketing = report["bracketing"]
    lines.append(
        f"{report['bundle_bytes'] / 1e6:.2f} MB, {report['faces']} faces, {report['texels']} texels, "
        f"{report['macs_per_pixel']:.0f} multiply-adds a pixel"
        + (f", bracketing {100 * bracketing:.1f}%" if bracketing is not None else "")
    )
    return "\n".join(lines)

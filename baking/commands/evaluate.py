"""``duplex-eval``: parse, compare, print."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve, write_atomically
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.tools.cli import parse_size
from duplex.baking.api import evaluate
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.commands import ablate, console, rate
from duplex.baking.commands.scene_arguments import add_trusted
from duplex.baking.evaluation.evaluation import DEFAULT_SIZE, DEFAULT_VIEWS, Evaluation
from duplex.baking.evaluation.report import html_report
from duplex.baking.evaluation.speed import compare_speed, text
from duplex.baking.fields.field import Overrides
from duplex.baking.provenance import depths_of
from duplex.baking.runtime.devices import pick_device
from duplex.baking.runtime.progress import say

SUBCOMMANDS = {"ablate": ablate.main, "rate": rate.main}


def main() -> int:
    """Entry point of ``duplex-eval``."""
    if len(sys.argv) > 1 and sys.argv[1] in SUBCOMMANDS:
        return SUBCOMMANDS[sys.argv[1]](sys.argv[2:])
    parser = argparse.ArgumentParser(
        "duplex-eval",
        description="Compare a bundle with its teacher and with photos.",
        epilog="duplex-eval ablate CHECKPOINT -o TABLE says what each idea of the method is worth on a scene; "
        "duplex-eval rate BUNDLE -o TABLE says how good it is in how few bytes.",
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
        help="draw the teacher as the bake does, some 30 times quicker than by the standard renderer and all but "
        "equal: the default above 400 pixels",
    )
    parser.add_argument(
        "--standard",
        action="store_true",
        help="draw the teacher by the standard renderer: the default up to 400 pixels",
    )
    parser.add_argument("--views", type=int, help=f"cameras or photos to compare [{DEFAULT_VIEWS} cameras, all photos]")
    parser.add_argument("--frames", type=int, default=0, help="with --teacher: frames of two paths, for steadiness [0]")
    parser.add_argument("--turn", type=int, default=0, help="with --teacher: frames of a turn, to count specks in [0]")
    parser.add_argument(
        "--speed",
        action="store_true",
        help="with --teacher: only time the viewer beside the standard renderer",
    )
    parser.add_argument(
        "--size", metavar="N|WxH", help="longer side of the pictures in pixels [800]; with --speed their size [800x800]"
    )
    parser.add_argument("--device", default="auto", help="where the teacher runs: cpu, cuda ... [auto]")
    add_trusted(parser)
    parser.add_argument("--no-lpips", action="store_true", help="leave out LPIPS, whose weights are fetched once")
    parser.add_argument("--no-report", action="store_true", help="write no HTML report beside the bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    return console.run(lambda: _evaluate(arguments))


def _evaluate(arguments: argparse.Namespace) -> int:
    if arguments.speed:
        return _speed(arguments)
    size = _size(arguments.size) if arguments.size else DEFAULT_SIZE
    compares = bool(arguments.teacher or arguments.data)
    page = arguments.bundle.with_suffix(".report.html") if arguments.bundle.is_file() else None
    with _reserved(page) if page and compares and not arguments.no_report else nullcontext():
        result = evaluate(
            arguments.bundle,
            teacher=arguments.teacher,
            data=arguments.data,
            views=arguments.views,
            frames=arguments.frames,
            turn=arguments.turn,
            size=size,
            lpips=not arguments.no_lpips,
            fast=arguments.fast,
            standard=arguments.standard,
            teacher_photos=arguments.teacher_photos,
            device=arguments.device,
            trusted=arguments.trusted,
        )
        print(json.dumps(result.to_json()) if arguments.json else _text(result.report))
        if page and result.compared and not arguments.no_report:
            _write_report(result, arguments.bundle, page)
    return 0


def _reserved(page: Path) -> AbstractContextManager[object]:
    try:
        return reserve(page, "the report, or --no-report")
    except OSError:  # a note tells of it when the report is written
        return nullcontext()


def _write_report(result: Evaluation, bundle: Path, page: Path) -> None:
    try:
        write_atomically(page, html_report(result, bundle))
        say(f"report: {page}")
    except OSError as error:
        say(f"note: no report: {page}: {error.strerror}")


def _speed(arguments: argparse.Namespace) -> int:
    if not arguments.teacher:
        raise DuplexError("--speed: expected --teacher with it, the checkpoint whose network is timed")
    size = parse_size(arguments.size or "800x800")
    bundle = read_bundle(arguments.bundle, trusted=arguments.trusted)
    overrides = Overrides(depths=depths_of(bundle))  # some checkpoints cannot be read without depths
    teacher = load_teacher(arguments.teacher, pick_device(arguments.device), overrides)
    result = compare_speed(bundle, teacher, size)
    print(json.dumps(result) if arguments.json else text(result))
    return 0


def _size(text: str) -> int:
    if not text.isdecimal():
        raise DuplexError(f"--size {text}: expected 16 to 4096 pixels")
    return int(text)


def _measures(block: dict[str, Any]) -> str:
    lpips = "".join(
        f", LPIPS ({label}) {block[key]:.4f}"
        for key, label in (("lpips_vgg", "VGG"), ("lpips_alex", "Alex"))
        if block[key] is not None
    )
    each = "  ".join(f"{view['psnr']:.2f}" for view in block["views"])
    return f"PSNR {block['psnr']:.2f} dB, SSIM {block['ssim']:.4f}{lpips}\n  per view: {each}"


def _seen_on_backgrounds(block: dict[str, Any]) -> list[str]:
    """The measures of opacity and of other distances, as lines."""

    def listed(values: dict[str, float | None]) -> str:
        return ", ".join(
            f"{name} {value:.2f}" if value is not None else f"{name} none" for name, value in values.items()
        )

    lines = [f"on backgrounds: {listed(block['backgrounds'])} dB; alpha's error {block['alpha_error']:.4f}"]
    if block["boundary_psnr"]:
        lines.append(f"along silhouettes: {listed(block['boundary_psnr'])} dB")
    if block["rings"]:
        lines.append(f"at times the cameras' distance: {listed(block['rings'])} dB")
    if block["elsewhere"] is not None:
        lines.append(f"from where no camera stood: {block['elsewhere']:.2f} dB")
    if "specks" in block:
        lines.append(f"specks in a turn: {block['specks']}")
    return lines


def _text(report: dict[str, Any]) -> str:
    lines = []
    if report["teacher"]:
        lines.append(f"the teacher's pictures are those of the {report['teacher_renderer']} renderer")
    for name in ("teacher", "photos"):
        block = report[name]
        if block:
            lines.append(f"against the {name}: {_measures(block)}")
            lines += _seen_on_backgrounds(block) if name == "teacher" else []
            if block.get("holes") is not None:
                lines.append(f"holes along the {name}: {100 * block['holes']:.3f}% of the pixels")
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
    lines.append(", ".join(f"{kind} {size / 1e3:.0f} kB" for kind, size in report["part_bytes"].items()))
    return "\n".join(lines)

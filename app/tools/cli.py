"""``duplex-viewer``: opens the window, or runs one tool without it and prints the result."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from duplex.app.core.errors import DuplexError, run_command
from duplex.app.core.package import version
from duplex.app.render.backends.names import AUTO, NAMES
from duplex.app.render.views import Unseen
from duplex.app.scene.camera import MAX_SIDE
from duplex.assets import DEMO_BUNDLE

if TYPE_CHECKING:  # it imports OpenGL
    from duplex.app.render.frame import FrameOptions

Color = tuple[float, float, float, float]


def main() -> int:
    """Entry point of ``duplex-viewer``."""
    arguments = _parser().parse_args()
    return run_command(lambda: _view(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("duplex-viewer", description="Fly through a bundle made by duplex-bake.")
    parser.add_argument("bundle", nargs="?", type=Path, default=DEMO_BUNDLE, help="the bundle to open [the demo]")
    parser.add_argument("--size", metavar="WxH", help="pixels of the window or picture [800x800, or the path's own]")
    parser.add_argument(
        "--camera", metavar="N|FILE", help="begin at the bundle's camera N, or at a camera in a JSON file"
    )
    parser.add_argument(
        "--backend",
        choices=(AUTO, *NAMES),
        default=AUTO,
        help="what runs the network; auto: in a window the fastest here, else fragment [auto]",
    )
    parser.add_argument("--background", metavar="COLOR", help="white, black, transparent or #rrggbb [the teacher's]")
    parser.add_argument(
        "--unseen",
        choices=tuple(Unseen),
        help="what becomes of parts that no camera of the bake saw [fade, or as the window was left]",
    )
    _add_actions(parser)
    for name in ("depth", "normals"):
        parser.add_argument(
            f"--{name}",
            type=Path,
            metavar="FILE",
            help=f"draw {name} (.exr as floats, .png), beside --screenshot or alone",
        )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="of a turn or path: a video (.mp4, .mov, .webm, .gif), or a folder for PNGs",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the video or the pictures that are there")
    parser.add_argument("--frames", type=int, help="frames of a turn [24 pictures, or 120 in a video]")
    parser.add_argument("--fps", type=float, help="frames a second of a video [30, or the path's own]")
    parser.add_argument("--json", action="store_true", help="print what was found as one JSON object")
    parser.add_argument("--version", action="version", version=f"duplex {version()}")
    return parser


def _add_actions(parser: argparse.ArgumentParser) -> None:
    """Add what is done without a window, one thing at a time."""
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--screenshot", type=Path, metavar="FILE", help="draw one picture without a window: PNG, JPEG or WebP"
    )
    action.add_argument("--turntable", action="store_true", help="draw a turn around the scene into -o")
    action.add_argument(
        "--render", type=Path, metavar="PATH", help="draw a camera path of nerfstudio or instant-ngp (JSON) into -o"
    )
    action.add_argument("--bench", action="store_true", help="measure how fast the bundle is drawn here")
    action.add_argument(
        "--scaling", action="store_true", help="measure how the time grows with pixels, faces and network"
    )
    action.add_argument("--info", action="store_true", help="print what the bundle holds")
    action.add_argument("--doctor", action="store_true", help="print what this machine can do, and what is missing")


def _view(arguments: argparse.Namespace) -> int:
    from duplex.app.scene.bundle_reader import read_bundle

    size = parse_size(arguments.size or "800x800")
    background = _color(arguments.background)
    if arguments.info:
        from duplex.app.tools.bundle_info import bundle_facts, bundle_info

        print(json.dumps(bundle_facts(arguments.bundle)) if arguments.json else bundle_info(arguments.bundle))
        return 0
    if arguments.doctor:
        from duplex.app.tools.doctor import examine, report_text

        found, works = examine(read_bundle(arguments.bundle))
        print(json.dumps(found | {"works": works}) if arguments.json else report_text(found))
        return 0 if works else 2
    if arguments.bench or arguments.scaling:
        return _measure(arguments, size)
    if arguments.turntable or arguments.render:
        return _record(arguments, size, _options(arguments, background))
    if arguments.output:
        raise DuplexError(f"-o {arguments.output}: expected --turntable or --render with it")
    if arguments.screenshot or arguments.depth or arguments.normals:
        return _screenshot(arguments, size, _options(arguments, background))
    from duplex.app.viewer.launch import view

    camera = None
    if arguments.camera:
        from duplex.app.tools.screenshots import choose_camera

        camera = choose_camera(read_bundle(arguments.bundle), arguments.camera, size)
    window_size = size if arguments.size else None
    behind = background[:3] if background else None
    look = {"background": behind, "unseen": arguments.unseen}
    view(arguments.bundle, camera, window_size, backend=arguments.backend, **look)
    return 0


def _options(arguments: argparse.Namespace, background: Color | None) -> FrameOptions:
    """How pictures without a window are drawn."""
    from duplex.app.render.frame import FrameOptions

    return FrameOptions(background=background, unseen=Unseen(arguments.unseen or Unseen.FADE))


def _screenshot(arguments: argparse.Namespace, size: tuple[int, int], options: FrameOptions) -> int:
    from duplex.app.scene.bundle_reader import read_bundle
    from duplex.app.scene.orbits import scene_orbit
    from duplex.app.tools.screenshots import choose_camera, screenshot
    from duplex.app.tools.surface_pictures import check_surface_name, surface_of, write_depth, write_normals

    bundle = read_bundle(arguments.bundle)
    camera = choose_camera(bundle, arguments.camera, size) if arguments.camera else scene_orbit(bundle).camera(0, *size)
    surfaces = [(arguments.depth, write_depth), (arguments.normals, write_normals)]
    for path, _ in surfaces:
        if path:
            check_surface_name(path)
    if arguments.screenshot:
        result = screenshot(bundle, camera, arguments.screenshot, options, arguments.backend)
        if result.warning:
            print(f"warning: {result.warning}", file=sys.stderr)
        print(f"{arguments.screenshot}: {size[0]} x {size[1]}, drawn by {result.driver}")
    if arguments.depth or arguments.normals:
        surface = surface_of(bundle, camera)
        for path, write in surfaces:
            if path:
                write(surface, path)
                print(f"{path}: {size[0]} x {size[1]}, of the outer shell")
    return 0


def _record(arguments: argparse.Namespace, size: tuple[int, int], options: FrameOptions) -> int:
    from duplex.app.render.movies.recording import is_taken
    from duplex.app.render.movies.video import is_video
    from duplex.app.scene.bundle_reader import read_bundle
    from duplex.app.tools import recordings

    _check_recording(arguments)
    bundle = read_bundle(arguments.bundle)
    out = arguments.output
    video = is_video(out)
    if is_taken(out) and not arguments.overwrite:
        raise DuplexError(f"{out}: it is there already: expected another name, or --overwrite to replace it")
    frames = arguments.frames or (120 if video else 24)
    if arguments.turntable and not video:
        sheet = recordings.turntable_images(bundle, out, frames, size, options, arguments.backend)
        print(f"{frames} pictures in {out}, all of them at a glance in {sheet}")
        return 0
    if arguments.render:
        path_size = size if arguments.size else None
        animation = recordings.path_animation(bundle, arguments.render, arguments.fps, path_size)
    else:
        animation = recordings.turntable(bundle, frames, arguments.fps or 30.0, size)
    recordings.record(bundle, animation, out, options, arguments.backend, _print_progress)
    print(f"{out}: {animation.count} frames" + (f", {animation.count / animation.fps:.1f} s" if video else ""))
    return 0


def _print_progress(done: int, count: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {count} frames", end="" if done < count else "\n", file=sys.stderr)


def _check_recording(arguments: argparse.Namespace) -> None:

    if not arguments.output:
        raise DuplexError(
            "no -o: expected a name that ends in .mp4, .mov, .webm or .gif for a video, or a folder for pictures"
        )
    if arguments.frames is not None and (arguments.render or not 1 <= arguments.frames <= 10000):
        raise DuplexError(f"--frames {arguments.frames}: expected 1 to 10000, and --turntable with it")
    if arguments.fps is not None and not 1 <= arguments.fps <= 240:
        raise DuplexError(f"--fps {arguments.fps:g}: expected 1 to 240")
    if arguments.camera:
        raise DuplexError("--camera does not go with --turntable or --render, which bring their own cameras")


def _measure(arguments: argparse.Namespace, size: tuple[int, int]) -> int:
    from duplex.app.scene.bundle_reader import read_bundle
    from duplex.app.tools import benchmark, scaling

    bundle = read_bundle(arguments.bundle)
    if arguments.scaling:
        measured = scaling.scaling(bundle)
        text = scaling.scaling_text(measured)
    else:
        measured = benchmark.benchmark(bundle, size)
        text = benchmark.text(measured)
    print(json.dumps(measured) if arguments.json else text)
    return 0


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels from ``800x600``; raises :class:`DuplexError`."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match or not all(16 <= int(x) <= MAX_SIDE for x in match.groups()):
        raise DuplexError(f"--size {text}: expected width x height from 16 to {MAX_SIDE}, for example 800x800")
    return int(match[1]), int(match[2])


def _color(text: str | None) -> Color | None:
    if text is None:
        return None
    named = {"white": (1.0, 1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0, 1.0), "transparent": (0.0, 0.0, 0.0, 0.0)}
    if text in named:
        return named[text]
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise DuplexError(f"--background {text}: expected white, black, transparent or #rrggbb")
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, 1.0

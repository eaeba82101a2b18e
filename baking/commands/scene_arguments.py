"""The flags for facts that a checkpoint does not contain, shared by the commands that read one."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from duplex.baking.checkpoints.loading import SPACES
from duplex.baking.fields.field import ACTIVATIONS
from duplex.baking.fields.readings import ENCODINGS, SKIP_ORDERS, WIRINGS
from duplex.baking.subject import CAMERAS, UPS, SceneOptions


def add_scene_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a checkpoint's scene and network to ``parser``."""
    parser.add_argument("--data", type=Path, help="the checkpoint's dataset: cameras are taken around its own")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ... [auto: cuda where there is one]")
    add_trusted(parser)
    scene = parser.add_argument_group("scene", "What the checkpoint's own files say, or their defaults, unless given.")
    scene.add_argument("--near", type=float, help="where rays begin, world units")
    scene.add_argument("--far", type=float, help="where rays end, world units")
    scene.add_argument("--background", metavar="COLOR", help="what it was trained against: white, black or #rrggbb")
    scene.add_argument("--bounds", type=float, nargs=6, metavar="X", help="box to look in: low x y z, high x y z")
    scene.add_argument("--cameras", choices=CAMERAS, help="from where the scene is seen")
    scene.add_argument("--up", choices=UPS, help="the world's upward axis; write --up=-y for a negative one")
    scene.add_argument("--samples", type=int, nargs=2, metavar="N", help="coarse and fine samples of a ray")
    scene.add_argument("--space", choices=SPACES, help="where the network lives: world, NDC, or a contracted world")
    scene.add_argument("--activation", choices=ACTIVATIONS, help="of the density")
    scene.add_argument("--encoding", choices=ENCODINGS, help="order of the positional encoding (t sin/cos, f, d xyz)")
    scene.add_argument("--skip-order", choices=SKIP_ORDERS, help="what a skip's layer takes first")
    scene.add_argument(
        "--wiring", choices=WIRINGS, nargs="+", metavar="WORD", help=f"of unknown names: some of {', '.join(WIRINGS)}"
    )


def add_trusted(parser: argparse.ArgumentParser) -> None:
    """Add the flag for files of one's own."""
    text = "the files are no stranger's: decode pictures in this process, not in one of its own"
    parser.add_argument("--trusted", action="store_true", help=text)


def scene_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The values of :func:`add_scene_arguments`' flags that the user gave, by field of :class:`SceneOptions`."""
    given = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(SceneOptions)}
    return {name: value for name, value in given.items() if value is not None}

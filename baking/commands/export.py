"""``duplex-bake export``: parse, export, print."""

from __future__ import annotations

import argparse
from pathlib import Path

from duplex.app.scene.bundle_reader import read_bundle
from duplex.baking.bundles.mesh_export import FORMATS, FRAMES, export_meshes
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_trusted


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-bake export``; ``arguments``: the command line after ``export``."""
    parser = argparse.ArgumentParser(
        "duplex-bake export", description="Write a bundle's two shells as meshes, and its cameras as transforms.json."
    )
    parser.add_argument("bundle", type=Path, help="the bundle to read")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--format", choices=FORMATS, default="ply", help="of the meshes [ply]")
    parser.add_argument("--frame", choices=FRAMES, default="dataset", help="whose coordinates [the dataset's files']")
    add_trusted(parser)
    given = parser.parse_args(arguments)
    return console.run(lambda: _export(given))


def _export(arguments: argparse.Namespace) -> int:
    bundle = read_bundle(arguments.bundle, trusted=arguments.trusted)
    for file in export_meshes(bundle, arguments.output, arguments.format, arguments.frame):
        print(f"{file.path}: {file.count} {file.content}")
    return 0

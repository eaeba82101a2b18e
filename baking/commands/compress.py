"""``duplex-bake compress`` and ``duplex-bake expand``: parse, store anew, print."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.core.metrics import psnr
from duplex.app.render.offscreen import render
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_trusted
from duplex.baking.compression.packing import CompressionConfig, compress, expanded
from duplex.baking.settings import add_flags, configured, given_settings

DEFAULT = "default"  # the only preset
CAMERAS = 4  # from which both are compared
SIZE = 800  # pixels a side


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-bake compress``; ``arguments``: the command line after ``compress``."""
    parser = argparse.ArgumentParser(
        "duplex-bake compress", description="Store a bundle in few bytes, nearly as it is, without reference pictures."
    )
    _add_files(parser)
    parser.add_argument("--megabytes", type=float, metavar="N", help="most that the file may take [what --step gives]")
    add_flags(parser, CompressionConfig, DEFAULT)
    given = parser.parse_args(arguments)
    return console.run(lambda: _compress(given))


def expand(arguments: list[str]) -> int:
    """Entry point of ``duplex-bake expand``; ``arguments``: the command line after ``expand``."""
    parser = argparse.ArgumentParser(
        "duplex-bake expand", description="Store a compressed bundle with standard parts: glTF, PNG, safetensors."
    )
    _add_files(parser)
    given = parser.parse_args(arguments)
    return console.run(lambda: _expand(given))


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="the bundle to read")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle to write")
    add_trusted(parser)


def _compress(arguments: argparse.Namespace) -> int:
    if arguments.megabytes is not None and not arguments.megabytes > 0:
        raise DuplexError(f"--megabytes {arguments.megabytes:g}: expected a positive number")
    settings = given_settings(arguments, CompressionConfig)
    config = configured(CompressionConfig, {DEFAULT: {}}, DEFAULT, settings).storage
    bundle = read_bundle(arguments.bundle, trusted=arguments.trusted)
    write_atomically(arguments.output, compress(bundle, config, arguments.megabytes))
    before, after = (path.stat().st_size / 1e6 for path in (arguments.bundle, arguments.output))
    alike = ""
    if bundle.cameras:
        alike = (
            f", {_likeness(bundle, read_bundle(arguments.output)):.1f} dB to the pictures of {arguments.bundle.name}"
        )
    print(f"{arguments.output}: {after:.2f} of {before:.2f} MB{alike}")
    return 0


def _likeness(first: Bundle, second: Bundle) -> float:
    """Mean PSNR in dB of pictures of both bundles from the same cameras, on the scene's background."""
    cameras = [camera.resized(SIZE, SIZE) for camera in first.cameras[:CAMERAS]]
    pictures = [
        np.asarray(render(scene, cameras, background=first.background)).astype(np.float32)[..., :3] / 255
        for scene in (first, second)
    ]
    return float(np.mean([psnr(a, b) for a, b in zip(*pictures, strict=True)]))


def _expand(arguments: argparse.Namespace) -> int:
    bundle = read_bundle(arguments.bundle, trusted=arguments.trusted)
    write_atomically(arguments.output, write_bundle(expanded(bundle)))
    before, after = (path.stat().st_size / 1e6 for path in (arguments.bundle, arguments.output))
    print(f"{arguments.output}: {after:.2f} MB, {before:.2f} MB compressed")
    return 0

"""``duplex-bake compress`` and ``duplex-bake expand``: parse, store anew, print."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from duplex.app.core.files import write_atomically
from duplex.app.core.metrics import psnr
from duplex.app.render.offscreen import render
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.baking.bundles.recompression import DEFAULT, RecompressionConfig, compress
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_trusted
from duplex.baking.compression.packing import expanded
from duplex.baking.settings import add_flags, given_settings

CAMERAS = 4  # from which both are compared
SIZE = 800  # pixels a side


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-bake compress``; ``arguments``: the command line after ``compress``."""
    parser = argparse.ArgumentParser(
        "duplex-bake compress",
        description="Store a bundle in few bytes, without reference pictures: its features learn to be small.",
    )
    _add_files(parser)
    parser.add_argument("--megabytes", type=float, metavar="N", help="most that the file may take")
    parser.add_argument("--teacher", type=Path, help="learn from this checkpoint [from the bundle's own pictures]")
    parser.add_argument("--data", type=Path, help="learn from the photos of this dataset too")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ... [auto: cuda where there is one]")
    add_flags(parser, RecompressionConfig, DEFAULT)
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
    bundle = read_bundle(arguments.bundle, trusted=arguments.trusted)
    before = arguments.bundle.stat().st_size / 1e6
    small = compress(
        bundle,
        arguments.output,
        megabytes=arguments.megabytes,
        teacher=arguments.teacher,
        data=arguments.data,
        device=arguments.device,
        trusted=arguments.trusted,
        **given_settings(arguments, RecompressionConfig),
    )
    after = arguments.output.stat().st_size / 1e6
    alike = ""
    if bundle.cameras:
        alike = f", {_likeness(bundle, small):.1f} dB to the pictures of {arguments.bundle.name}"
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

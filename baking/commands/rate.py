"""``duplex-eval rate``: parse, compress again and again, print."""

from __future__ import annotations

import argparse
from pathlib import Path

from duplex.app.core.apart import trusting
from duplex.app.core.errors import DuplexError
from duplex.app.core.outputs import check_output
from duplex.baking.bundles.rate_curve import rate_curve, write_rate
from duplex.baking.bundles.rate_ideas import rate_ideas, write_ideas
from duplex.baking.bundles.recompression import DEFAULT, RecompressionConfig, Sources
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_trusted
from duplex.baking.evaluation.evaluation import EvaluationOptions
from duplex.baking.settings import add_flags, configured, given_settings


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-eval rate``; ``arguments``: the command line after ``rate``."""
    parser = argparse.ArgumentParser(
        "duplex-eval rate", description="Store a bundle in ever fewer bytes, and compare the pictures."
    )
    parser.add_argument("bundle", type=Path, help="the bundle to read, best an uncompressed one")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the Markdown table; a PNG comes beside it")
    parser.add_argument("--teacher", type=Path, help="the checkpoint to learn from and to compare with")
    parser.add_argument("--data", type=Path, help="the dataset: learn from its photos, compare with its test photos")
    parser.add_argument("--size", type=int, default=800, help="longer side of the compared pictures in pixels [800]")
    parser.add_argument("--cameras", type=int, default=16, help="compared views of the teacher, or photos [16]")
    parser.add_argument(
        "--ideas", action="store_true", help="instead of the curve: what each idea of small files is worth"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ... [auto: cuda where there is one]")
    add_trusted(parser)
    add_flags(parser, RecompressionConfig, DEFAULT)
    given = parser.parse_args(arguments)
    return console.run(lambda: _rate(given))


def _rate(arguments: argparse.Namespace) -> int:
    if not (arguments.teacher or arguments.data):
        raise DuplexError("duplex-eval rate: nothing to compare with: expected --teacher, --data or both")
    check_output(arguments.output, "the table to write")
    config = configured(RecompressionConfig, {DEFAULT: {}}, DEFAULT, given_settings(arguments, RecompressionConfig))
    sources = Sources(arguments.teacher, arguments.data, arguments.device)
    EvaluationOptions(size=arguments.size, views=arguments.cameras).check()
    with trusting(arguments.trusted):
        measure, write = (rate_ideas, write_ideas) if arguments.ideas else (rate_curve, write_rate)
        write(measure(arguments.bundle, config, sources, arguments.size, arguments.cameras), arguments.output)
    print(arguments.output.read_text())
    return 0

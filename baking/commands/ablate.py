"""``duplex-eval ablate``: parse, train the variants, write the table."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.render.gpu import create_headless_context
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_scene_arguments, scene_options
from duplex.baking.config import PRESETS, BakeConfig, bake_config
from duplex.baking.evaluation.ablation import ablate, table
from duplex.baking.evaluation.metrics import Metrics
from duplex.baking.job import BakeJob, identity
from duplex.baking.runtime.devices import read_seed
from duplex.baking.runtime.workspace import Workspace
from duplex.baking.settings import add_flags, given_settings
from duplex.baking.subject import SceneOptions, read_subject, test_photos


class AblationWorkspace(Workspace):
    """The workspace of an ablation; its folder name differs from a bake's."""

    work = "ablation"
    suffix = ".ablating"


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-eval ablate``; ``arguments``: the command line after ``ablate``."""
    parser = argparse.ArgumentParser(
        "duplex-eval ablate",
        description="Distil a checkpoint again and again, each time without one idea of the method, and compare.",
    )
    parser.add_argument("checkpoint", type=Path, help="the checkpoint's file, or the folder that holds it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the Markdown table to write")
    parser.add_argument("--quality", choices=PRESETS, default="draft", help="preset of all settings [draft]")
    parser.add_argument("--size", type=int, default=200, help="height of the test photos in pixels [200]")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted ablation")
    parser.add_argument("--restart", action="store_true", help="throw an interrupted ablation away and begin anew")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers [0]")
    parser.add_argument("--no-lpips", action="store_true", help="leave out LPIPS, whose weights are fetched once")
    add_scene_arguments(parser)
    add_flags(parser, BakeConfig, "draft")
    given = parser.parse_args(arguments)
    return console.run(lambda: _ablate(given))


def _ablate(arguments: argparse.Namespace) -> int:
    if not 16 <= arguments.size <= 4096:
        raise DuplexError(f"--size {arguments.size}: expected 16 to 4096 pixels")
    if arguments.output.is_dir():
        raise DuplexError(f"{arguments.output}: a folder: expected the name of the table to write")
    config = bake_config(arguments.quality, given_settings(arguments, BakeConfig))
    seed = read_seed(arguments.seed)
    options = SceneOptions(**scene_options(arguments))
    subject = read_subject(arguments.checkpoint, arguments.data, arguments.device, options)
    job = BakeJob(subject.teacher, config, subject.rig, subject.cameras, subject.photos, seed, subject.to_dataset)
    test = [(photo, min(arguments.size, photo.camera.height)) for photo in test_photos(subject, arguments.data)]
    metrics = Metrics(not arguments.no_lpips)
    test_identities = [identity(photo) for photo, _ in test]
    fingerprint = f"{job.fingerprint()} {json.dumps(test_identities)} {arguments.size} {not arguments.no_lpips}"
    ctx = create_headless_context()
    with AblationWorkspace(arguments.output, fingerprint, arguments.resume, arguments.restart) as workspace:
        markdown = table(ablate(job, test, workspace, ctx, metrics))
        print(markdown)
        write_atomically(arguments.output, (markdown + "\n").encode(), beside=workspace.folder)
        workspace.remove()
    return 0

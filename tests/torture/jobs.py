"""What is tortured: one entry for each command that writes something."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders import synthetic, training
from builders.commands import TINY, TINY_SETTINGS

SAVES = 60  # of a file that is written in a moment
TRAINING = ["--size", "32", "--voxels", "24", "--first-voxels", "16", "--density", "2", "--app", "4", "--features", "4",
            "--width", "8", "--batch", "500", "--steps", "40"]  # fmt: skip


@dataclass(frozen=True)
class TortureJob:
    """A run that writes ``outputs`` (paths in its folder) from the common ``inputs``.

    ``run``: called in the run's folder with the folder of inputs; returns the exit status. ``share``: how often it is
    chosen, relative to others.
    """

    name: str
    outputs: tuple[str, ...]
    run: Callable[[Path], int]
    share: int = 1


def command(module: str, *arguments: str, workspace: str = "") -> Callable[[Path], int]:
    """A command with ``arguments``, in which ``@`` stands for the folder of inputs; it resumes an interrupted run."""

    def run(inputs: Path) -> int:
        words = [str(inputs / word[1:]) if word.startswith("@") else word for word in arguments]
        resume = ["--resume"] if workspace and Path(workspace).exists() else []
        sys.argv = [module, *words, *resume]
        importlib.import_module("duplex.baking.runtime.training_state").SAVE_SECONDS = 0.0
        return int(importlib.import_module(f"duplex.{module}").main())

    return run


def many_times(save: Callable[[], None]) -> Callable[[Path], int]:
    """Something that is written in a moment, again and again."""

    def run(inputs: Path) -> int:
        from duplex.app.core.errors import run_command

        def body() -> int:
            for _ in range(SAVES):
                save()
            return 0

        return run_command(body)

    return run


def _save_settings() -> None:
    from duplex.app.core.errors import DuplexError
    from duplex.app.viewer.settings import Settings, load_settings

    settings, file = Settings(recent=[str(i) for i in range(8)], size=[800, 600]), Path("viewer.json")
    settings.save(file)
    if load_settings(file) != settings:  # the window says nothing of it
        raise DuplexError(f"{file}: not saved")


def _save_path() -> None:
    import numpy as np

    from duplex.app.scene.camera_path import CameraPath, Keyframe
    from duplex.app.scene.path_files import write_path

    keys = tuple(Keyframe(np.eye(4) + i * np.eye(4, k=3), 0.7) for i in range(2))
    write_path(CameraPath(keys), Path("path.json"), np.eye(4), np.eye(4))


BAKE, EVALUATE, TRAIN, VIEW = (
    "baking.commands.bake",
    "baking.commands.evaluate",
    "baking.commands.train",
    "app.tools.cli",
)
SMALL_PICTURES = ("--size", "32x32", "--backend", "fragment")
MESHES = ("outer.ply", "inner.ply", "transforms.json")

JOBS: Sequence[TortureJob] = (
    TortureJob(
        "bake",
        ("x.bundle",),
        command(BAKE, "@octahedron", "-o", "x.bundle", *TINY_SETTINGS, workspace="x.bundle.baking"),
        share=3,
    ),
    TortureJob(
        "train",
        ("x.th",),
        command(TRAIN, "@photos", "-o", "x.th", *TRAINING, workspace="x.th.training"),
        share=3,
    ),
    TortureJob(
        "ablate",
        ("x.md",),
        command(
            EVALUATE,
            *("ablate", "@octahedron", "-o", "x.md", "--no-lpips"),
            *TINY_SETTINGS,
            workspace="x.md.ablating",
        ),
    ),
    TortureJob(
        "export", tuple(f"meshes/{name}" for name in MESHES), command(BAKE, "export", "@scene.bundle", "-o", "meshes")
    ),
    TortureJob(
        "compress",
        ("small.bundle",),
        command(BAKE, "compress", "@scene.bundle", "-o", "small.bundle", "--views", "4", "--rate-steps", "2"),
    ),
    TortureJob("inspect", ("x.png",), command(BAKE, "inspect", "@octahedron", "--preview", "x.png", "--size", "32")),
    TortureJob(
        "video",
        ("x.mp4",),
        command(VIEW, "@scene.bundle", "--turntable", "--overwrite", "-o", "x.mp4", "--frames", "12", *SMALL_PICTURES),
        share=2,
    ),
    TortureJob(
        "pictures",
        (*(f"turn/{i:03d}.png" for i in range(6)), "turn/contact-sheet.png"),
        command(VIEW, "@scene.bundle", "--turntable", "--overwrite", "-o", "turn", "--frames", "6", *SMALL_PICTURES),
    ),
    TortureJob(
        "screenshot",
        ("x.png",),
        command(VIEW, "@scene.bundle", "--screenshot", "x.png", "--camera", "0", *SMALL_PICTURES),
    ),
    TortureJob(
        "report",
        ("scene.report.html",),
        command(EVALUATE, "scene.bundle", "--teacher", "@octahedron", "--views", "1", "--size", "32", "--no-lpips"),
    ),
    TortureJob("settings", ("viewer.json",), many_times(_save_settings)),
    TortureJob("path", ("path.json",), many_times(_save_path)),
)
LINKED = {"report": ("scene.bundle",)}  # inputs that have to lie in the folder of the run


def write_inputs(folder: Path) -> int:
    """Write a checkpoint, photos and a bundle, which the jobs read."""
    synthetic.write_flexible(folder / "octahedron")
    training.write_dataset(folder / "photos")
    return command(BAKE, "@octahedron", "-o", str(folder / "scene.bundle"), *TINY)(folder)

"""The flags by which a user tells ``duplex-bake`` and its siblings what a checkpoint does not say of itself."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.baking.checkpoints.loading import SPACES, load_teacher
from duplex.baking.datasets.photos import Dataset, Photo
from duplex.baking.datasets.reading import read_cameras, read_dataset
from duplex.baking.fields.field import ACTIVATIONS, Overrides, Teacher
from duplex.baking.fields.spaces import Ndc
from duplex.baking.rig import Rig
from duplex.baking.runtime.progress import say

BACKGROUNDS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}
ENCODINGS = ("ftd", "tfd", "tdf", "dtf")
UPS = {f"{sign}{axis}": (sign, i) for i, axis in enumerate("xyz") for sign in "+-"}


@dataclass(frozen=True)
class Subject:
    """A teacher and where to look at it from.

    ``cameras``, ``photos``: those of its dataset for training, in the teacher's world, none without a dataset;
    ``to_dataset``: (4, 4), from that world to the frame of the dataset's files.
    """

    teacher: Teacher
    rig: Rig
    cameras: tuple[Camera, ...]
    photos: tuple[Photo, ...]
    to_dataset: Array


def add_scene_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of a checkpoint's scene and network."""
    parser.add_argument("--data", type=Path, help="the checkpoint's dataset: cameras are taken around its own")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ... [auto: cuda where there is one]")
    scene = parser.add_argument_group("scene", "What the checkpoint's own files say, or their defaults, unless given.")
    scene.add_argument("--near", type=float, help="where rays begin, world units")
    scene.add_argument("--far", type=float, help="where rays end, world units")
    scene.add_argument("--background", metavar="COLOR", help="what it was trained against: white, black or #rrggbb")
    scene.add_argument("--bounds", type=float, nargs=6, metavar="X", help="box to look in: low x y z, high x y z")
    scene.add_argument("--cameras", choices=("hemisphere", "sphere"), help="from where the scene is seen")
    scene.add_argument("--up", choices=UPS, help="the world's upward axis; write --up=-y for a negative one")
    scene.add_argument("--samples", type=int, nargs=2, metavar="N", help="coarse and fine samples of a ray")
    scene.add_argument("--space", choices=SPACES, help="where the network lives: world, NDC, or a contracted world")
    scene.add_argument("--activation", choices=ACTIVATIONS, help="of the density")
    scene.add_argument("--encoding", choices=ENCODINGS, help="order of the positional encoding (t sin/cos, f, d xyz)")


def read_subject(checkpoint: Path, arguments: argparse.Namespace) -> Subject:
    """Load a checkpoint as the flags say; raises :class:`DuplexError`. What had to be assumed is printed."""
    if arguments.data and arguments.cameras:
        raise DuplexError("--cameras does not go with --data, which brings its own")
    dataset = read_dataset(arguments.data) if arguments.data else None
    teacher = load_teacher(checkpoint, pick_device(arguments.device), _overrides(arguments, dataset))
    scene = teacher.scene
    for assumption in scene.assumed:
        say(f"assumed: {assumption}")
    if dataset is None:
        rig = Rig.from_scene(scene)
        if arguments.bounds and not isinstance(scene.space, Ndc):
            rig = rig.around(np.array(scene.bounds).mean(0))
        return Subject(teacher, rig, (), (), np.eye(4))
    if dataset.missing:
        say(f"note: {dataset.missing} of the pictures that {arguments.data} names are missing")
    to_world = world_of(scene.dataset_to_world, dataset.to_original)
    if dataset.kind == "colmap" and not arguments.up:
        x, y, z = to_world[:3, :3] @ dataset.up
        length = math.hypot(x, y, z)
        scene = replace(scene, up=(float(x / length), float(y / length), float(z / length)))
        teacher = replace(teacher, scene=scene)
    cameras = tuple(c.moved(to_world) for c in read_cameras(arguments.data, "train", scene.principal_shift))
    rig = Rig.from_cameras(list(cameras), scene, forward=dataset.forward_facing)
    photos = _photos(arguments.data, "train", scene.principal_shift, to_world)
    return Subject(teacher, rig, cameras, photos, dataset.to_original @ np.linalg.inv(to_world))


def test_photos(subject: Subject, folder: Path | None) -> tuple[Photo, ...]:
    """The test photos of a subject's dataset, with their cameras in its teacher's world; none without a dataset."""
    if folder is None:
        return ()
    scene = subject.teacher.scene
    to_world = world_of(scene.dataset_to_world, read_dataset(folder).to_original)
    return _photos(folder, "test", scene.principal_shift, to_world)


def _photos(folder: Path, split: str, principal_shift: float, to_world: Array) -> tuple[Photo, ...]:
    photos = read_dataset(folder, principal_shift).photos.get(split, ())
    return tuple(replace(photo, camera=photo.camera.moved(to_world)) for photo in photos)


def world_of(dataset_to_world: Sequence[float] | None, to_original: Array) -> Array:
    """(4, 4) from the world of a dataset's cameras as they are read to a teacher's world.

    ``dataset_to_world``: as :class:`~duplex.baking.fields.field.SceneInfo` has it; ``to_original``: as
    :class:`~duplex.baking.datasets.photos.Dataset` has it.
    """
    return np.eye(4) if dataset_to_world is None else np.array(dataset_to_world).reshape(4, 4) @ to_original


def pick_device(name: str) -> torch.device:
    """The torch device of a ``--device`` flag; raises :class:`DuplexError` when there is none of that name."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("only cpu and cuda are supported")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DuplexError(f"--device {name}: not available ({str(error).splitlines()[0]}): try cpu") from None
    return device


def read_seed(seed: int) -> int:
    """The number of a ``--seed`` flag; raises :class:`DuplexError` for one that no generator takes."""
    if not 0 <= seed < 1 << 63:
        raise DuplexError(f"--seed {seed}: expected 0 to 2^63 - 1")
    return seed


def read_background(text: str | None) -> tuple[float, float, float] | None:
    """The colour of a ``--background`` flag; raises :class:`DuplexError` for what is none."""
    if text is None or text in BACKGROUNDS:
        return BACKGROUNDS.get(text or "")
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise DuplexError(f"--background {text}: expected white, black or #rrggbb")
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _overrides(arguments: argparse.Namespace, dataset: Dataset | None) -> Overrides:
    values: dict[str, Any] = {
        "near": arguments.near,
        "far": arguments.far,
        "background": read_background(arguments.background),
        "bounds": read_bounds(arguments.bounds),
        "samples": tuple(arguments.samples) if arguments.samples else None,
        "space": arguments.space,
        "activation": arguments.activation,
        "encoding": arguments.encoding,
    }
    if arguments.cameras:
        values["hemisphere"] = arguments.cameras == "hemisphere"
    if arguments.up:
        sign, axis = UPS[arguments.up]
        values["up"] = tuple((1.0 if sign == "+" else -1.0) * (i == axis) for i in range(3))
    if dataset is not None:
        photos = next(part for part in (dataset.photos.get("train", ()), *dataset.photos.values()) if part)
        values["camera"] = photos[0].camera
        every = {photo.path: photo.camera.camera_to_world for part in dataset.photos.values() for photo in part}
        values |= {"poses": np.stack(list(every.values())), "to_original": dataset.to_original}
        if dataset.near is not None and dataset.far is not None:
            values["depths"] = (dataset.near, dataset.far)
    return Overrides(**values)


def read_bounds(values: list[float] | None) -> Array | None:
    """The box (2, 3) of a --bounds flag; raises :class:`DuplexError` for what is none."""
    if values is None:
        return None
    bounds = np.array(values).reshape(2, 3)
    if not np.isfinite(bounds).all() or (bounds[1] <= bounds[0]).any():
        raise DuplexError(
            f"--bounds {' '.join(f'{x:g}' for x in values)}: expected low x y z, then a larger high x y z"
        )
    return bounds

"""What is baked: a teacher and its rig of cameras, read from a checkpoint, a dataset and the user's options."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.baking.checkpoints.loading import SPACES, checkpoint_in, load_teacher
from duplex.baking.datasets.photos import Dataset, Photo
from duplex.baking.datasets.reading import is_dataset, read_cameras, read_dataset
from duplex.baking.datasets.up_axis import same_axis, up_note
from duplex.baking.fields.field import ACTIVATIONS, Overrides, SceneInfo, Teacher
from duplex.baking.fields.readings import ENCODINGS, SKIP_ORDERS, WIRINGS
from duplex.baking.fields.spaces import Ndc
from duplex.baking.reading_search import settled
from duplex.baking.rig import Rig
from duplex.baking.runtime.devices import pick_device
from duplex.baking.runtime.progress import say
from duplex.baking.settings import as_number, flag_of

BACKGROUNDS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}
UPS = {f"{sign}{axis}": (sign, i) for i, axis in enumerate("xyz") for sign in "+-"}
CAMERAS = ("hemisphere", "sphere")
CHOICES: dict[str, Collection[str]] = {  # of the options that are names
    "cameras": CAMERAS,
    "up": UPS,
    "space": SPACES,
    "activation": ACTIVATIONS,
    "encoding": ENCODINGS,
    "skip_order": SKIP_ORDERS,
}


@dataclass(frozen=True)
class SceneOptions:
    """The user's options for a checkpoint's scene and network; None leaves the choice to its files or their defaults.

    ``near``, ``far``: where rays begin and end, world units; ``background``: the background of the training pictures,
    ``white``, ``black`` or ``#rrggbb``; ``bounds``: low x y z, high x y z of the box that holds the scene;
    ``cameras``: one of :data:`CAMERAS`, where cameras stand; ``up``: one of :data:`UPS`; ``samples``: coarse and fine
    samples per ray; ``space``: ``world``, ``ndc`` or ``contracted``; ``activation``: of the density; ``encoding``: one
    of ``ENCODINGS``, the order of the positional encoding; ``skip_order``, ``wiring``: of networks of foreign names,
    one of ``SKIP_ORDERS``, some of ``WIRINGS`` (all in :mod:`duplex.baking.fields.readings`).
    """

    near: float | None = None
    far: float | None = None
    background: str | None = None
    bounds: Sequence[float] | Array | None = None
    cameras: str | None = None
    up: str | None = None
    samples: Sequence[int] | None = None
    space: str | None = None
    activation: str | None = None
    encoding: str | None = None
    skip_order: str | None = None
    wiring: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Raise :class:`DuplexError` for a value of another type and for an unknown name."""
        for name in ("near", "far"):
            if getattr(self, name) is not None:
                as_number(name, getattr(self, name), float)
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in tuple(choices):
                raise DuplexError(f"{flag_of(name)} {value!r:.60}: expected {', '.join(choices)}")
        read_background(self.background)
        read_bounds(self.bounds)
        read_samples(self.samples)
        read_wiring(self.wiring)


@dataclass(frozen=True)
class Subject:
    """A teacher, the rig of its cameras, and the training split of its dataset.

    ``cameras``, ``photos``: of the training split, in the teacher's world, empty without a dataset; ``to_dataset``:
    (4, 4), from the teacher's world to the frame of the dataset's files.
    """

    teacher: Teacher
    rig: Rig
    cameras: tuple[Camera, ...]
    photos: tuple[Photo, ...]
    to_dataset: Array


def read_subject(checkpoint: Path, data: Path | None, device: str, options: SceneOptions) -> Subject:
    """Load ``checkpoint`` with ``options``, and report all assumptions; raises :class:`DuplexError`.

    ``data``: the folder of its dataset; ``device``: a name for :func:`~duplex.baking.runtime.devices.pick_device`.
    """
    if data and options.cameras:
        raise DuplexError("--cameras does not go with --data, which brings its own")
    if checkpoint.is_dir() and checkpoint_in(checkpoint) is None and is_dataset(checkpoint):
        raise DuplexError(
            f"{checkpoint}: a dataset of photos: expected a checkpoint: train one with duplex-train {checkpoint.name} "
            "-o teacher.th, or give it as --data beside a checkpoint"
        )
    dataset = read_dataset(data) if data else None
    overrides = overrides_of(options, dataset)
    teacher = load_teacher(checkpoint, pick_device(device), overrides)
    if teacher.questions and dataset is not None:
        to_world = world_of(teacher.scene.dataset_to_world, dataset.to_original)
        photos = _photos(dataset, "train", teacher.scene.principal_shift, to_world)
        teacher = settled(teacher, photos, lambda given: load_teacher(teacher.path, pick_device(device), given))
    scene = teacher.scene
    for assumption in scene.assumed:
        say(f"assumed: {assumption}")
    if dataset is None or data is None:
        rig = Rig.from_scene(scene)
        if options.bounds is not None and not isinstance(scene.space, Ndc):
            rig = rig.around(np.array(scene.bounds).mean(0))
        return Subject(teacher, rig, (), (), np.eye(4))
    dataset.report(data)
    to_world = world_of(scene.dataset_to_world, dataset.to_original)
    if not options.up:
        scene = replace(scene, up=_up_of(scene, dataset, to_world))
        teacher = replace(teacher, scene=scene)
    cameras = tuple(c.moved(to_world) for c in read_cameras(data, "train", scene.principal_shift))
    rig = Rig.from_cameras(list(cameras), scene, forward=dataset.forward_facing)
    photos = _photos(dataset, "train", scene.principal_shift, to_world)
    return Subject(teacher, rig, cameras, photos, dataset.to_original @ np.linalg.inv(to_world))


def _up_of(scene: SceneInfo, dataset: Dataset, to_world: Array) -> tuple[float, float, float]:
    """The up axis of ``scene``: its own, unless its dataset's cameras show another."""
    has_usual = dataset.kind != "colmap"
    shown = dataset.shown_up if has_usual else dataset.up
    if shown is None or (has_usual and isinstance(scene.space, Ndc)):
        return scene.up
    turned = to_world[:3, :3] @ shown
    turned /= math.hypot(*turned)
    if has_usual:
        if same_axis(turned, np.array(scene.up)):
            return scene.up
        say(up_note(turned, np.array(scene.up)))
    x, y, z = turned
    return float(x), float(y), float(z)


def test_photos(scene: SceneInfo, folder: Path | None) -> tuple[Photo, ...]:
    """The test photos of the dataset in ``folder``, with cameras in the world of ``scene``; empty without a dataset."""
    if folder is None:
        return ()
    dataset = read_dataset(folder)
    return _photos(dataset, "test", scene.principal_shift, world_of(scene.dataset_to_world, dataset.to_original))


def _photos(dataset: Dataset, split: str, principal_shift: float, to_world: Array) -> tuple[Photo, ...]:
    photos = [photo.shifted(principal_shift) for photo in dataset.photos.get(split, ())]
    return tuple(replace(photo, camera=photo.camera.moved(to_world)) for photo in photos)


def world_of(dataset_to_world: Sequence[float] | None, to_original: Array) -> Array:
    """The transform (4, 4) from a dataset's cameras, as they are read, to a teacher's world.

    ``dataset_to_world``: see :class:`~duplex.baking.fields.field.SceneInfo`; ``to_original``: see
    :class:`~duplex.baking.datasets.photos.Dataset`.
    """
    return np.eye(4) if dataset_to_world is None else np.array(dataset_to_world).reshape(4, 4) @ to_original


def read_background(text: str | None) -> tuple[float, float, float] | None:
    """The RGB colour in [0, 1] of a ``--background`` flag; raises :class:`DuplexError` for invalid text."""
    if text is None:
        return None
    if isinstance(text, str) and text in BACKGROUNDS:
        return BACKGROUNDS[text]
    if not isinstance(text, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise DuplexError(f"--background {text!s:.60}: expected white, black or #rrggbb")
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def overrides_of(options: SceneOptions, dataset: Dataset | None) -> Overrides:
    """The overrides for a family's loader: the user's ``options`` and the facts in the dataset's files."""
    values: dict[str, Any] = {
        "near": options.near,
        "far": options.far,
        "background": read_background(options.background),
        "bounds": read_bounds(options.bounds),
        "samples": read_samples(options.samples),
        "space": options.space,
        "activation": options.activation,
        "encoding": options.encoding,
        "skip_order": options.skip_order,
        "wiring": read_wiring(options.wiring),
    }
    if options.cameras:
        values["hemisphere"] = options.cameras == "hemisphere"
    if options.up:
        sign, axis = UPS[options.up]
        values["up"] = tuple((1.0 if sign == "+" else -1.0) * (i == axis) for i in range(3))
    if dataset is not None:
        photos = next(part for part in (dataset.photos.get("train", ()), *dataset.photos.values()) if part)
        values["camera"] = photos[0].camera
        poses = {photo.path: photo.camera.camera_to_world for part in dataset.photos.values() for photo in part}
        values |= {"poses": np.stack(list(poses.values())), "to_original": dataset.to_original}
        if dataset.near is not None and dataset.far is not None:
            values["depths"] = (dataset.near, dataset.far)
    return Overrides(**values)


def read_bounds(values: Sequence[float] | Array | None) -> Array | None:
    """The low and high corner (2, 3) of a ``--bounds`` flag; raises :class:`DuplexError` for invalid corners."""
    if values is None:
        return None
    expected = "expected low x y z, then a larger high x y z"
    try:
        bounds = np.array(values, np.float64).reshape(2, 3)
    except (TypeError, ValueError):
        raise DuplexError(f"--bounds {values!r:.80}: {expected}") from None
    if not np.isfinite(bounds).all() or (bounds[1] <= bounds[0]).any():
        raise DuplexError(f"--bounds {' '.join(f'{x:g}' for x in bounds.reshape(-1))}: {expected}")
    return bounds


def read_samples(values: Sequence[int] | None) -> tuple[int, int] | None:
    """The coarse and fine samples per ray of a ``--samples`` flag; raises :class:`DuplexError` for other values."""
    if values is None:
        return None
    try:
        coarse, fine = values
    except (TypeError, ValueError):
        raise DuplexError(f"--samples {values!r:.60}: expected two whole numbers, coarse and fine") from None
    return as_number("samples", coarse, int), as_number("samples", fine, int)


def read_wiring(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """The words of a ``--wiring`` flag; raises :class:`DuplexError` for others."""
    if words is None:
        return None
    if isinstance(words, str) or not all(word in WIRINGS for word in words):
        raise DuplexError(f"--wiring {words!r:.60}: expected some of {', '.join(WIRINGS)}")
    return tuple(words)

"""Where a bundle comes from: the bake writes teacher, settings and seed into it, and the evaluation reads them back.

A bundle is untrusted input: every value is checked on reading, and a missing value becomes None.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.app.scene.bundle import Bundle
from duplex.baking.config import BakeConfig, check
from duplex.baking.fields import spaces
from duplex.baking.fields.field import ACTIVATIONS, Overrides, Teacher
from duplex.baking.fields.readings import ENCODINGS, SKIP_ORDERS, WIRINGS
from duplex.baking.geometry.crop import CropRegion
from duplex.baking.job import BakeJob, needs
from duplex.baking.rig import Rig
from duplex.baking.runtime.memory import GIB, peak_gpu_memory, peak_memory_gib

REMEDY = "a damaged bundle; bake again"
MAX_SEED = (1 << 63) - 1
MAX_SETTING = 1 << 20  # of any setting, before its own range is checked
MAX_DEPTH = 1e30

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Provenance:
    """The manifest's ``teacher`` object: the values that the bake used.

    ``family``, ``file``, ``sha256``: of the checkpoint; ``near``, ``far``: of rays, world units; ``principal_shift``:
    see :class:`~duplex.baking.fields.field.SceneInfo`; ``space``: the JSON object of the field's space; ``bounds``: low
    and high corner in that space, None for a scene without a box; ``dataset_to_world``: (4, 4) as 16 numbers, row by
    row, or None; ``activation``, ``encoding``, ``skip_order``, ``wiring``: what the user, or photos, said, or None;
    ``crop``: :attr:`~duplex.baking.geometry.crop.CropRegion.numbers` or None.
    """

    family: str
    file: str
    sha256: str
    near: float
    far: float
    principal_shift: float
    space: dict[str, Any]
    bounds: tuple[Corner, Corner] | None
    dataset_to_world: tuple[float, ...] | None
    activation: str | None
    encoding: str | None
    skip_order: str | None
    wiring: list[str] | None
    crop: tuple[float, ...] | None

    @classmethod
    def of(cls, teacher: Teacher, crop: CropRegion | None = None) -> Provenance:
        """The provenance of bundles baked from the part ``crop`` of ``teacher``."""
        scene = teacher.scene
        return cls(
            family=teacher.family,
            file=teacher.path.name,
            sha256=teacher.sha256,
            near=scene.near,
            far=scene.far,
            principal_shift=scene.principal_shift,
            space=scene.space.to_json(),
            bounds=scene.bounds,
            dataset_to_world=scene.dataset_to_world,
            activation=teacher.overrides.activation,
            encoding=teacher.overrides.encoding,
            skip_order=teacher.overrides.skip_order,
            wiring=None if teacher.overrides.wiring is None else list(teacher.overrides.wiring),
            crop=None if crop is None else crop.numbers,
        )

    def to_json(self) -> dict[str, Any]:
        """The manifest's object."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def report_of(job: BakeJob, seconds: dict[str, float], facts: dict[str, Any]) -> dict[str, Any]:
    """The bundle's ``report.json``: ``facts`` of the distillation, seed, settings, and the cost of the bake.

    ``seconds``: of each stage, by its name.
    """
    return {
        **facts,
        "seed": job.seed,
        "settings": dataclasses.asdict(job.config),
        "peak_memory_gib": round(peak_memory_gib(), 2),
        "peak_gpu_memory_gib": round(peak_gpu_memory(job.teacher.device) / GIB, 2),
        "expected_memory_gib": round(needs(job).memory / GIB, 2),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def seed_of(bundle: Bundle) -> int:
    """The seed of the bake; 0 if the bundle does not record it."""
    return Node(bundle.report, "report.json", REMEDY).whole("seed", 0, MAX_SEED, 0)


def view_size_of(bundle: Bundle) -> int:
    """The side in pixels of the pictures that the bake learned from; the default if the bundle does not record it."""
    try:
        return Node(bundle.report, "report.json").child("settings").child("views").whole("view_size", 32, 2048)
    except DuplexError:
        return BakeConfig().views.view_size


def rig_of(bundle: Bundle) -> Rig:
    """The rig that a bundle was baked with; raises :class:`DuplexError` if it records no valid one."""
    data = Node(bundle.rig, "cameras.json: rig", REMEDY)
    rig = Rig.from_json(data)
    dataset = data.whole("dataset_cameras", 0, len(bundle.cameras), 0)
    if dataset:
        rig = replace(rig, poses=np.stack([camera.camera_to_world for camera in bundle.cameras[-dataset:]]))
    return rig


def config_of(bundle: Bundle) -> BakeConfig:
    """The settings with which the bake rendered its teacher; the defaults if the bundle does not record them."""
    config = BakeConfig()
    try:
        settings = Node(bundle.report, "report.json").child("settings")
        density = {key: settings.child("density").whole(key, 0, MAX_SETTING) for key in ("grid", "scan")}
        steps = settings.child("views").whole("sub_steps", 0, MAX_SETTING)
    except DuplexError:
        return config
    config = replace(config, density=replace(config.density, **density), views=replace(config.views, sub_steps=steps))
    check(config)
    return config


def bounds_of(bundle: Bundle) -> tuple[Corner, Corner] | None:
    """The box of the bake in the teacher's space; None for a scene without one."""
    teacher = _teacher(bundle)
    if "bounds" not in teacher:
        return None
    a, b, c, d, e, f = teacher.numbers("bounds", 6).tolist()
    return (a, b, c), (d, e, f)


def crop_of(bundle: Bundle) -> CropRegion | None:
    """The part of the teacher's scene that was baked; None for all of it."""
    teacher = _teacher(bundle)
    if "crop" not in teacher:
        return None
    count = len(teacher.elements("crop", 6))
    numbers = [str(x) for x in teacher.numbers("crop", count).tolist()]
    return CropRegion.of([f"sphere:{','.join(numbers)}"] if count == 4 else numbers, bundle.to_dataset)


def depths_of(bundle: Bundle) -> tuple[float, float] | None:
    """Near and far of the bake's rays, world units; None if the bundle does not record them."""
    teacher = _teacher(bundle)
    if "near" not in teacher or "far" not in teacher:
        return None
    return teacher.number("near", -MAX_DEPTH, MAX_DEPTH), teacher.number("far", -MAX_DEPTH, MAX_DEPTH)


def overrides_of(bundle: Bundle) -> Overrides:
    """The overrides that the bake loaded its teacher with, so that it is loaded the same way again."""
    teacher = _teacher(bundle)
    words = teacher.child("wiring") if "wiring" in teacher else None
    count = len(teacher.elements("wiring", len(WIRINGS)))
    return Overrides(
        activation=teacher.text("activation", ACTIVATIONS) if "activation" in teacher else None,
        encoding=teacher.text("encoding", ENCODINGS) if "encoding" in teacher else None,
        skip_order=teacher.text("skip_order", SKIP_ORDERS) if "skip_order" in teacher else None,
        wiring=None if words is None else tuple(words.text(i, WIRINGS) for i in range(count)),
        depths=depths_of(bundle),
    )


def space_of(bundle: Bundle) -> Any:
    """The space of the teacher's field."""
    return spaces.from_json(Node(bundle.teacher.get("space"), "manifest.json: teacher: space"))


def dataset_to_world_of(bundle: Bundle) -> list[float] | None:
    """The transform (4, 4) from the dataset's world to the teacher's, row by row; None where both are the same."""
    teacher = _teacher(bundle)
    return teacher.numbers("dataset_to_world", 16).tolist() if "dataset_to_world" in teacher else None


def principal_shift_of(bundle: Bundle) -> float:
    """The shift of the teacher's principal point (see :class:`duplex.baking.fields.field.SceneInfo`)."""
    return _teacher(bundle).number("principal_shift", -1, 1, 0)


def _teacher(bundle: Bundle) -> Node:
    return Node(bundle.teacher, "manifest.json: teacher", REMEDY)

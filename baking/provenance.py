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
from duplex.baking.job import BakeJob, needs
from duplex.baking.rig import Rig
from duplex.baking.runtime.memory import GIB, peak_gpu_memory, peak_memory_gib
from duplex.baking.subject import ENCODINGS

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Provenance:
    """The manifest's ``teacher`` object: the values that the bake used.

    ``family``, ``file``, ``sha256``: of the checkpoint; ``near``, ``far``: of rays, world units; ``principal_shift``:
    see :class:`~duplex.baking.fields.field.SceneInfo`; ``space``: the JSON object of the field's space; ``bounds``: low
    and high corner in that space, None for a scene without a box; ``dataset_to_world``: (4, 4) as 16 numbers, row by
    row, or None; ``activation``, ``encoding``: the user's choice, or None.
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

    @classmethod
    def of(cls, teacher: Teacher) -> Provenance:
        """The provenance of bundles baked from ``teacher``."""
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
    return int(bundle.report.get("seed", 0))


def rig_of(bundle: Bundle) -> Rig:
    """The rig that a bundle was baked with; raises :class:`DuplexError` if it records no valid one."""
    try:
        rig = Rig.from_json(bundle.rig)
        dataset = int(bundle.rig.get("dataset_cameras", 0))
        seed = seed_of(bundle)
        if not 0 <= dataset <= len(bundle.cameras) or not 0 <= seed < 1 << 63:
            raise ValueError("counts that do not fit")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DuplexError(f"cameras.json: no rig to draw unseen cameras from ({error}): bake again") from None
    if dataset:
        rig = replace(rig, poses=np.stack([camera.camera_to_world for camera in bundle.cameras[-dataset:]]))
    return rig


def config_of(bundle: Bundle) -> BakeConfig:
    """The settings with which the bake rendered its teacher; the defaults if the bundle does not record them."""
    config = BakeConfig()
    settings = bundle.report.get("settings", {})
    try:
        density = {key: int(settings["density"][key]) for key in ("grid", "scan")}
        steps = int(settings["views"]["sub_steps"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return config
    config = replace(config, density=replace(config.density, **density), views=replace(config.views, sub_steps=steps))
    check(config)
    return config


def bounds_of(bundle: Bundle) -> tuple[Corner, Corner] | None:
    """The box of the bake in the teacher's space; None for a scene without one."""
    corners = bundle.teacher.get("bounds")
    if corners is None:
        return None
    try:
        (a, b, c), (d, e, f) = ([float(x) for x in corner] for corner in corners)
    except (TypeError, ValueError, OverflowError):
        raise DuplexError(f"manifest.json: teacher: bounds {str(corners)[:80]}: expected two corners") from None
    return (a, b, c), (d, e, f)


def depths_of(bundle: Bundle) -> tuple[float, float] | None:
    """Near and far of the bake's rays, world units; None if the bundle does not record them."""
    depths = {key: bundle.teacher[key] for key in ("near", "far") if key in bundle.teacher}
    try:
        return (float(depths["near"]), float(depths["far"])) if len(depths) == 2 else None
    except (TypeError, ValueError, OverflowError):
        raise DuplexError(f"manifest.json: teacher {depths}: expected numbers for near and far: bake again") from None


def overrides_of(bundle: Bundle) -> Overrides:
    """The overrides that the bake loaded its teacher with, so that it is loaded the same way again."""
    activation = bundle.teacher.get("activation")
    encoding = bundle.teacher.get("encoding")
    if activation not in (None, *ACTIVATIONS) or encoding not in (None, *ENCODINGS):
        raise DuplexError(f"manifest.json: teacher: {activation!r} or {encoding!r} is no known name: bake again")
    return Overrides(activation=activation, encoding=encoding, depths=depths_of(bundle))


def space_of(bundle: Bundle) -> Any:
    """The space of the teacher's field."""
    return spaces.from_json(Node(bundle.teacher.get("space"), "manifest.json: teacher: space"))


def dataset_to_world_of(bundle: Bundle) -> list[float] | None:
    """The transform (4, 4) from the dataset's world to the teacher's, row by row; None where both are the same."""
    numbers = bundle.teacher.get("dataset_to_world")
    try:
        return None if numbers is None else [float(x) for x in numbers]
    except (TypeError, ValueError):
        raise DuplexError("manifest.json: teacher.dataset_to_world: expected 16 numbers: bake again") from None


def principal_shift_of(bundle: Bundle) -> float:
    """The shift of the teacher's principal point (see :class:`duplex.baking.fields.field.SceneInfo`)."""
    value = bundle.teacher.get("principal_shift", 0.0)
    if not isinstance(value, int | float) or not abs(value) < 1:
        raise DuplexError(f"manifest.json: principal_shift {value!r}: expected a small number: bake again")
    return float(value)

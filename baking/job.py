"""What a bake is given, and what it will need."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.app.scene.network import VIEW_CHANNELS
from duplex.baking.config import BakeConfig
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.views import VIEW_BYTES, at_scales
from duplex.baking.fields.fast_rendering import rays_per_chunk
from duplex.baking.fields.field import Teacher
from duplex.baking.rig import Rig
from duplex.baking.runtime.memory import Needs
from duplex.baking.runtime.threads import beside

HELD_OUT_VIEWS = 4
# memory: of Python, torch and the driver; of a density cell while shells are made; of a step of a ray that is marched;
# of a feature of a texel (value, gradient, two moments, tables of mip levels); of a channel of a crop's pixel; of a
# photo's pixel while its hits are found. Disk: of a feature in the trainer's state, of which there are two for a moment
BASE_BYTES, CELL_BYTES, MARCH_BYTES, FEATURE_BYTES, CROP_BYTES, PHOTO_BYTES = 700e6, 60, 40, 36, 40, 160
STATE_BYTES = 24


@dataclass(frozen=True)
class BakeJob:
    """What to bake: ``dataset`` cameras and ``photos``, possibly none; ``seed`` of all randomness.

    ``to_dataset``: (4, 4), from the teacher's world to the frame of the dataset's files.
    """

    teacher: Teacher
    config: BakeConfig
    rig: Rig
    dataset: tuple[Camera, ...] = ()
    photos: tuple[Photo, ...] = ()
    seed: int = 0
    to_dataset: Array = field(default_factory=lambda: np.eye(4))

    def fingerprint(self) -> str:
        """Changes with everything that changes the result."""
        poses = [camera.to_json() for camera in self.dataset]
        scene = dataclasses.asdict(self.teacher.scene)
        everything = [
            self.teacher.sha256,
            dataclasses.asdict(self.config),
            self.rig.to_json(),
            self.teacher.scene.space.to_json(),
            poses,
            [identity(photo) for photo in self.photos],
            scene,
            [self.teacher.overrides.activation, self.teacher.overrides.encoding],
            self.seed,
        ]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def identity(photo: Photo) -> list[Any]:
    """What tells a photo from another one without reading it."""
    files = [(str(file.absolute()), file.stat().st_mtime_ns) for file in (photo.path, photo.mask) if file]
    lens = dataclasses.asdict(photo.distortion) if photo.distortion else None
    return [files, lens, photo.shift, photo.camera.to_json()]


def needs(job: BakeJob) -> Needs:
    """What :func:`bake` will take; the factors were measured at its peaks on a CPU, and are taken for a GPU's too."""
    config, device = job.config, job.teacher.device
    cells = config.density.grid**3
    marched = rays_per_chunk(device) * config.density.grid * 2 * beside(device)
    features = 2 * config.distill.features * config.atlas.texels**2
    crops = config.distill.batch * (config.distill.crop + 4) ** 2
    channels = 2 * config.distill.features + VIEW_CHANNELS + 2 * config.distill.width
    photos = [height**2 * photo.camera.width / photo.camera.height for photo, height in scaled_photos(job)]  # pixels
    memory = BASE_BYTES + max(CELL_BYTES * cells, MARCH_BYTES * marched, PHOTO_BYTES * max(photos, default=0))
    learned = FEATURE_BYTES * features + CROP_BYTES * crops * channels
    pixels: float = config.views.views * (config.views.window_size + 2) ** 2
    pixels += HELD_OUT_VIEWS * (config.views.view_size + 2) ** 2
    pixels += sum(photos)
    gpu = MARCH_BYTES * marched + learned if device.type == "cuda" else 0.0
    return Needs(memory + learned, VIEW_BYTES * pixels + STATE_BYTES * features + 4 * cells, gpu)


def scaled_photos(job: BakeJob) -> list[tuple[Photo, int]]:
    """The photos that are learned from, each with the heights to learn it at; none where they are not."""
    config = job.config.distill
    return at_scales(job.photos, min(config.crop, job.config.views.window_size)) if config.photo_steps > 0 else []

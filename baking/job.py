"""The input of a bake, and the memory and disk space that it needs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.files import identity_of
from duplex.app.render.passes.gbuffer import LEVEL_STEPS, UV_STEPS
from duplex.app.scene.camera import Camera
from duplex.app.scene.codec.draco import MAX_BITS
from duplex.app.scene.mesh import MAX_FACES
from duplex.app.scene.network import VIEW_CHANNELS, NetworkSpec
from duplex.baking.config import BakeConfig
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.views import PYRAMID_MARGIN, VIEW_BYTES, at_scales
from duplex.baking.fields.fast_rendering import rays_per_chunk
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.spaces import Contracted, World
from duplex.baking.geometry.crop import CropRegion
from duplex.baking.rig import Rig
from duplex.baking.runtime.devices import read_seed
from duplex.baking.runtime.memory import Needs
from duplex.baking.runtime.threads import parallel_views
from duplex.baking.subject import SceneOptions, read_subject

HELD_OUT_VIEWS = 4
BYTES_A_FACE = 3.8  # of both shells, measured on the draft chair: Draco's and the charts'
MESHES_SHARE = 0.3  # of a file whose size was asked for
FEWEST_FACES = 4000  # of a shell, however small the file
SURROUNDINGS_FACES = 2  # times those of an object alone
SURROUNDINGS_BITS = 2  # more of a coordinate
BESIDE_PHOTOS = 1 / 5  # of the preset's views
PHOTOS_FIRST = {"photo_steps": 1.0, "photo_share": 0.75}
PHOTO_REACH = 2  # times the side of the teacher's pictures: the largest that photos are learned from
# bytes of memory
BASE_BYTES = 700e6  # Python, torch and the driver
CELL_BYTES = 60  # per density cell, during shell extraction
MARCH_BYTES = 40  # per sample of a marched ray
LATENT_BYTES = 14  # per feature of a texel more, while it learns to be small: coefficient, gradient, moments, price
FEATURE_BYTES = 36  # per feature of a texel: value, gradient, two moments, mip levels
CROP_BYTES = 40  # per channel of a crop's pixel
PHOTO_BYTES = 160  # per pixel of a photo, while its hits are computed
# bytes on disk
STATE_BYTES = 24  # per feature in the training state, of which two copies exist during a save


@dataclass(frozen=True)
class BakeJob:
    """The input of a bake.

    ``dataset``: training cameras of the dataset, in the teacher's world; ``photos``: to train on; both are empty
    without a dataset; ``seed``: of all random numbers; ``to_dataset``: (4, 4), from the teacher's world to the frame of
    the dataset's files; ``crop``: the part of the scene that is baked, None for all of it; ``minutes``: that the
    bake may take, which then chooses the numbers of views and steps; ``compressed``: whether the bundle is stored in
    few bytes, ``megabytes`` at most.
    """

    teacher: Teacher
    config: BakeConfig
    rig: Rig
    dataset: tuple[Camera, ...] = ()
    photos: tuple[Photo, ...] = ()
    seed: int = 0
    to_dataset: Array = field(default_factory=lambda: np.eye(4))
    crop: CropRegion | None = None
    minutes: float | None = None
    compressed: bool = True
    megabytes: float | None = None

    @property
    def dome(self) -> Contracted | None:
        """The space whose end closes the scene, in which nothing is transparent then; None if nothing does."""
        space = self.teacher.scene.space
        return space if isinstance(space, Contracted) and self.crop is None else None

    def fingerprint(self) -> str:
        """A SHA-256 in hexadecimal of all input that can change the result."""
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
            self.minutes,
            self.compressed,
            self.megabytes,
            self.crop and self.crop.numbers,
            [UV_STEPS, LEVEL_STEPS],  # in which a workspace stores hits
        ]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def read_job(
    checkpoint: str | Path,
    data: str | Path | None,
    config: BakeConfig,
    *,
    device: str,
    seed: int,
    scene: Mapping[str, Any],
) -> BakeJob:
    """The input of a bake: the teacher in ``checkpoint``, the cameras and photos of ``data``, and ``config``."""
    folder = None if data is None else Path(data)
    chosen = read_seed(seed)
    subject = read_subject(Path(checkpoint), folder, device, SceneOptions(**scene))
    return BakeJob(subject.teacher, config, subject.rig, subject.cameras, subject.photos, chosen, subject.to_dataset)


def with_surroundings(job: BakeJob, given: Collection[str]) -> BakeJob:
    """``job`` with more faces, on a finer lattice, where it has surroundings; settings that were ``given`` stay."""
    if isinstance(job.teacher.scene.space, World):
        return job
    shells, storage = job.config.shells, job.config.storage
    if "faces" not in given:
        shells = dataclasses.replace(shells, faces=min(SURROUNDINGS_FACES * shells.faces, MAX_FACES))
    if "position_bits" not in given:
        storage = dataclasses.replace(storage, position_bits=min(storage.position_bits + SURROUNDINGS_BITS, MAX_BITS))
    return dataclasses.replace(job, config=dataclasses.replace(job.config, shells=shells, storage=storage))


def within_megabytes(job: BakeJob, given: Collection[str]) -> BakeJob:
    """``job`` with so few faces that meshes leave most of its megabytes to features; ``faces`` that were given stay."""
    if job.megabytes is None or "faces" in given:
        return job
    shells = job.config.shells
    faces = max(min(shells.faces, int(MESHES_SHARE * 1e6 * job.megabytes / BYTES_A_FACE)), FEWEST_FACES)
    return dataclasses.replace(
        job, config=dataclasses.replace(job.config, shells=dataclasses.replace(shells, faces=faces))
    )


def beside_photos(job: BakeJob, given: Collection[str]) -> BakeJob:
    """``job`` with fewer views of the teacher, where photos of a scene with surroundings show most of the same.

    Training then learns more, and from its beginning, from the photos. Settings that were ``given`` stay.
    """
    if not (job.dome and job.photos):
        return job
    changes = {"views": max(round(BESIDE_PHOTOS * job.config.views.views), 2), **PHOTOS_FIRST}
    stages = {
        name: dataclasses.replace(stage, **{k: v for k, v in changes.items() if hasattr(stage, k) and k not in given})
        for name, stage in vars(job.config).items()
    }
    return dataclasses.replace(job, config=BakeConfig(**stages))


def cropped(job: BakeJob, crop: Sequence[float] | str | None) -> BakeJob:
    """``job`` for the part ``crop`` of its scene alone; raises :class:`DuplexError` for what is no part of one.

    Photos show more than that, so they are not learned from.
    """
    if crop is None:
        return job
    part = CropRegion.of(crop, job.to_dataset)
    rig = job.rig if job.rig.poses is None else job.rig.around(part.center)
    return dataclasses.replace(job, crop=part, photos=(), rig=rig)


def identity(photo: Photo) -> list[Any]:
    """JSON values that identify a photo without decoding its pixels: its files, lens and camera."""
    masks = (photo.mask, photo.dynamic_mask)
    files = [identity_of(file) for file in (photo.path, *masks) if file]
    lens = dataclasses.asdict(photo.distortion) if photo.distortion else None
    return [files, lens, photo.shift, photo.crop_radius, photo.camera.to_json()]


def needs(job: BakeJob) -> Needs:
    """The peak needs of a bake; the factors were measured on a CPU and are used for a GPU too."""
    config = job.config
    device = job.teacher.device
    cells = config.density.grid**3
    marched = rays_per_chunk(device) * config.density.grid * 2 * parallel_views(device)
    features = 2 * config.distill.features * config.atlas.texels**2
    crops = config.distill.batch * (config.distill.crop_size + 2 * PYRAMID_MARGIN) ** 2
    channels = 2 * config.distill.features + VIEW_CHANNELS + 2 * config.distill.width
    photo_pixels = [height**2 * photo.camera.width / photo.camera.height for photo, height in scaled_photos(job)]
    memory = BASE_BYTES + max(CELL_BYTES * cells, MARCH_BYTES * marched, PHOTO_BYTES * max(photo_pixels, default=0))
    training = (FEATURE_BYTES + (LATENT_BYTES if job.compressed else 0)) * features + CROP_BYTES * crops * channels
    pixels: float = (config.views.views + config.views.larger) * (config.views.window_size + 2 * PYRAMID_MARGIN) ** 2
    pixels += HELD_OUT_VIEWS * (config.views.view_size + 2 * PYRAMID_MARGIN) ** 2
    pixels += sum(photo_pixels)
    gpu = MARCH_BYTES * marched + training if device.type == "cuda" else 0.0
    return Needs(memory + training, VIEW_BYTES * pixels + STATE_BYTES * features + 4 * cells, gpu)


def network_of(job: BakeJob) -> NetworkSpec:
    """The shading network of a bake."""
    spec = NetworkSpec.shallow(job.config.distill.features, job.config.distill.width)
    return dataclasses.replace(spec, reference=job.rig.reference_view(job.config.views.view_size))


def scaled_photos(job: BakeJob) -> list[tuple[Photo, int]]:
    """The photos to train on, each with a training height in pixels; empty when training uses no photos."""
    views, distill = job.config.views, job.config.distill
    if distill.photo_steps == 0:
        return []
    return at_scales(job.photos, min(distill.crop_size, views.window_size), PHOTO_REACH * views.view_size)

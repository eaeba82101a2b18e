"""The pictures that a bundle carries along so that the viewer can be held against them."""

from __future__ import annotations

import numpy as np

from duplex.app.camera import Array
from duplex.app.reference import MAX_REFERENCE_SIDE, PHOTO, TEACHER, Reference
from duplex.baking.job import BakeJob
from duplex.baking.views import ViewSet, to_bytes

PHOTOS = 4  # at most


def references_of(job: BakeJob, held_out: ViewSet) -> tuple[Reference, ...]:
    """The teacher's ``held_out`` pictures, and a few of the photos, no higher than those."""
    teacher = [
        Reference(TEACHER, camera, _straight(picture / np.float32(255)))
        for camera, picture in zip(held_out.cameras, held_out.pictures, strict=True)
    ]
    count = min(PHOTOS, len(job.photos))
    photos = []
    for index in np.linspace(0, len(job.photos) - 1, count).round().astype(int):
        photo = job.photos[index]
        height = min(photo.camera.height, job.config.views.view_size)
        photos.append(Reference(PHOTO, photo.camera_at(height), _straight(photo.rgba(height)[0])))
    return tuple(x for x in (*teacher, *photos) if max(x.rgba.shape) <= MAX_REFERENCE_SIDE)


def _straight(rgba: Array) -> Array:
    """Bytes of a picture premultiplied by alpha, in [0, 1], with the colour divided by it."""
    color = rgba[..., :3] / np.maximum(rgba[..., 3:], 1 / 255)
    return to_bytes(np.concatenate([color, rgba[..., 3:]], -1))

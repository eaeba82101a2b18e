"""The pictures that a bundle carries along so that the viewer can be held against them."""

from __future__ import annotations

import numpy as np

from duplex.app.headless import straight
from duplex.app.reference import MAX_REFERENCE_SIDE, PHOTO, TEACHER, Reference
from duplex.baking.job import BakeJob
from duplex.baking.views import ViewSet, to_bytes

PHOTOS = 4  # at most


def references_of(job: BakeJob, held_out: ViewSet) -> tuple[Reference, ...]:
    """The teacher's ``held_out`` pictures, and a few of the photos, no higher than those."""
    teacher = [
        Reference(TEACHER, camera, straight(picture))
        for camera, picture in zip(held_out.cameras, held_out.pictures, strict=True)
    ]
    count = min(PHOTOS, len(job.photos))
    photos = []
    for index in np.linspace(0, len(job.photos) - 1, count).round().astype(int):
        photo = job.photos[index]
        height = min(photo.camera.height, job.config.views.view_size)
        photos.append(Reference(PHOTO, photo.camera_at(height), straight(to_bytes(photo.rgba(height)[0]))))
    return tuple(x for x in (*teacher, *photos) if max(x.rgba.shape) <= MAX_REFERENCE_SIDE)

"""The pictures that a bundle carries along so that the viewer can be held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from duplex.app.core.images import unpremultiplied
from duplex.app.scene.reference import MAX_REFERENCE_SIDE, PHOTO, TEACHER, Reference
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.views import ViewSet, to_bytes

PHOTOS = 4  # at most


def references_of(photos: Sequence[Photo], held_out: ViewSet, height: int) -> tuple[Reference, ...]:
    """The teacher's ``held_out`` pictures, and a few of the ``photos``, of at most ``height`` pixels."""
    teacher = [
        Reference(TEACHER, camera, unpremultiplied(picture))
        for camera, picture in zip(held_out.cameras, held_out.pictures, strict=True)
    ]
    count = min(PHOTOS, len(photos))
    chosen = [photos[i] for i in np.linspace(0, len(photos) - 1, count).round().astype(int)]
    known = [found for photo in chosen if (found := known_part(photo, height))]
    return tuple(x for x in (*teacher, *known) if max(x.rgba.shape) <= MAX_REFERENCE_SIDE)


def known_part(photo: Photo, size: int) -> Reference | None:
    """The photo, no higher than ``size``, without the edges that a lens leaves empty; None where a mask hides some."""
    height = min(photo.camera.height, size)
    rgba, valid = photo.rgba(height)
    top, bottom, left, right = 0, valid.shape[0], 0, valid.shape[1]
    while not (part := valid[top:bottom, left:right]).all():
        known = [edge.mean() for edge in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = int(np.argmin(known))
        if known[worst] == 1 or 2 * part.size < valid.size:
            return None
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    camera = photo.camera_at(height)
    camera = replace(camera, width=right - left, height=bottom - top, cx=camera.cx - left, cy=camera.cy - top)
    return Reference(PHOTO, camera, unpremultiplied(to_bytes(rgba[top:bottom, left:right])))

"""The reference pictures in a bundle, which the viewer compares its own pictures with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from duplex.app.core.images import unpremultiplied
from duplex.app.scene.reference import MAX_REFERENCE_SIDE, PHOTO, TEACHER, Reference
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.views import ViewSet, to_bytes

MAX_PHOTOS = 4


def references_of(photos: Sequence[Photo], held_out: ViewSet, height: int) -> tuple[Reference, ...]:
    """The teacher's ``held_out`` pictures, and a few of the ``photos`` at a height of at most ``height`` pixels."""
    teacher = [
        Reference(TEACHER, camera, unpremultiplied(picture))
        for camera, picture in zip(held_out.cameras, held_out.pictures, strict=True)
    ]
    count = min(MAX_PHOTOS, len(photos))
    chosen = [photos[i] for i in np.linspace(0, len(photos) - 1, count).round().astype(int)]
    known = [part for photo in chosen if (part := known_part(photo, height))]
    return tuple(x for x in (*teacher, *known) if max(x.rgba.shape) <= MAX_REFERENCE_SIDE)


def known_part(photo: Photo, size: int) -> Reference | None:
    """The photo, at most ``size`` pixels high, cropped to its known pixels; None if no such crop is found.

    Undistortion leaves unknown pixels along the edges, which a crop removes. A mask may leave unknown pixels inside the
    photo, or so many at the edges that less than half of it would remain; such a photo is no reference.
    """
    height = min(photo.camera.height, size)
    rgba, valid = photo.rgba_or_unknown(height)
    top = left = 0
    bottom, right = valid.shape
    while not (part := valid[top:bottom, left:right]).all():
        shares = [edge.mean() for edge in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = int(np.argmin(shares))
        if shares[worst] == 1 or 2 * part.size < valid.size:
            return None
        top += worst == 0
        bottom -= worst == 1
        left += worst == 2
        right -= worst == 3
    camera = photo.camera_at(height)
    camera = replace(camera, width=right - left, height=bottom - top, cx=camera.cx - left, cy=camera.cy - top)
    return Reference(PHOTO, camera, unpremultiplied(to_bytes(rgba[top:bottom, left:right])))

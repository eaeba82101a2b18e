"""The pixels of posed photos, and the rays through them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.app.scene.coordinates.pinhole import Pinhole, directions_through
from duplex.baking.datasets.photos import Photo, left_out
from duplex.baking.runtime.progress import say

READERS = 4  # pictures decoded at the same time


@dataclass(frozen=True)
class PhotoSet:
    """All pixels of ``p`` photos, one after the other, row by row.

    ``rgba``: (n, 4) uint8, premultiplied; ``first``: (p + 1,) int64, where each photo begins and the last one ends;
    ``widths``: (p,) int64; ``lenses``: (p, 4) float32, fx, fy, cx, cy; ``poses``: (p, 3, 4) float32, camera to world;
    ``usable``: (m,) int64, the pixels that count.
    """

    rgba: Tensor
    first: Tensor
    widths: Tensor
    lenses: Tensor
    poses: Tensor
    usable: Tensor

    @classmethod
    def read(cls, photos: Sequence[Photo], size: int) -> PhotoSet:
        """Read ``photos``, those higher than ``size`` box-filtered to that height."""
        with ThreadPoolExecutor(READERS) as pool:
            waiting = [pool.submit(copy_context().run, _bytes, photo, size) for photo in photos]
            read = [_read(each, photo, size) for each, photo in zip(waiting, photos, strict=True)]
        cameras = [camera_at(photo.camera, size) for photo in photos]
        counts = [len(rgba) for rgba, _ in read]
        first = np.concatenate([[0], np.cumsum(counts)])
        return cls(
            torch.from_numpy(np.concatenate([rgba for rgba, _ in read])),
            torch.from_numpy(first),
            torch.tensor([camera.width for camera in cameras]),
            torch.tensor([[c.fx, c.fy, c.cx, c.cy] for c in cameras], dtype=torch.float32),
            torch.tensor(np.stack([c.camera_to_world[:3] for c in cameras]), dtype=torch.float32),
            torch.from_numpy(np.flatnonzero(np.concatenate([valid for _, valid in read]))),
        )

    def to(self, device: torch.device) -> PhotoSet:
        """The same photos on another device."""
        return PhotoSet(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def only(self, usable: Tensor) -> PhotoSet:
        """The same photos with only these pixels (m,) in use."""
        return replace(self, usable=usable)

    @property
    def has_alpha(self) -> bool:
        """Whether any pixel that counts is transparent."""
        return bool((self.rgba[self.usable, 3] < 255).any())

    def rays(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Origins and directions of unit depth, both (m, 3) float32, through the centres of pixels ``index`` (m,)."""
        photo = torch.bucketize(index, self.first[1:], right=True)
        inside = index - self.first[photo]
        width = self.widths[photo]
        row = torch.div(inside, width, rounding_mode="floor")
        pose = self.poses[photo]
        x, y = Pinhole(*self.lenses[photo].T).on_plane(inside - row * width, row)
        right, up, backward, position = pose.unbind(-1)
        return position, directions_through(x[:, None], y[:, None], right, up, backward)

    def colors(self, index: Tensor) -> Tensor:
        """Premultiplied colour and alpha of pixels ``index`` (m,): (m, 4) float32 in [0, 1]."""
        return self.rgba[index].float() * (1 / 255)

    def alpha(self, photo: int) -> tuple[Tensor, Tensor]:
        """Alpha and usability of one photo's pixels, both (h, w): float32 in [0, 1], and bool."""
        begin = int(self.first[photo])
        end = int(self.first[photo + 1])
        shape = (-1, int(self.widths[photo]))
        used = torch.zeros(end - begin, dtype=torch.bool, device=self.rgba.device)
        low, high = torch.searchsorted(self.usable, torch.tensor([begin, end], device=self.rgba.device)).tolist()
        used[self.usable[low:high] - begin] = True
        return (self.rgba[begin:end, 3].float() / 255).view(shape), used.view(shape)


def camera_at(camera: Camera, size: int) -> Camera:
    """``camera`` as its picture has it, box-filtered to a height of ``size`` if it is higher."""
    if camera.height <= size:
        return camera
    return camera.resized(max(round(camera.width * size / camera.height), 1), size)


def _read(waiting: Future[tuple[Array, Array]], photo: Photo, size: int) -> tuple[Array, Array]:
    """What :func:`_bytes` returns; no known pixel, and a note, where the picture cannot be read."""
    try:
        return waiting.result()
    except DuplexError as error:
        say(left_out(error))
        camera = camera_at(photo.camera, size)
        count = camera.width * camera.height
        return np.zeros((count, 4), np.uint8), np.zeros(count, bool)


def _bytes(photo: Photo, size: int) -> tuple[Array, Array]:
    rgba, valid = photo.rgba(size if photo.camera.height > size else None)
    return np.rint(rgba.clip(0, 1) * 255).astype(np.uint8).reshape(-1, 4), valid.reshape(-1)

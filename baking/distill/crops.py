"""Crops of views, as a training step takes them.

Half of the crops come from uniformly drawn views, half from views drawn in proportion to the error of their last crops.
Half of them contain a given pixel on a rim, where a ray hits the outer shell alone: opacity is uncertain nowhere else.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.render.passes.gbuffer import LEVEL_STEPS, LOWEST_LEVEL, UV_STEPS
from duplex.app.scene.camera import Camera
from duplex.app.scene.coordinates.pinhole import Pinhole, directions_through
from duplex.app.scene.network import MAX_LEVEL, TAP_SPACING, view_bands
from duplex.baking.distill.views import NOWHERE, REACHES, UNKNOWN, ViewSet

EVEN_SHARE = 0.5
RIM_SHARE = 0.5  # of the crops, contain a pixel of a rim
MEMORY = 0.7  # weight of the old value in the moving average of a view's error


@dataclass(frozen=True)
class Crops:
    """A batch of ``b`` crops of h x w pixels, their G-buffers with a margin m: H = h + 2 m, W = w + 2 m.

    ``rgba``: (b, 4, h, w) float32, premultiplied; ``valid``: (b, 1, h, w) float32, 1 where it is known;
    ``covered``: (b, 1, h, w) float32, 1 where the outer shell is hit; ``uv``: per layer (b, H, W, 2) float32;
    ``level``: per layer (b, H, W) float32, the level of detail of a texture of one texel; ``dither``: (b, H, W) float32
    in [0, 1), see :func:`duplex.baking.distill.features.sample`, or None; ``mask``: per layer (b, H, W) bool;
    ``directions``: (b, H, W, 8) float32, encoded; ``opacity``: (b,) float32, 1 where alpha is known; ``views``: (b,)
    int64, the views they were cut from; ``pyramid``: (b, h, w) float32, the level of the feature pyramid in which the
    network finds each pixel's neighbours, or (b,), one whole level for each crop, in ascending order, or None for a
    network without a reference view.
    """

    rgba: Tensor
    valid: Tensor
    covered: Tensor
    uv: list[Tensor]
    level: list[Tensor]
    dither: Tensor | None
    mask: list[Tensor]
    directions: Tensor
    opacity: Tensor
    views: Tensor
    pyramid: Tensor | None = None

    def split(self, size: int) -> list[Crops]:
        """The batch in parts of at most ``size`` crops."""
        return [self._rows(slice(start, start + size)) for start in range(0, len(self.views), size)]

    def by_level(self) -> list[tuple[int, Crops]]:
        """The batch in parts of one level of the feature pyramid, with the margins which that level reaches."""
        assert self.pyramid is not None and self.pyramid.dim() == 1
        parts = []
        start = 0
        for level, run in itertools.groupby(self.pyramid.tolist()):
            rows = slice(start, start + len(list(run)))
            parts.append((int(level), self._rows(rows)._trimmed(REACHES[min(int(level), len(REACHES) - 1)])))
            start = rows.stop
        return parts

    def _rows(self, rows: slice | Tensor) -> Crops:
        fields: dict[str, Any] = {
            k: [x[rows] for x in v] if isinstance(v, list) else v[rows] for k, v in vars(self).items() if v is not None
        }
        return replace(self, **fields)

    def _trimmed(self, margin: int) -> Crops:
        """The same crops with a smaller ``margin``."""
        edge = (self.mask[0].shape[1] - self.rgba.shape[2]) // 2 - margin
        if edge <= 0:
            return self
        inside = (slice(None), slice(edge, -edge), slice(edge, -edge))
        return replace(
            self,
            uv=[each[inside] for each in self.uv],
            level=[each[inside] for each in self.level],
            dither=None if self.dither is None else self.dither[inside],
            mask=[each[inside] for each in self.mask],
            directions=self.directions[inside],
        )


class CropSampler:
    """Draws crops of ``crop`` x ``crop`` pixels from the covered parts of views."""

    def __init__(self, sets: list[ViewSet], crop: int, device: torch.device):
        self.device = device
        self.views = ViewSet(
            cameras=[camera for views in sets for camera in views.cameras],
            pictures=[picture for views in sets for picture in views.pictures],
            hits=[hits for views in sets for hits in views.hits],
            margin=sets[0].margin,
            opacity=[opacity for views in sets for opacity in views.opacity],
        )
        self.crop = min(crop, *(min(camera.width, camera.height) for camera in self.views.cameras))
        self.spans = [self._spans(hits) for hits in self.views.hits]
        self.rims = [self._rim(hits) for hits in self.views.hits]
        ends = np.cumsum([0, *(len(views.cameras) for views in sets)])
        self.sets = [
            torch.tensor([i for i in range(a, b) if self.spans[i] is not None]) for a, b in itertools.pairwise(ends)
        ]
        if not len(self.sets[0]):
            raise DuplexError(
                f"none of {len(sets[0].cameras)} views to learn from shows the scene: expected more --views, a larger "
                "--window, or photos of this scene"
            )
        self.errors = torch.full((len(self.spans),), torch.nan)  # unknown at first

    def _spans(self, hits: Array) -> Array | None:
        """First and last row (2,), and column (2,), at which a crop of a view may begin; None for an empty view."""
        hit = hits[..., 0] != NOWHERE
        if not hit.any():
            return None
        sides = [np.flatnonzero(hit.any(axis)) for axis in (1, 0)]
        inner = [side - 2 * self.views.margin for side in hit.shape]
        return np.array([_range(side, self.crop, n) for side, n in zip(sides, inner, strict=True)])

    def _rim(self, hits: Array) -> Array:
        """Rows and columns (n, 2) of a view's pixels at which a ray hits the outer shell alone."""
        margin = self.views.margin
        inside = hits[margin : hits.shape[0] - margin, margin : hits.shape[1] - margin]
        return np.argwhere((inside[..., 0] != NOWHERE) & (inside[..., 2] == NOWHERE)).astype(np.uint16)

    def __call__(self, counts: list[int], generator: torch.Generator) -> Crops:
        """A batch with ``counts`` crops of each set; the first set replaces a set without covered views."""
        given = [count if len(views) else 0 for views, count in zip(self.sets, counts, strict=True)]
        counts = [given[0] + sum(counts) - sum(given), *given[1:]]
        chosen = [self._choose(views, n, generator) for views, n in zip(self.sets, counts, strict=True)]
        views = torch.cat(chosen)
        crops = self._cut(views, torch.rand(len(views), 4, generator=generator).numpy())
        dither = torch.rand(crops.mask[0].shape, generator=generator).to(self.device)
        return _on_whole_levels(replace(crops, dither=dither), dither[:, 0, 0])

    def learned(self, crops: Crops, errors: Tensor) -> None:
        """Update the errors of the views with the mean squared ``errors`` (b,) of ``crops``."""
        for view, error in zip(crops.views.tolist(), errors.cpu(), strict=True):
            known = torch.where(self.errors[view].isnan(), error, self.errors[view])
            self.errors[view] = MEMORY * known + (1 - MEMORY) * error

    def _choose(self, views: Tensor, count: int, generator: torch.Generator) -> Tensor:
        if not count or not len(views):
            return torch.zeros(0, dtype=torch.int64)
        errors = self.errors[views]
        errors = errors.nan_to_num(nan=float(errors.nanmean().nan_to_num(1.0))) + 1e-12
        chance = EVEN_SHARE / len(views) + (1 - EVEN_SHARE) * errors / errors.sum()
        return views[torch.multinomial(chance, count, replacement=True, generator=generator)]

    def _cut(self, views: Tensor, shares: Array) -> Crops:
        places = [self._place(view, share) for view, share in zip(views.tolist(), shares, strict=True)]
        return cut(self.views, views, places, (self.crop, self.crop), self.device)

    def _place(self, view: int, share: Array) -> tuple[int, int]:
        """Row and column at which a crop of ``view`` begins; ``share``: (4,), random numbers in [0, 1)."""
        rim, span = self.rims[view], self.spans[view]
        if share[2] < RIM_SHARE and len(rim):
            pixel = rim[int(share[3] * len(rim))].astype(int)
            place = pixel - (share[:2] * self.crop).astype(int)
            return self._inside(view, place)
        assert span is not None  # empty views are never drawn
        y, x = (span[:, 0] + share[:2] * (span[:, 1] - span[:, 0] + 1)).astype(int).tolist()
        return y, x

    def _inside(self, view: int, place: Array) -> tuple[int, int]:
        height, width = self.views.pictures[view].shape[:2]
        y, x = place.tolist()
        return min(max(y, 0), height - self.crop), min(max(x, 0), width - self.crop)


def cut(
    source: ViewSet, views: Tensor, corners: list[tuple[int, int]], size: tuple[int, int], device: torch.device
) -> Crops:
    """Crops of ``size`` (height, width) whose top left pixels are ``corners`` (row, column) of ``views`` (b,)."""
    pictures, hits = [], []
    margin = source.margin
    (height, width) = size
    high, wide = height + 2 * margin, width + 2 * margin
    for view, (y, x) in zip(views.tolist(), corners, strict=True):
        pictures.append(source.pictures[view][y : y + height, x : x + width])
        hits.append(source.hits[view][y : y + high, x : x + wide])
    bytes_, found = (torch.from_numpy(np.stack(parts)).to(device) for parts in (pictures, hits))
    pyramid = None
    if found.shape[-1] > 6:
        stored = found[:, margin : margin + height, margin : margin + width, 6].float() / 65535
        scale = stored / (1 - stored).clamp(min=1e-5)
        pyramid = (TAP_SPACING * scale).clamp(1, 1 << MAX_LEVEL).log2()
    found = found[..., :6].float()  # 16 bits until here, to keep the transfer to a GPU small
    mask = [found[..., i] != NOWHERE for i in (0, 2)]
    uv = found[..., :4] / UV_STEPS
    level = found[..., 4:] / LEVEL_STEPS + LOWEST_LEVEL
    return Crops(
        rgba=bytes_.permute(0, 3, 1, 2).float() / 255,
        valid=(bytes_ != torch.tensor(UNKNOWN, device=device)).any(-1)[:, None].float(),
        covered=mask[0][:, None, margin : margin + height, margin : margin + width].float(),
        uv=[uv[..., :2], uv[..., 2:]],
        level=[level[..., 0], level[..., 1]],
        dither=None,
        mask=mask,
        directions=_directions([source.cameras[i].padded(margin) for i in views.tolist()], corners, mask[0]),
        opacity=torch.tensor([float(source.opacity[view]) for view in views.tolist()], device=device),
        views=views,
        pyramid=pyramid,
    )


def _on_whole_levels(crops: Crops, dither: Tensor) -> Crops:
    """``crops`` with one whole level of the feature pyramid each, sorted by it.

    A level is chosen at random from the two next to the median of the covered pixels, in proportion to their weights;
    ``dither``: (b,) in [0, 1).
    """
    if crops.pyramid is None:
        return crops
    hit = torch.where(crops.covered[:, 0] > 0, crops.pyramid, torch.nan).flatten(1)
    level = (hit.nanmedian(1).values.nan_to_num() + dither).floor().clamp(max=MAX_LEVEL)
    order = level.argsort(stable=True)
    return replace(crops._rows(order), pyramid=level[order])


def _directions(cameras: list[Camera], corners: list[tuple[int, int]], like: Tensor) -> Tensor:
    """Encoded directions (b, h, w, 8) of the rays through the pixels of crops at ``corners``, ``like`` (b, h, w)."""
    (_, high, wide), device = like.shape, like.device
    lenses = [(c.fx, c.fy, c.cx - x, c.cy - y) for c, (y, x) in zip(cameras, corners, strict=True)]
    pinhole = Pinhole(*torch.tensor(lenses, device=device).T[:, :, None, None])
    poses = np.stack([camera.camera_to_world[:3, :3] for camera in cameras]).astype(np.float32)
    rows = torch.from_numpy(poses).to(device).permute(1, 2, 0)[..., None, None]  # (world axis, camera axis, b, 1, 1)
    right, down = pinhole.on_plane(torch.arange(wide, device=device), torch.arange(high, device=device)[:, None])
    x, y, z = (directions_through(right, down, *row) for row in rows)
    scale = torch.rsqrt(x * x + y * y + z * z)
    return torch.stack(view_bands(x * scale, y * scale, z * scale), -1)


def _range(occupied: Array, crop: int, size: int) -> tuple[int, int]:
    """First and last start of a crop along an axis of ``size`` pixels with covered pixels at ``occupied``."""
    low = min(max(int(occupied[0]) - crop // 4, 0), size - crop)
    return low, max(low, min(max(int(occupied[-1]) - 3 * crop // 4, 0), size - crop))

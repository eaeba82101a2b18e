"""The visual hull: where space is empty according to the transparency of the photos."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.app.scene.coordinates.pinhole import Pinhole, to_camera_space
from duplex.baking.fields.spaces import Space
from duplex.baking.training.photos import PhotoSet

COARSE = 4  # factor of the coarser grid that is tested first
LARGEST = 512  # pixels along a side of the masks
POINTS_AT_ONCE = 1 << 19


def seen_vertices(photos: PhotoSet, box: Tensor, counts: tuple[int, int, int]) -> Tensor:
    """The vertices, (z, y, x) bool, of a grid of ``counts`` (x, y, z) in ``box`` (2, 3) that may be occupied.

    They are in the view of at least one photo, and no photo shows only transparency around them.
    """
    masks = [_mask(photos, i) for i in range(len(photos.poses))]
    coarse = tuple(max(n // COARSE, 8) for n in counts)
    found = _carved(photos, masks, box, coarse, torch.ones(coarse[::-1], dtype=torch.bool, device=box.device))
    grown = F.max_pool3d(found[None, None].float(), 3, 1, 1)
    finer = F.interpolate(grown, counts[::-1], mode="trilinear", align_corners=True)[0, 0] > 0
    return _carved(photos, masks, box, counts, finer)


def in_view(photos: PhotoSet, space: Space, box: Tensor, count: int) -> Tensor:
    """The vertices, (z, y, x) bool, of a grid of ``count`` along each side of ``box`` (2, 3) that a photo shows.

    The grid is in the field space ``space``.
    """
    axes = [torch.linspace(0, 1, count, device=box.device)] * 3
    unit = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1)
    points = torch.from_numpy(space.unwarp((box[0] + unit * (box[1] - box[0])).view(-1, 3).cpu().numpy()))
    points = points.to(box.device, torch.float32)
    seen = torch.zeros(len(points), dtype=torch.bool, device=box.device)
    for lens, pose, width, pixels in zip(
        photos.lenses.tolist(), photos.poses, photos.widths.tolist(), photos.first.diff().tolist(), strict=True
    ):
        x, y, depth = Pinhole(*lens).project(to_camera_space(points, pose))
        seen |= (depth > 0) & (x >= 0) & (x <= width) & (y >= 0) & (y <= pixels // width)
    return F.max_pool3d(seen.view(1, 1, count, count, count).float(), 3, 1, 1)[0, 0] > 0


def _carved(
    photos: PhotoSet, masks: list[tuple[Tensor, float]], box: Tensor, counts: tuple[int, ...], vertices: Tensor
) -> Tensor:
    """Those of ``vertices`` that no photo shows as empty."""
    where = torch.nonzero(vertices)
    steps = (box[1] - box[0]) / (torch.tensor(counts, device=box.device) - 1)
    reach = float(steps.norm())  # a vertex represents its adjacent cells
    kept = []
    for part in torch.split(where, POINTS_AT_ONCE):
        points = box[0] + part.flip(-1) * steps
        alive = torch.ones(len(points), dtype=torch.bool, device=box.device)
        seen = torch.zeros_like(alive)
        for i, (mask, shrink) in enumerate(masks):
            left = torch.nonzero(alive)[:, 0]
            inside, empty = _look(photos, i, mask, shrink, points[left], reach)
            seen[left] |= inside
            alive[left[empty]] = False
        kept.append(alive & seen)
    out = torch.zeros_like(vertices)
    out[tuple(where[torch.cat(kept)].T)] = True
    return out


def _look(photos: PhotoSet, i: int, mask: Tensor, shrink: float, points: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Whether ``points`` (n, 3) are in photo ``i``'s view, and whether it is transparent around them: (n,) bool."""
    lens = Pinhole(*photos.lenses[i].tolist())
    x, y, depth = lens.project(to_camera_space(points, photos.poses[i]))
    x, y = x * shrink, y * shrink
    front = depth > reach
    height, width = mask.shape[1:]
    inside = front & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    column, row = x.clamp(0, width - 1).long(), y.clamp(0, height - 1).long()
    at_depth_1 = reach * max(lens.fx, lens.fy) * shrink
    around = at_depth_1 / depth.clamp(min=reach) + 1  # pixels that the vertex's cells cover, and one for filtering
    level = torch.log2(around).ceil().clamp(0, len(mask) - 1).long()
    whole = (around <= 2.0 ** (len(mask) - 1)) & inside
    return inside, whole & (mask[level, row, column] == 0)


def _mask(photos: PhotoSet, i: int) -> tuple[Tensor, float]:
    """Where a photo shows something, or does not count, within 1, 2, 4 ... pixels: (levels, h, w) uint8; its scale."""
    alpha, used = photos.alpha(i)
    solid = ((alpha > 0) | ~used).float()[None, None]
    factor = -(-max(solid.shape[2:]) // LARGEST)
    if factor > 1:
        solid = F.max_pool2d(solid, factor, factor, ceil_mode=True)
    levels = []
    for level in range(6):
        reach = 1 << level
        grown = F.max_pool2d(solid, (2 * reach + 1, 1), 1, (reach, 0))
        levels.append(F.max_pool2d(grown, (1, 2 * reach + 1), 1, (0, reach))[0, 0].to(torch.uint8))
    return torch.stack(levels), 1 / factor

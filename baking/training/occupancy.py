"""Where along rays a field is evaluated: a grid of empty and occupied cells over its box.

The grid also bounds the density, which terminates rays behind opaque cells. A look-up at every step of every ray would
take longer than the field itself, so a coarser pass first finds the stretches of rays near occupied cells.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.baking.fields.rendering import before

STRETCH = 8  # steps in a stretch of a ray, the unit of the coarse pass
OPAQUE = 7.0  # optical depth behind which nothing is visible
ROUNDING = 1e-3  # more than the interpolation weight that rounding can cause
TRUST = 0.5  # lower bound of the density in a cell, as a share of the smallest at its corners


class Occupancy:
    """The cells of a grid over ``box`` (2, 3) between ``vertices`` (z, y, x) bool; one is occupied if any corner is.

    ``sigma``: (z, y, x) density at the vertices, where it is known.
    """

    def __init__(self, box: Tensor, vertices: Tensor, sigma: Tensor | None = None):
        self.box = box
        self.vertices = vertices
        self.sigma = sigma
        self.counts = [side - 1 for side in reversed(vertices.shape)]  # x, y, z
        self.cell = (box[1] - box[0]) / torch.tensor(self.counts, device=box.device)
        self.occupied = pooled(vertices.float(), 2, 0) > 0
        least = torch.zeros_like(self.occupied, dtype=torch.float32) if sigma is None else -pooled(-sigma, 2, 0)
        self.bound = torch.where(self.occupied, TRUST * least, -torch.ones_like(least)).view(-1)
        self._near: tuple[int, Tensor] = (-1, self.bound)

    @classmethod
    def restored(cls, tensors: dict[str, Tensor], device: torch.device) -> Occupancy:
        """The one of :meth:`tensors`."""
        sigma = tensors["sigma"].to(device) if "sigma" in tensors else None
        return cls(tensors["box"].to(device), tensors["vertices"].to(device), sigma)

    def tensors(self) -> dict[str, Tensor]:
        """The state, for :meth:`restored`."""
        sigma = {} if self.sigma is None else {"sigma": self.sigma}
        return {"box": self.box, "vertices": self.vertices, **sigma}

    @property
    def share(self) -> float:
        """How much of the box is occupied, 0 to 1."""
        return float(self.occupied.float().mean())

    def tight(self) -> Tensor:
        """The box, (2, 3), around all occupied cells, with a margin of one cell."""
        where = torch.nonzero(self.vertices).flip(-1)
        ends = self.box[0] + torch.stack([where.amin(0) - 1, where.amax(0) + 1]) * self.cell
        return torch.stack([torch.maximum(ends[0], self.box[0]), torch.minimum(ends[1], self.box[1])])

    def touches(self, points: Tensor) -> Tensor:
        """Whether points (n, 3) lie in occupied cells: (n,) bool."""
        place = 2 * (points - self.box[0]) / (self.box[1] - self.box[0]) - 1
        grid = self.vertices.float()[None, None]
        return F.grid_sample(grid, place.view(1, -1, 1, 1, 3), align_corners=True).view(-1) > ROUNDING

    def interval(self, o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        """Where rays (n, 3) enter and leave the box, (n,) each; they miss it where the second is not larger."""
        inverse = 1 / torch.where(d.abs() < 1e-9, torch.full_like(d, 1e-9), d)
        a, b = (self.box[0] - o) * inverse, (self.box[1] - o) * inverse
        return torch.minimum(a, b).amax(-1), torch.maximum(a, b).amin(-1)

    def touched(self, o: Tensor, d: Tensor, limits: tuple[Tensor, Tensor], step: float) -> Tensor:
        """Whether rays (n, 3), unit ``d``, come near an occupied cell between ``limits``: (n,) bool."""
        start, end = limits
        middle, cell = self._stretches(o, d, start, end, step)
        near = self._near_cells(step)[cell]
        return (near & (middle < (end + 0.5 * STRETCH * step)[:, None])).any(-1)

    def samples(
        self, o: Tensor, d: Tensor, limits: tuple[Tensor, Tensor], step: float, offset: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Ray index (s,) and distance (s,) of the steps of rays (n, 3), unit ``d``, that may be seen, in order.

        ``limits``: where each ray begins and ends, (n,) each; ``offset``: (n,) in [0, 1), of its steps.
        """
        start, end = limits
        middle, cell = self._stretches(o, d, start, end, step)
        near = self._near_cells(step)[cell] & (middle < (end + 0.5 * STRETCH * step)[:, None])
        ray, stretch = torch.nonzero(near, as_tuple=True)
        within = torch.arange(STRETCH, device=o.device) + offset[ray][:, None]
        t = start[ray][:, None] + step * (within + (STRETCH * stretch)[:, None])
        bound = self.bound[self._index(o[ray], d[ray], t)]
        bound = torch.where(t < end[ray][:, None], bound, -torch.ones_like(bound)).view(-1)
        occupied = torch.nonzero(bound >= 0)[:, 0]
        ray = ray[torch.div(occupied, STRETCH, rounding_mode="floor")]
        t = t.view(-1)[occupied]
        seen = before(bound[occupied] * step, ray, len(o)) < OPAQUE
        return ray[seen], t[seen]

    def _stretches(self, o: Tensor, d: Tensor, start: Tensor, end: Tensor, step: float) -> tuple[Tensor, Tensor]:
        """Distance of the middles of all stretches, and the cells that they lie in, both (n, k)."""
        length = STRETCH * step
        longest = float((end - start).max()) if len(o) else 0.0
        count = max(math.ceil(longest / length), 0)
        middle = start[:, None] + length * (torch.arange(count, device=o.device) + 0.5)
        return middle, self._index(o, d, middle)

    def _index(self, o: Tensor, d: Tensor, t: Tensor) -> Tensor:
        """Cells (n, k) of points at distances ``t`` (n, k) of rays (n, 3); those outside count to the nearest."""
        index: Tensor | None = None
        place = (o - self.box[0]) / self.cell
        speed = d / self.cell
        for axis in (2, 1, 0):
            along = torch.addcmul(place[:, axis : axis + 1], speed[:, axis : axis + 1], t).int()
            along = along.clamp_(0, self.counts[axis] - 1)
            index = along if index is None else index.mul_(self.counts[axis]).add_(along)
        assert index is not None
        return index

    def _near_cells(self, step: float) -> Tensor:
        """Whether there is an occupied cell within half a stretch of a point in the cell: (cells,) bool."""
        reach = math.ceil(0.5 * STRETCH * step / float(self.cell.min()))
        if self._near[0] != reach:
            grown = pooled(self.occupied.float(), 2 * reach + 1, reach)
            self._near = (reach, (grown > 0).view(-1))
        return self._near[1]


def pooled(grid: Tensor, kernel: int, padding: int) -> Tensor:
    """Maximum of ``grid`` (z, y, x) over a cube of ``kernel`` vertices; axis by axis, which is much faster."""
    out = grid[None, None]
    for axis in range(3):
        size, pad = [1, 1, 1], [0, 0, 0]
        size[axis], pad[axis] = kernel, padding
        out = F.max_pool3d(out, tuple(size), 1, tuple(pad))
    return out[0, 0]

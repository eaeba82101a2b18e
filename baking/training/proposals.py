"""Where along curved rays a field is evaluated: most samples lie where a coarse grid of densities expects surfaces.

This is the resampling of NeRF (Mildenhall et al., ECCV 2020, section 5.2) and of mip-NeRF 360 (Barron et al.,
CVPR 2022, section 3), with a grid in the place of a coarse network: in it are the field's own densities, asked anew
during the training. A few samples are spread evenly, so that what the grid does not know yet is found.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.baking.fields.rendering import in_chunks, resampled
from duplex.baking.fields.spaces import Contracted
from duplex.baking.training.occupancy import pooled

SIDE = 128  # cells along a side of the box
SAMPLES = 32  # of each ray
EVENLY = 1.0  # samples that do not follow the grid, for each that does; twice as many where it expects nothing
REFRESHED = 1 / 32  # of the cells, at once
CLOSED_AFTER = 8  # times
FORGETTING = 0.8  # of a cell's density each time it is asked anew, if the new one is smaller
EMPTY = 0.03  # optical depth of a cell, below which it is not sampled if all its neighbours are as thin
POINTS_AT_ONCE = 1 << 16


class Proposals:
    """The densities of cells in ``box`` (2, 3); ``possible``: which of them may hold something, (z, y, x) bool."""

    def __init__(self, box: Tensor, possible: Tensor):
        self.box = box
        self.side = possible.shape[0]
        self.cell = float(box[1, 0] - box[0, 0]) / self.side
        self.possible = torch.nonzero(possible.reshape(-1))[:, 0]
        self.open = possible.reshape(-1).clone()
        self.sigma = torch.zeros(self.side**3, device=box.device)
        self.asked = 0

    @property
    def share(self) -> float:
        """How much of the box may be sampled, 0 to 1."""
        return float(self.open.float().mean())

    @property
    def vertices(self) -> Tensor:
        """Vertices, (z, y, x) bool, of which cells with at least one are those that may be sampled, and no others.

        What was never sampled holds anything. Cells that are in no open cube of 2 x 2 x 2 are lost, but an open cell
        comes with its neighbours.
        """
        closed = 1 - self.open.view(1, 1, *(self.side,) * 3).float()
        return F.max_pool3d(F.pad(closed, (1,) * 6), 2, 1)[0, 0] == 0

    def tight(self) -> Tensor:
        """The box, (2, 3), around all cells that may be sampled, with a margin of one cell."""
        where = torch.nonzero(self.open.view((self.side,) * 3)).flip(-1)
        ends = self.box[0] + torch.stack([where.amin(0) - 1, where.amax(0) + 2]) * self.cell
        return torch.stack([torch.maximum(ends[0], self.box[0]), torch.minimum(ends[1], self.box[1])])

    @torch.no_grad()
    def refresh(self, density: Callable[[Tensor], Tensor], *, closing: bool) -> None:
        """Ask for the ``density`` (n,) of points (n, 3) in some of the cells, at first in all of them.

        ``closing``: whether cells that have become empty are sampled no longer.
        """
        generator = torch.Generator().manual_seed(self.asked)
        cells = self.possible
        if self.asked:
            some = torch.randint(len(cells), (int(len(cells) * REFRESHED) + 1,), generator=generator)
            cells = cells[some.to(cells.device)]
        x, y, z = cells % self.side, (cells // self.side) % self.side, cells // self.side**2
        inside = torch.rand(len(cells), 3, generator=generator).to(cells.device)
        points = self.box[0] + self.cell * (torch.stack([x, y, z], -1) + inside)
        found = in_chunks(density, POINTS_AT_ONCE, points)
        self.sigma[cells] = torch.maximum(FORGETTING * self.sigma[cells], found) if self.asked else found
        self.asked += 1
        if closing and self.asked % CLOSED_AFTER == 0:
            solid = (self.sigma * self.cell > EMPTY).float().view((self.side,) * 3)
            left = torch.zeros_like(self.open)
            left[self.possible] = pooled(solid, 3, 1).view(-1)[self.possible] > 0
            if bool(left.any()):  # otherwise the field is still thin fog everywhere
                self.open = left

    def samples(
        self, o: Tensor, d: Tensor, space: Contracted, edges: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """:data:`SAMPLES` places on each of the rays (n, 3), unit ``d``, of the world that cross open cells.

        ``edges``: (k + 1,) distances in the world, between which the grid is looked up once; ``offset``: (n,) in
        [0, 1), of the places. Returns, in order, ray index (s,), place in field space (s, 3), the length that a sample
        stands for there, (s,), and its distance, (s,). Lengths add up to that of a ray's way through open cells.
        """
        middles = 0.5 * (edges[1:] + edges[:-1])
        points = space.warp(o[:, None] + middles[:, None] * d[:, None])
        place = ((points - self.box[0]) * (1 / self.cell)).int().clamp_(0, self.side - 1)
        cells = (place[..., 2] * self.side + place[..., 1]) * self.side + place[..., 0]
        ray, step = torch.nonzero(self.open[cells.view(-1)].view_as(cells), as_tuple=True)
        length = edges.diff()[step] / space.stretch(points[ray, step])
        found = resampled(ray, self.sigma[cells[ray, step]] * length, length, offset, SAMPLES, EVENLY)
        k = step[found.step]
        t = (edges[k] + found.inside * (edges[k + 1] - edges[k])).view(-1)
        ray = found.hit.repeat_interleave(SAMPLES)
        return ray, space.warp(o[ray] + t[:, None] * d[ray]), found.length.view(-1), t

    def tensors(self) -> dict[str, Tensor]:
        """The state, for :meth:`restore`."""
        return {"densities": self.sigma, "open": self.open, "asked": torch.tensor([self.asked])}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state from :meth:`tensors`."""
        sigma, is_open, (asked,) = tensors["densities"], tensors["open"], tensors["asked"].tolist()
        if sigma.shape != self.sigma.shape or is_open.shape != sigma.shape or is_open.dtype != torch.bool or asked < 0:
            raise ValueError("not the densities of cells")
        self.sigma, self.open, self.asked = sigma.to(self.box.device), is_open.to(self.box.device), int(asked)

"""The fast renderer for distillation: network evaluations only where the density grid says something is visible.

A ray is marched in steps of one grid cell through two bounds of the density, both looked up in the grid: the
largest value around a cell says whether the network must be asked at all, the smallest one how much light can
still get there. What remains, a few cells a ray, is integrated with sub-steps through the fine network (the
letters are those of :mod:`duplex.baking.rendering`).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.app.camera import Camera
from duplex.baking.density import VISIBLE_OPACITY, DensityGrid
from duplex.baking.rendering import POINTS_PER_CHUNK, in_chunks, rays_of
from duplex.baking.teachers import Teacher

RAYS_PER_CHUNK = 1 << 14
MIN_TRANSMITTANCE = 1e-3
MIN_WEIGHT = 1e-4
BAND = 8  # samples of each ray that are evaluated before looking which rays still get light


class FastRenderer:
    """Renders ``teacher`` inside ``grid``; everything outside the grid's occupied cells is empty to it.

    ``sub_steps``: network samples for each grid cell that a ray crosses.
    """

    def __init__(self, teacher: Teacher, grid: DensityGrid, sub_steps: int = 2):
        self.teacher, self.grid, self.sub_steps = teacher, grid, sub_steps
        sigma = torch.from_numpy(grid.sigma).to(teacher.device)[None, None]
        largest = F.max_pool3d(sigma, 3, 1, 1)
        smallest = -F.max_pool3d(-F.pad(sigma, (1,) * 6), 3, 1)
        occupied = largest * grid.step > VISIBLE_OPACITY
        # one number a cell: the least density where occupied, -1 where empty
        self.bound = torch.where(occupied, smallest, -torch.ones_like(smallest))[0, 0].contiguous()
        self.low = torch.tensor(grid.low, dtype=torch.float32, device=teacher.device)
        self.shape = torch.tensor(grid.sigma.shape, device=teacher.device)

    @torch.no_grad()
    def render(self, camera: Camera) -> Tensor:
        """Premultiplied colour and opacity, (height, width, 4) float32, of the view of ``camera``."""
        rays = rays_of(camera, self.teacher.device)
        return self.render_rays(*rays).view(camera.height, camera.width, 4)

    @torch.no_grad()
    def render_rays(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Premultiplied colour and opacity (n, 4) of rays, both (n, 3); directions need not be unit vectors."""
        return self._march(origins, directions)[:, :4].contiguous()

    @torch.no_grad()
    def probe(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """What :meth:`render_rays` gives, (n, 4), and how far light still comes from along each ray, (n,).

        The distance is infinite where a ray leaves with more than one percent of its transmittance.
        """
        out = self._march(origins, directions)
        return out[:, :4], torch.where(out[:, 3] > 0.99, out[:, 4], torch.inf)

    def _march(self, origins: Tensor, directions: Tensor) -> Tensor:
        chunk = RAYS_PER_CHUNK if origins.device.type == "cpu" else 1 << 16
        return in_chunks(self._march_chunk, chunk, origins, F.normalize(directions, dim=-1))

    def _march_chunk(self, o: Tensor, d: Tensor) -> Tensor:
        """Premultiplied colour, opacity and the distance of the last sample that got light: (n, 5)."""
        out = o.new_zeros(len(o), 5)
        start, end = self._box(o, d)
        hit = torch.nonzero(end > start)[:, 0]
        if not len(hit):
            return out
        o, d, start, end = o[hit], d[hit], start[hit], end[hit]
        ray, t = self._samples(o, d, start, end)
        lit = torch.ones(len(o), device=o.device)
        first = torch.searchsorted(ray, torch.arange(len(o) + 1, device=o.device))
        rank = torch.arange(len(ray), device=o.device) - first[ray]
        part = o.new_zeros(len(o), 5)
        for low in range(0, int(rank.max()) + 1 if len(rank) else 0, BAND):  # nearest first: most rays end there
            now = torch.nonzero((rank >= low) & (rank < low + BAND) & (lit[ray] > MIN_TRANSMITTANCE))[:, 0]
            if not len(now):
                break
            self._accumulate(o, d, ray[now], t[now], lit, part)
        out[hit] = part
        return out

    def _accumulate(self, o: Tensor, d: Tensor, ray: Tensor, t: Tensor, lit: Tensor, out: Tensor) -> None:
        """Add samples to ``out`` (rays, 5) and dim ``lit`` (rays,), the transmittance so far.

        ``ray``: (s,) sorted, with the distance ``t`` growing inside a ray.
        """
        chunk = POINTS_PER_CHUNK if o.device.type == "cpu" else 1 << 20
        points, views = o[ray] + t[:, None] * d[ray], d[ray]
        parts = [self.teacher.fine.density(p) for p in torch.split(points, chunk)]
        depth = torch.cat([p[0] for p in parts]).double() * (self.grid.step / self.sub_steps)
        total = torch.cumsum(depth, 0)
        first = torch.searchsorted(ray, ray)  # where each sample's ray begins
        before = torch.exp(-(total - depth - (total - depth)[first])).float() * lit[ray]
        weight = before * (1 - torch.exp(-depth)).float()
        rgb, begin = o.new_zeros(len(ray), 3), 0
        for _, latent in parts:
            seen = begin + torch.nonzero(weight[begin : begin + len(latent)] > MIN_WEIGHT)[:, 0]
            rgb[seen] = self.teacher.fine.color(latent[seen - begin], views[seen])
            begin += len(latent)
        out[:, :4].index_add_(0, ray, weight[:, None] * torch.cat([rgb, torch.ones_like(rgb[:, :1])], -1))
        out[:, 4].scatter_reduce_(0, ray, torch.where(before > 0.01, t, torch.zeros_like(t)), "amax")
        lit.scatter_reduce_(0, ray, before * torch.exp(-depth).float(), "amin")

    def _box(self, o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        high = self.low + self.grid.step * (self.shape - 1)
        inverse = 1 / torch.where(d.abs() < 1e-9, torch.full_like(d, 1e-9), d)
        a, b = (self.low - o) * inverse, (high - o) * inverse
        return torch.minimum(a, b).amax(-1).clamp(min=0), torch.maximum(a, b).amin(-1)

    def _samples(self, o: Tensor, d: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        """Ray index (s,) and distance (s,) of the samples worth the network, sorted by ray and distance."""
        step = self.grid.step
        count = int(((end - start).max() / step).ceil())
        middle = start[:, None] + step * (torch.arange(count, device=o.device) + 0.5)
        index = torch.zeros_like(middle, dtype=torch.int32)
        for axis, size in enumerate(self.grid.sigma.shape):
            place = torch.addcmul(o[:, axis : axis + 1] - self.low[axis], d[:, axis : axis + 1], middle)
            index = index * size + (place * (1 / step)).round_().int().clamp_(0, size - 1)
        bound = self.bound.view(-1)[index]
        bound[middle > end[:, None] + 0.5 * step] = -1
        depth = torch.cumsum(bound.clamp(min=0), -1) * step
        before = depth - bound.clamp(min=0) * step
        wanted = (bound >= 0) & (before < -float(np.log(MIN_TRANSMITTANCE)))
        ray, cell = torch.nonzero(wanted, as_tuple=True)
        inside = (torch.arange(self.sub_steps, device=o.device) + 0.5) / self.sub_steps - 0.5
        t = (middle[ray, cell][:, None] + step * inside).view(-1)
        return ray.repeat_interleave(self.sub_steps), t

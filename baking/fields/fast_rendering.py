"""The fast renderer for distillation: it evaluates the network only in cells that the density grid marks as visible.

A ray marches in steps of one grid cell. Two bounds of the density are looked up in the grid: the largest value around a
cell decides whether the network is evaluated, the smallest value bounds the transmittance that is left. The remaining
cells, a few for each ray, are integrated with sub-steps through the fine network (the letters are those of
:mod:`duplex.baking.fields.rendering`). Grid and march are in field space. Where rays are curved there, the steps grow
with the distance, as the cells do in the world, and a fixed number of samples is spread by the densities in the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.app.scene.camera import Camera
from duplex.baking.fields.density_grid import VISIBLE_OPACITY, DensityGrid
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.rendering import POINTS_PER_CHUNK, in_chunks, rays_of, resampled
from duplex.baking.fields.spaces import Contracted

MIN_TRANSMITTANCE = 1 / 255  # less is invisible in 8 bits
MIN_WEIGHT = 1e-3  # of a ray, that has to accumulate before a colour is evaluated
CURVED_MIN_WEIGHT = 0.02  # the same of a curved ray, which may pass through haze for long
BAND = 8  # samples of each ray between two tests of the transmittance
CURVED_SAMPLES = 20  # of a curved ray, for each of the sub-steps
EVENLY = 0.5  # of these, spread along the ray for each that is not


class FastRenderer:
    """Renders ``teacher`` inside ``grid``; it treats everything outside the grid's occupied cells as empty.

    ``sub_steps``: network samples for each grid cell that a ray crosses.
    """

    def __init__(self, teacher: Teacher, grid: DensityGrid, sub_steps: int = 2):
        self.teacher = teacher
        self.grid = grid
        self.sub_steps = sub_steps
        sigma = torch.from_numpy(grid.sigma).to(teacher.device)[None, None]
        largest = F.max_pool3d(sigma, 3, 1, 1)
        smallest = -F.max_pool3d(-F.pad(sigma, (1,) * 6), 3, 1)
        occupied = largest * grid.step > VISIBLE_OPACITY
        self.space = teacher.scene.space
        # a cube between eight grid samples is empty if all of them are
        self.between = (F.max_pool3d(sigma, 2, 1)[0, 0] * grid.step > VISIBLE_OPACITY).contiguous()
        self.cleared = None if grid.cleared is None else torch.from_numpy(grid.cleared).to(teacher.device)
        # for each cell: the smallest density where occupied, -1 where empty
        self.bound = torch.where(occupied, smallest, -torch.ones_like(smallest))[0, 0].contiguous()
        self.low = torch.tensor(grid.low, dtype=torch.float32, device=teacher.device)
        self.shape = torch.tensor(grid.sigma.shape, device=teacher.device)
        self.sigma = sigma[0, 0]

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
        """What :meth:`render_rays` gives, (n, 4), and the distance of the last visible sample of each ray, (n,).

        The distance is infinite where more than one percent of the transmittance is left.
        """
        out = self._march(origins, directions)
        return out[:, :4], torch.where(out[:, 3] > 0.99, out[:, 4], torch.inf)

    def _march(self, origins: Tensor, directions: Tensor) -> Tensor:
        chunk = rays_per_chunk(origins.device)
        o, d = self.space.rays(origins, directions)
        views = F.normalize(self.space.view_directions(directions, d), dim=-1)
        return in_chunks(
            self._march_chunk, chunk if self.space.straight else chunk // 4, o, F.normalize(d, dim=-1), views
        )

    def _march_chunk(self, o: Tensor, d: Tensor, views: Tensor) -> Tensor:
        """Premultiplied colour, opacity, distance of the last visible sample, opacity that has a colour: (n, 6)."""
        out = o.new_zeros(len(o), 6)
        if self.space.straight:
            start, end = self._box(o, d)
            hit = torch.nonzero(end > start)[:, 0]
            if not len(hit):
                return out
            o, d, views = o[hit], d[hit], views[hit]
            ray, t, delta = self._samples(o, d, start[hit], end[hit])
        else:
            hit = torch.arange(len(o), device=o.device)
            ray, t, delta = self._curved_samples(o, d)
        lit = torch.ones(len(o), device=o.device)
        first = torch.searchsorted(ray, torch.arange(len(o) + 1, device=o.device))
        rank = torch.arange(len(ray), device=o.device) - rows(first, ray)
        part = o.new_zeros(len(o), 6)
        band = BAND if self.space.straight else len(ray) + 1  # curved rays have few samples behind what is opaque
        for low in range(0, int(rank.max()) + 1 if len(rank) else 0, band):  # nearest first: most rays end early
            now = torch.nonzero((rank >= low) & (rank < low + band) & (rows(lit, ray) > MIN_TRANSMITTANCE))[:, 0]
            if not len(now):
                break
            of, at = rows(ray, now), rows(t, now)
            points = self.space.warp(torch.addcmul(rows(o, of), at[:, None], rows(d, of)))
            held = self._held(points)
            samples = RaySamples(rows(of, held), rows(at, held), rows(delta, rows(now, held)), rows(points, held))
            self._accumulate(samples, views, lit, part)
        if not self.space.straight:  # what is behind the last colour has the mean of those before
            part[:, :3] *= (part[:, 3] / part[:, 5].clamp(min=CURVED_MIN_WEIGHT))[:, None].clamp(min=1)
        out[hit] = part
        return out

    def _held(self, points: Tensor) -> Tensor:
        """Indices (k,) of those ``points`` (n, 3) that lie in a cube with an occupied grid sample.

        Points nearest to a cleared sample are left out.
        """
        place = (points - self.low) * (1 / self.grid.step)
        held = torch.nonzero(_at(self.between, place.floor()))[:, 0]
        if self.cleared is None:
            return held
        return held[~_at(self.cleared, place[held].round_())]

    def _accumulate(self, samples: RaySamples, views: Tensor, lit: Tensor, out: Tensor) -> None:
        """Add ``samples`` to ``out`` (rays, 6) and dim ``lit`` (rays,), the transmittance so far."""
        chunk = POINTS_PER_CHUNK if lit.device.type == "cpu" else 1 << 20
        ray = samples.ray
        parts = [self.teacher.fine.density(p) for p in torch.split(samples.points, chunk)]
        depth = torch.cat([p[0] for p in parts]).double() * samples.delta
        total = torch.cumsum(depth, 0)
        first = torch.searchsorted(ray, ray)  # where each sample's ray begins
        before = torch.exp(-(total - depth - rows(total - depth, first))).float() * rows(lit, ray)
        after = before * torch.exp(-depth).float()
        self._colour(samples, [p[1] for p in parts], 1 - before, 1 - after, views, out)
        out[:, 3].index_add_(0, ray, before - after)
        out[:, 4].scatter_reduce_(0, ray, torch.where(before > 0.01, samples.t, torch.zeros_like(samples.t)), "amax")
        lit.scatter_reduce_(0, ray, after, "amin")

    def _colour(
        self, samples: RaySamples, latents: list[Tensor], low: Tensor, high: Tensor, views: Tensor, out: Tensor
    ) -> None:
        """Add the colours of ``samples``, which raise their rays' opacity from ``low`` to ``high`` (s,), to ``out``.

        A colour is evaluated where the opacity passes a multiple of the least weight. It counts for all opacity
        since the previous colour, so that faint matter keeps its brightness.
        """
        least = MIN_WEIGHT if self.space.straight else CURVED_MIN_WEIGHT
        asked = torch.nonzero((high / least).floor() > (low / least).floor())[:, 0]
        ray = rows(samples.ray, asked)
        high = rows(high, asked)
        same = F.pad(ray[1:] == ray[:-1], (1, 0))
        weight = high - torch.where(same, F.pad(high[:-1], (1, 0)), rows(out[:, 5], ray))
        begin = 0
        colors = []
        for latent in latents:
            of = asked[(asked >= begin) & (asked < begin + len(latent))]
            colors.append(self.teacher.fine.color(rows(latent, of - begin), rows(views, rows(samples.ray, of))))
            begin += len(latent)
        out[:, :3].index_add_(0, ray, weight[:, None] * torch.cat(colors))
        out[:, 5].scatter_reduce_(0, ray, high, "amax")

    def _box(self, o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        high = self.low + self.grid.step * (self.shape - 1)
        inverse = 1 / torch.where(d.abs() < 1e-9, torch.full_like(d, 1e-9), d)
        a = (self.low - o) * inverse
        b = (high - o) * inverse
        return torch.minimum(a, b).amax(-1).clamp(min=0), torch.maximum(a, b).amin(-1)

    def _samples(self, o: Tensor, d: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ray index, distance and spacing, each (s,), of the samples to evaluate, sorted by ray and distance."""
        step = self.grid.step
        count = int(((end - start).max() / step).ceil())
        middle = start[:, None] + step * (torch.arange(count, device=o.device) + 0.5)
        index = torch.zeros_like(middle, dtype=torch.int32)
        for axis, size in enumerate(self.grid.sigma.shape):
            place = torch.addcmul(o[:, axis : axis + 1] - self.low[axis], d[:, axis : axis + 1], middle)
            index = index * size + (place * (1 / step)).round_().int().clamp_(0, size - 1)
        bound = rows(self.bound.view(-1), index.view(-1)).view_as(middle)
        bound[middle > end[:, None] + 0.5 * step] = -1
        depth = torch.cumsum(bound.clamp(min=0), -1) * step
        before = depth - bound.clamp(min=0) * step
        wanted = (bound >= 0) & (before < -float(np.log(MIN_TRANSMITTANCE)))
        ray, cell = torch.nonzero(wanted, as_tuple=True)
        inside = (torch.arange(self.sub_steps, device=o.device) + 0.5) / self.sub_steps - 0.5
        t = (middle[ray, cell][:, None] + step * inside).view(-1)
        return ray.repeat_interleave(self.sub_steps), t, torch.full_like(t, step / self.sub_steps)

    def _curved_samples(self, o: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`_samples`, for curved rays: most samples lie where the grid says that they become opaque."""
        scene, step, space = self.teacher.scene, self.grid.step, self.space
        assert isinstance(space, Contracted)
        reach = float((o - o.new_tensor(space.center)).norm(dim=-1).max())
        edge = space.edges(scene.near, scene.far, reach, step).to(o.device)
        points = space.warp(o[:, None] + (0.5 * (edge[1:] + edge[:-1]))[:, None] * d[:, None])
        place = (points - self.low) * (1 / step)
        inside = ((place >= -0.5) & (place < self.shape - 0.5)).all(-1)
        cell = torch.minimum(place.round_().clamp_(min=0), (self.shape - 1).float()).int()
        index = (cell[..., 0] * self.shape[1] + cell[..., 1]) * self.shape[2] + cell[..., 2]
        occupied = (rows(self.bound.view(-1), index.view(-1)).view_as(inside) >= 0) & inside
        ray, k = torch.nonzero(occupied, as_tuple=True)
        length = edge.diff()[k] / space.stretch(points[ray, k])  # in field space
        depth = rows(self.sigma.view(-1), index[ray, k]) * length
        found = resampled(ray, depth, length, o.new_full((len(o),), 0.5), CURVED_SAMPLES * self.sub_steps, EVENLY)
        k = k[found.step]
        t = edge[k] + found.inside * (edge[k + 1] - edge[k])
        of = found.hit.repeat_interleave(t.shape[1])
        place = space.warp(o[of] + t.view(-1)[:, None] * d[of])
        return of, t.view(-1), found.length.view(-1) * space.stretch(place)


def rays_per_chunk(device: torch.device) -> int:
    """Number of rays in one chunk."""
    return 1 << 14 if device.type == "cpu" else 1 << 16


def rows(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]`` of a one-dimensional ``index``, three times as fast."""
    return values.index_select(0, index)


def _at(values: Tensor, corner: Tensor) -> Tensor:
    """``values`` (nx, ny, nz) at whole numbers ``corner`` (n, 3), those outside moved inside: (n,)."""
    corner = corner.int()
    index = torch.zeros_like(corner[:, 0])
    for axis, size in enumerate(values.shape):
        index = index * size + corner[:, axis].clamp(0, size - 1)
    return rows(values.view(-1), index)


@dataclass(frozen=True)
class RaySamples:
    """``s`` samples, sorted by ray and distance: ``ray`` index, ``t`` distance, ``delta`` spacing, each (s,).

    ``points``: (s, 3) in field space.
    """

    ray: Tensor
    t: Tensor
    delta: Tensor
    points: Tensor

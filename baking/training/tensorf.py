"""Training VM-split grids: Chen et al., "TensoRF: Tensorial Radiance Fields", ECCV 2022, sections 4 and 5.

Three things make it fast on a CPU: space that is transparent in any photo is never sampled (the visual hull); the
occupancy grid also terminates rays behind opaque cells; and the number of rays in a step adapts to a constant number of
coloured samples, few rays while everything is fog, thousands once surfaces are sharp.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.baking.datasets.frames import SparsePoints
from duplex.baking.fields.field import SceneInfo
from duplex.baking.fields.rendering import in_chunks
from duplex.baking.fields.spaces import Contracted, Space
from duplex.baking.training import grids
from duplex.baking.training.free_space import free_cells, without
from duplex.baking.training.hull import in_view, seen_vertices
from duplex.baking.training.marching import accumulate, gathered, weights_of
from duplex.baking.training.occupancy import Occupancy
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.tensorf_config import TensorfConfig

UPSAMPLINGS = (0.08, 0.16, 0.25, 0.35)  # shares of the training at which the grid grows
MASKINGS = (0.05, 0.1, 0.16, 0.25, 0.35, 0.5, 0.65, 0.8)  # and at which the occupancy grid is updated
FILTERINGS = (0.25, 0.5)  # and at which rays that miss all occupied cells are removed
MAX_MASK = 256  # vertices along a side of the mask
MASK_ALPHA = 2e-3  # opacity of a step below which a vertex is empty
HULL = 64, 128  # side of the grids for the scene's box, and for the first occupancy in it
FOG, THICK_FOG = 0.15, 1.5  # optical depth of the box at the beginning: with transparent photos, and without
FOG_WEIGHT, MIN_WEIGHT = 1e-4, 1e-3  # of a ray that has to accumulate before a colour is evaluated: in the fog, later
MAX_RAYS, RAYS_AT_ONCE, POINTS_AT_ONCE = 1 << 14, 1 << 13, 1 << 16


class TensorfModel:
    """A VM-split field in training, and the occupancy of its box.

    ``sparse``: points of structure from motion, before which a contracted space is empty.
    """

    def __init__(
        self,
        photos: PhotoSet,
        scene: SceneInfo,
        config: TensorfConfig,
        steps: int,
        sparse: SparsePoints | None = None,
    ):
        self.photos = photos
        self.scene = scene
        self.sparse = sparse
        self.config = config
        self.steps = steps
        device = photos.rgba.device
        box, vertices = self._first_box(torch.tensor(scene.bounds, dtype=torch.float32, device=device))
        self.occupancy = Occupancy(box, vertices)
        self.has_alpha = photos.has_alpha
        self._reach = _largest_distance(photos, scene.space)
        fog = FOG if self.has_alpha else THICK_FOG
        self.field = grids.new_field(box, grids.grid_of(box, config.first_voxels), config, fog)
        self.background = torch.tensor(scene.background, device=device)
        self.cost = float(np.mean(self.field.grid)) / 2
        self.share = 0.0
        self.alive = self._touched()

    def _first_box(self, box: Tensor) -> tuple[Tensor, Tensor]:
        """The box around what may be occupied, and which of its vertices may be."""
        if isinstance(self.scene.space, Contracted):
            vertices = in_view(self.photos, self.scene.space, box, HULL[1])
            if self.sparse is not None:
                vertices = without(vertices, free_cells(self.sparse, self.scene.space, box))
            return box, vertices
        if self.scene.space.name != "world":
            return box, torch.ones((2, 2, 2), dtype=torch.bool, device=box.device)
        vertices = seen_vertices(self.photos, box, grids.grid_of(box, HULL[0]))
        if not bool(vertices.any()):
            raise grids.nothing_there(box)
        tight = Occupancy(box, vertices).tight()
        return tight, seen_vertices(self.photos, tight, grids.grid_of(tight, HULL[1]))

    def groups(self) -> list[dict[str, Any]]:
        """The parameters with their learning rates at the start, for an optimiser."""
        networks = [*self.field.basis_mat.parameters(), *self.field.renderModule.parameters()]
        return [
            {"params": grids.parameters(self.field), "initial": self.config.grid_rate},
            {"params": networks, "initial": self.config.network_rate},
        ]

    def prepare(self, step: int) -> bool:
        """Update occupancy and resolution as ``step`` requires; returns whether there are new parameters."""
        self.share = step / self.steps
        if step in _due(MASKINGS, self.steps):
            self._update_mask()
        if step in _due(FILTERINGS, self.steps):
            self.alive = self._touched()
        if step not in _due(UPSAMPLINGS, self.steps):
            return False
        done = 1 + _due(UPSAMPLINGS, self.steps).index(step)
        first, last = self.config.first_voxels, self.config.voxels
        box = self.occupancy.tight()
        grids.resample(self.field, grids.grid_of(box, first * (last / first) ** (done / len(UPSAMPLINGS))), box)
        return True

    def loss(self, generator: torch.Generator) -> tuple[Tensor, float]:
        """The loss of a batch of rays, to be differentiated, and its mean squared error of the colour."""
        rays = int(min(max(self.config.batch / self.cost, 64), MAX_RAYS))
        device = self.alive.device
        index = self.alive[torch.randint(len(self.alive), (rays,), generator=generator, device=device)]
        offset = torch.rand(rays, generator=generator, device=device)
        rgba = self._march(*self.photos.rays(index), offset)
        wanted = self.photos.colors(index)
        missing = wanted[:, 3:] - rgba[:, 3:]
        squared = ((rgba[:, :3] - wanted[:, :3] + missing * self.background) ** 2).mean()
        opacity = self.config.opacity if self.has_alpha else 0.0
        return squared + opacity * (missing**2).mean(), float(squared.detach())

    def regularize(self) -> None:
        """Add the gradients of sparsity and smoothness, which need no autograd graph, to those of the loss."""
        grids.add_sparsity(self.field, self.config.l1)
        if self.config.tv:
            grids.add_variation(self.field, self.config.tv)

    @torch.no_grad()
    def render_rays(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Premultiplied colour and opacity (n, 4) of world rays (n, 3)."""

        def chunk(o: Tensor, d: Tensor) -> Tensor:
            return self._march(o, d, torch.full_like(o[:, 0], 0.5))

        return in_chunks(chunk, RAYS_AT_ONCE, origins, directions)

    def _march(self, origins: Tensor, directions: Tensor, offset: Tensor) -> Tensor:
        field = self.field
        rays = len(origins)
        views, ray, points, length = self._samples(origins, directions, offset)
        unit = ((points - field.low) / field.size).clamp(0, 1)
        weight = weights_of(field.sigma(unit) * length, ray, rays)
        least = FOG_WEIGHT if self.share < MASKINGS[1] else MIN_WEIGHT
        seen, share = gathered(weight, ray, rays, least)
        rgb = field.radiance(unit[seen], views[ray[seen]])
        if field.training and torch.is_grad_enabled():
            self.cost = 0.9 * self.cost + 0.1 * (len(seen) + 0.25 * len(ray)) / rays
        color = accumulate(share[:, None] * rgb, ray[seen], rays)
        return torch.cat([color, accumulate(weight[:, None], ray, rays)], -1)

    def _samples(self, origins: Tensor, directions: Tensor, offset: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of world rays (n, 3): viewing directions (n, 3); of samples: ray (s,), place in field space (s, 3), length.

        The length is that which a sample stands for, in units of field space: (s,) or, the same for all, (1,).
        """
        space = self.scene.space
        o, d, views, limits = self._mapped(origins, directions)
        if not isinstance(space, Contracted):
            ray, t = self.occupancy.samples(o, d, limits, self._step(), offset)
            return views, ray, o[ray] + t[:, None] * d[ray], o.new_tensor([self._step()])
        edges = space.edges(self.scene.near, self.scene.far, self._reach, self._step()).to(o.device)
        ray, points, length = self.occupancy.curved_samples(o, d, space, edges, offset)
        return views, ray, points, length

    def _mapped(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]]:
        """World rays in field space: origins, unit directions, viewing directions, and the interval in the box."""
        scene = self.scene
        o, d = scene.space.rays(origins, directions)
        views = F.normalize(scene.space.view_directions(directions, d), dim=-1)
        length = d.norm(dim=-1)
        d = d / length[:, None]
        start, end = self.occupancy.interval(o, d)
        return o, d, views, (torch.maximum(start, scene.near * length), torch.minimum(end, scene.far * length))

    def _step(self) -> float:
        """Distance of samples along a ray, world units."""
        cells = [float(s) / (n - 1) for s, n in zip(self.field.size, self.field.grid, strict=True)]
        return self.config.step_ratio * sum(cells) / 3

    def _touched(self) -> Tensor:
        """The usable pixels whose rays come near an occupied cell; all of them in a contracted space."""
        if not self.scene.space.straight:
            return self.photos.usable
        kept = []
        for index in torch.split(self.photos.usable, POINTS_AT_ONCE):
            o, d, _, limits = self._mapped(*self.photos.rays(index))
            kept.append(index[self.occupancy.touched(o, d, limits, self._step())])
        alive = torch.cat(kept)
        if not len(alive):
            raise grids.nothing_there(self.field.box)
        return alive

    @torch.no_grad()
    def _update_mask(self) -> None:
        """Update the occupancy; vertices that were empty stay empty."""
        field, old = self.field, self.occupancy
        x, y, z = (min(side, MAX_MASK) for side in field.grid)
        axes = [torch.linspace(0, 1, side, device=field.low.device) for side in (z, y, x)]
        unit = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).view(-1, 3)
        allowed = in_chunks(lambda u: old.touches(field.low + u * field.size), POINTS_AT_ONCE, unit)
        sigma = torch.zeros(len(unit), device=unit.device)
        sigma[allowed] = in_chunks(field.sigma, POINTS_AT_ONCE, unit[allowed])
        sigma, allowed = sigma.view(z, y, x), allowed.view(z, y, x)
        solid = (sigma * self._step() > -math.log1p(-MASK_ALPHA)).float()
        vertices = (F.max_pool3d(solid[None, None], 3, 1, 1)[0, 0] > 0) & allowed
        if bool(vertices.any()):  # otherwise the field is still thin fog everywhere: keep the old occupancy
            self.occupancy = Occupancy(field.box, vertices, sigma)

    def tensors(self) -> dict[str, Tensor]:
        """The state, without the optimiser's, for :meth:`restore`."""
        state = {f"field.{name}": value for name, value in self.field.state_dict().items()}
        sigma = {} if self.occupancy.sigma is None else {"sigma": self.occupancy.sigma}
        numbers = torch.tensor([self.cost, self.share, *self.field.grid], dtype=torch.float64)
        alive = torch.zeros(len(self.photos.rgba), dtype=torch.bool)
        alive[self.alive.cpu()] = True
        bits = torch.from_numpy(np.packbits(alive.numpy()))
        boxes = {"box": self.field.box, "occupancy.box": self.occupancy.box}
        return {**state, **sigma, **boxes, "vertices": self.occupancy.vertices, "numbers": numbers, "alive": bits}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state from :meth:`tensors`."""
        device = self.field.low.device
        self.cost, self.share, *grid = tensors["numbers"].tolist()
        sides = [side for name, value in tensors.items() if name.startswith("field.") for side in value.shape]
        if not 0 < min(grid) <= max(grid) <= max(sides):  # before memory is taken for it
            raise ValueError(f"a grid of {grid}")
        grids.resample(self.field, (int(grid[0]), int(grid[1]), int(grid[2])), tensors["box"].to(device))
        self.field.load_state_dict({k.removeprefix("field."): v for k, v in tensors.items() if k.startswith("field.")})
        sigma = tensors["sigma"].to(device) if "sigma" in tensors else None
        self.occupancy = Occupancy(tensors["occupancy.box"].to(device), tensors["vertices"].to(device), sigma)
        bits = np.unpackbits(tensors["alive"].numpy(), count=len(self.photos.rgba))
        self.alive = torch.from_numpy(np.flatnonzero(bits)).to(device)

    def checkpoint(self) -> bytes:
        """The field as a file of apchenstu/TensoRF, with duplex's note as an additional member."""
        return grids.to_bytes(self.field, self.occupancy, self.scene, self.config.step_ratio)

    def describe(self) -> str:
        """A short description for reports."""
        return f"{' x '.join(map(str, self.field.grid))} vertices, {self.occupancy.share:.1%} occupied"


def _largest_distance(photos: PhotoSet, space: Space) -> float:
    """The largest distance of a camera from the center of a contracted space."""
    if not isinstance(space, Contracted):
        return 0.0
    eyes = photos.poses[:, :, 3]
    return float((eyes - eyes.new_tensor(space.center)).norm(dim=-1).max())


def _due(shares: tuple[float, ...], steps: int) -> list[int]:
    return [max(int(share * steps), 1 + i) for i, share in enumerate(shares)]

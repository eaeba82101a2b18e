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
from duplex.baking.runtime.training_state import with_prefix, without_prefix
from duplex.baking.training import grids
from duplex.baking.training.free_space import free_cells, without
from duplex.baking.training.hull import in_view, seen_vertices
from duplex.baking.training.marching import accumulate, distortion, gathered, weighed, weights_of
from duplex.baking.training.occupancy import Occupancy
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.proposals import SIDE, Proposals
from duplex.baking.training.tensorf_config import TensorfConfig

UPSAMPLINGS = (0.08, 0.16, 0.25, 0.35)  # shares of the training at which the grid grows
MASKINGS = (0.05, 0.1, 0.16, 0.25, 0.35, 0.5, 0.65, 0.8)  # and at which the occupancy grid is updated
FILTERINGS = (0.25, 0.5)  # and at which rays that miss all occupied cells are removed
MAX_MASK = 256  # vertices along a side of the mask
MASK_ALPHA = 2e-3  # opacity of a step below which a vertex is empty
HULL = 64, 128  # side of the grids for the scene's box, and for the first occupancy in it
FOG, THICK_FOG = 0.15, 1.5  # optical depth of the box at the beginning: with transparent photos, and without
FOG_WEIGHT, MIN_WEIGHT = 1e-4, 1e-3  # of a ray that has to accumulate before a colour is evaluated: in the fog, later
RANDOM_WEIGHT = 0.1  # the same in training in a contracted space, where the first colour of a ray is at random
GOLDEN = 977.618  # brings a random number to another one
WAY = 4.0  # length of a ray in a contracted space, about
REFRESHES = 64  # of the proposals, during the training
RATES = 2.5, 4.0  # times the learning rates of grids and network, in a contracted space
OPAQUE = 0.05  # weight of what is missing to opacity, where photos show surroundings: dark matter is no hole
FINER = 2  # times as many cells along a side of a contracted space
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
        self.occupancy = self._first_box(torch.tensor(scene.bounds, dtype=torch.float32, device=device))
        self.has_alpha = photos.has_alpha
        self._reach = _largest_distance(photos, scene.space)
        fog = FOG if self.has_alpha else THICK_FOG
        self.finer = 1 if scene.space.straight else FINER
        box = self.occupancy.box
        self.field = grids.new_field(box, grids.grid_of(box, self.finer * config.first_voxels), config, fog)
        self.background = torch.tensor(scene.background, device=device)
        self.cost = float(np.mean(self.field.grid)) / 2
        self.share = 0.0
        self.alive = self._touched()

    def _first_box(self, box: Tensor) -> Occupancy | Proposals:
        """What may be occupied, and the box around it."""
        if isinstance(self.scene.space, Contracted):
            cells = in_view(self.photos, self.scene.space, box, SIDE)
            if self.sparse is not None:
                cells = without(cells, free_cells(self.sparse, self.scene.space, box))
            return Proposals(box, cells)
        if self.scene.space.name != "world":
            return Occupancy(box, torch.ones((2, 2, 2), dtype=torch.bool, device=box.device))
        vertices = seen_vertices(self.photos, box, grids.grid_of(box, HULL[0]))
        if not bool(vertices.any()):
            raise grids.nothing_there(box)
        tight = Occupancy(box, vertices).tight()
        return Occupancy(tight, seen_vertices(self.photos, tight, grids.grid_of(tight, HULL[1])))

    def groups(self) -> list[dict[str, Any]]:
        """The parameters with their learning rates at the start, for an optimiser."""
        grid, network = (1.0, 1.0) if self.scene.space.straight else RATES
        networks = [*self.field.basis_mat.parameters(), *self.field.renderModule.parameters()]
        return [
            {"params": grids.parameters(self.field), "initial": grid * self.config.grid_rate},
            {"params": networks, "initial": network * self.config.network_rate},
        ]

    def prepare(self, step: int) -> bool:
        """Update occupancy and resolution as ``step`` requires; returns whether there are new parameters."""
        self.share = step / self.steps
        if isinstance(self.occupancy, Proposals):
            if step % max(self.steps // REFRESHES, 1) == 0:
                self.occupancy.refresh(self._sigma, closing=self.share > MASKINGS[0])
        elif step in _due(MASKINGS, self.steps):
            self.occupancy = self._masked(self.occupancy)
        if step in _due(FILTERINGS, self.steps):
            self.alive = self._touched()
        if step not in _due(UPSAMPLINGS, self.steps):
            return False
        done = 1 + _due(UPSAMPLINGS, self.steps).index(step)
        first, last = self.finer * self.config.first_voxels, self.finer * self.config.voxels
        box = self.occupancy.tight()
        grids.resample(self.field, grids.grid_of(box, first * (last / first) ** (done / len(UPSAMPLINGS))), box)
        return True

    def loss(self, generator: torch.Generator) -> tuple[Tensor, float]:
        """The loss of a batch of rays, to be differentiated, and its mean squared error of the colour."""
        rays = int(min(max(self.config.batch / self.cost, 64), MAX_RAYS))
        device = self.alive.device
        index = self.alive[torch.randint(len(self.alive), (rays,), generator=generator, device=device)]
        offset = torch.rand(rays, generator=generator, device=device)
        rgba, apart = self._march(*self.photos.rays(index), offset)
        wanted = self.photos.colors(index)
        missing = wanted[:, 3:] - rgba[:, 3:]
        squared = ((rgba[:, :3] - wanted[:, :3] + missing * self.background) ** 2).mean()
        opacity = self.config.opacity if self.has_alpha else 0.0 if self.scene.space.straight else OPAQUE
        total = squared + opacity * (missing**2).mean() + self.config.distortion * apart
        return total, float(squared.detach())

    def regularize(self) -> None:
        """Add the gradients of sparsity and smoothness, which need no autograd graph, to those of the loss."""
        grids.add_sparsity(self.field, self.config.l1)
        if self.config.tv:
            grids.add_variation(self.field, self.config.tv)

    @torch.no_grad()
    def render_rays(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Premultiplied colour and opacity (n, 4) of world rays (n, 3)."""

        def chunk(o: Tensor, d: Tensor) -> Tensor:
            return self._march(o, d, torch.full_like(o[:, 0], 0.5))[0]

        return in_chunks(chunk, RAYS_AT_ONCE, origins, directions)

    def _march(self, origins: Tensor, directions: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Premultiplied colour and opacity (n, 4) of world rays (n, 3), and their distortion in a contracted space."""
        field = self.field
        rays = len(origins)
        training = field.training and torch.is_grad_enabled()
        views, ray, points, length, place = self._samples(origins, directions, offset)
        unit = ((points - field.low) / field.size).clamp(0, 1)
        sigma = field.sigma(unit)
        least, phase = FOG_WEIGHT if self.share < MASKINGS[1] else MIN_WEIGHT, torch.zeros_like(offset)
        if training and place is not None:
            least, phase = RANDOM_WEIGHT, RANDOM_WEIGHT * (offset * GOLDEN % 1)  # another number than the offset
            trust = (2 * place).clamp(max=1) ** 2  # place 0.5 is where space begins to be contracted
            sigma = weighed(sigma, trust)
        weight = weights_of(sigma * length, ray, rays)
        seen, share = gathered(weight, ray, rays, least, phase[ray])
        rgb = field.radiance(unit[seen], views[ray[seen]])
        if training and place is not None:
            rgb = weighed(rgb, trust[seen, None])
        apart = weight.new_zeros(())
        if training:
            self.cost = 0.9 * self.cost + 0.1 * (len(seen) + 0.25 * len(ray)) / rays
            if place is not None and self.config.distortion:
                apart = distortion(weight, place, length / WAY, ray, rays)
        color = accumulate(share[:, None] * rgb, ray[seen], rays)
        return torch.cat([color, accumulate(weight[:, None], ray, rays)], -1), apart

    def _samples(
        self, origins: Tensor, directions: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """Of world rays (n, 3): viewing directions (n, 3); of samples: ray (s,), place in field space (s, 3), length.

        The length is that which a sample stands for, in units of field space: (s,) or, the same for all, (1,). In a
        contracted space, the last is how far along its ray a sample lies, (s,) in [0, 1].
        """
        space, step = self.scene.space, self._step()
        o, d, views, limits = self._mapped(origins, directions)
        if isinstance(space, Contracted) and isinstance(self.occupancy, Proposals):
            edges = space.edges(self.scene.near, self.scene.far, self._reach, self.occupancy.cell).to(o.device)
            ray, points, length, t = self.occupancy.samples(o, d, space, edges, offset)
            return views, ray, points, length, space.share(t)
        assert isinstance(self.occupancy, Occupancy)
        ray, t = self.occupancy.samples(o, d, limits, step, offset)
        return views, ray, o[ray] + t[:, None] * d[ray], o.new_tensor([step]), None

    def _mapped(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]]:
        """World rays in field space: origins, unit directions, viewing directions, and the interval in the box."""
        scene = self.scene
        o, d = scene.space.rays(origins, directions)
        views = F.normalize(scene.space.view_directions(directions, d), dim=-1)
        length = d.norm(dim=-1)
        d = d / length[:, None]
        if not isinstance(self.occupancy, Occupancy):
            return o, d, views, (length, length)
        start, end = self.occupancy.interval(o, d)
        return o, d, views, (torch.maximum(start, scene.near * length), torch.minimum(end, scene.far * length))

    def _step(self) -> float:
        """Distance of samples along a ray, world units."""
        cells = [float(s) / (n - 1) for s, n in zip(self.field.size, self.field.grid, strict=True)]
        return self.config.step_ratio * sum(cells) / 3

    def _touched(self) -> Tensor:
        """The usable pixels whose rays come near an occupied cell; all of them in a contracted space."""
        if not isinstance(self.occupancy, Occupancy):
            return self.photos.usable
        kept = []
        for index in torch.split(self.photos.usable, POINTS_AT_ONCE):
            o, d, _, limits = self._mapped(*self.photos.rays(index))
            kept.append(index[self.occupancy.touched(o, d, limits, self._step())])
        alive = torch.cat(kept)
        if not len(alive):
            raise grids.nothing_there(self.field.box)
        return alive

    def _sigma(self, points: Tensor) -> Tensor:
        """The density (n,) at ``points`` (n, 3) of field space, 0 outside of the field's box."""
        unit = (points - self.field.low) / self.field.size
        inside = ((unit >= 0) & (unit <= 1)).all(-1)
        return self.field.sigma(unit.clamp(0, 1)) * inside

    @torch.no_grad()
    def _masked(self, old: Occupancy) -> Occupancy:
        """The occupancy as it is now; vertices that were empty stay empty."""
        field = self.field
        x, y, z = (min(side, MAX_MASK) for side in field.grid)
        axes = [torch.linspace(0, 1, side, device=field.low.device) for side in (z, y, x)]
        unit = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).view(-1, 3)
        allowed = in_chunks(lambda u: old.touches(field.low + u * field.size), POINTS_AT_ONCE, unit)
        sigma = torch.zeros(len(unit), device=unit.device)
        sigma[allowed] = in_chunks(field.sigma, POINTS_AT_ONCE, unit[allowed])
        sigma, allowed = sigma.view(z, y, x), allowed.view(z, y, x)
        solid = (sigma * self._step() > -math.log1p(-MASK_ALPHA)).float()
        vertices = (F.max_pool3d(solid[None, None], 3, 1, 1)[0, 0] > 0) & allowed
        # where nothing is left the field is still thin fog everywhere
        return Occupancy(field.box, vertices, sigma) if bool(vertices.any()) else old

    def tensors(self) -> dict[str, Tensor]:
        """The state, without the optimiser's, for :meth:`restore`."""
        state = with_prefix("field.", self.field.state_dict())
        numbers = torch.tensor([self.cost, self.share, *self.field.grid], dtype=torch.float64)
        alive = torch.zeros(len(self.photos.rgba), dtype=torch.bool)
        alive[self.alive.cpu()] = True
        bits = torch.from_numpy(np.packbits(alive.numpy()))
        state |= with_prefix("occupancy.", self.occupancy.tensors())
        return {**state, "box": self.field.box, "numbers": numbers, "alive": bits}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state from :meth:`tensors`."""
        device = self.field.low.device
        self.cost, self.share, *grid = tensors["numbers"].tolist()
        sides = [side for name, value in tensors.items() if name.startswith("field.") for side in value.shape]
        if not 0 < min(grid) <= max(grid) <= max(sides):  # before memory is taken for it
            raise ValueError(f"a grid of {grid}")
        grids.resample(self.field, (int(grid[0]), int(grid[1]), int(grid[2])), tensors["box"].to(device))
        self.field.load_state_dict(without_prefix("field.", tensors))
        if isinstance(self.occupancy, Proposals):
            self.occupancy.restore(without_prefix("occupancy.", tensors))
        else:
            self.occupancy = Occupancy.restored(without_prefix("occupancy.", tensors), device)
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

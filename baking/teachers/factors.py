"""Radiance fields of factorised grids: Chen et al., "TensoRF: Tensorial Radiance Fields", ECCV 2022.

Alphabet: a component of VM is a plane ``M`` times a line ``v``, of CP the product of three lines (equations 3 and
4). Plane ``i`` spans the axes ``PLANES[i]`` (columns, rows), line ``i`` runs along ``LINES[i]``. A grid's vertices
lie on the faces of its box: the first one at its low, the last one at its high corner. The parameters are called
and shaped as apchenstu/TensoRF has them, so that ``state_dict()`` is that code's layout; in memory their channels
lie together, which a look-up on a CPU is several times faster with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csc_array
from torch import Tensor, nn

from duplex.baking.teachers.factor_shading import Shading, Traits
from duplex.baking.teachers.field import ACTIVATIONS, RadianceField

PLANES, LINES = ((0, 1), (0, 2), (1, 2)), (2, 1, 0)
POINTS_AT_ONCE = 1 << 18


class Lookup(torch.autograd.Function):
    """Weighted sums of a table's rows: (n, c) of ``table`` (m, c), ``index`` (n, k) int32 and ``weight`` (n, k).

    As ``F.embedding_bag``, with a backward pass several times faster, and none for the weights.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor, weight: Tensor) -> Tensor:  # noqa: D102
        ctx.save_for_backward(index, weight)
        ctx.shape = table.shape
        return F.embedding_bag(index, table, per_sample_weights=weight, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: D102
        (gradient,), (index, weight) = gradients, ctx.saved_tensors
        count, taps = index.shape
        if gradient.device.type == "cpu":  # scattering rows in torch takes twenty times longer
            begins = np.arange(0, count * taps + 1, taps, dtype=np.int32)
            parts = (weight.numpy().reshape(-1), index.numpy().reshape(-1), begins)
            scattered = csc_array(parts, shape=(ctx.shape[0], count)) @ gradient.contiguous().numpy()
            return torch.from_numpy(scattered), None, None
        table = gradient.new_zeros(ctx.shape)
        for k in range(taps):
            table.index_add_(0, index[:, k], gradient * weight[:, k : k + 1])
        return table, None, None


look_up: Callable[[Tensor, Tensor, Tensor], Tensor] = Lookup.apply


class Cells:
    """Points among the vertices of a ``grid`` of x, y, z vertices: ``unit`` (n, 3) in [0, 1] of its box."""

    def __init__(self, unit: Tensor, grid: tuple[int, int, int]):
        self.grid, self.corner, self.share = grid, [], []
        for axis, size in enumerate(grid):
            place = unit[:, axis] * (size - 1)
            corner = place.floor().clamp_(0, size - 2)
            self.corner.append(corner.int())
            self.share.append(place - corner)

    def plane(self, plane: Tensor, i: int) -> Tensor:
        """Bilinear values (n, c) of plane ``i``, (1, c, rows, columns)."""
        across, down = PLANES[i]
        row, u, v = self.grid[across], self.share[across], self.share[down]
        first = self.corner[down] * row + self.corner[across]
        uv = u * v
        weight = torch.stack([1 - u - v + uv, u - uv, v - uv, uv], -1)
        index = torch.stack([first, first + 1, first + row, first + (row + 1)], -1)
        return look_up(plane[0].permute(1, 2, 0).reshape(-1, plane.shape[1]), index, weight)

    def line(self, line: Tensor, i: int) -> Tensor:
        """Linear values (n, c) of line ``i``, (1, c, vertices, 1)."""
        first, u = self.corner[LINES[i]], self.share[LINES[i]]
        index, weight = torch.stack([first, first + 1], -1), torch.stack([1 - u, u], -1)
        return look_up(line[0, :, :, 0].T.contiguous(), index, weight)


class FactorField(RadianceField):
    """What VM-split, VM and CP have in common. ``box``: (2, 3), low and high corner, outside of which is nothing.

    The latent that :meth:`density` gives is the place in the box, in [-1, 1]: the colour's features are looked up
    only where a colour is asked for.
    """

    low: Tensor
    size: Tensor
    basis_mat: nn.Linear

    def __init__(self, box: Tensor, grid: tuple[int, int, int], traits: Traits, layers: list[nn.Linear]):
        super().__init__()
        self.grid, self.traits = grid, traits
        self.register_buffer("low", box[0].clone(), persistent=False)
        self.register_buffer("size", box[1] - box[0], persistent=False)
        self.mask: Mask | None = None
        self.renderModule = Shading(traits, layers)

    @property
    def box(self) -> Tensor:
        """Low and high corner, (2, 3)."""
        return torch.stack([self.low, self.low + self.size])

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        if len(points) > POINTS_AT_ONCE:
            parts = [self.density(part) for part in torch.split(points, POINTS_AT_ONCE)]
            return torch.cat([sigma for sigma, _ in parts]), torch.cat([place for _, place in parts])
        unit = (points - self.low) / self.size
        inside = ((unit >= 0) & (unit <= 1)).all(-1)
        if self.mask is not None:
            inside &= self.mask(points)
        where = torch.nonzero(inside)[:, 0]
        sigma = points.new_zeros(len(points)).index_copy(0, where, self.sigma(unit[where]))
        return sigma, unit * 2 - 1

    def sigma(self, unit: Tensor) -> Tensor:
        """Density (n,) at ``unit`` (n, 3) in [0, 1] of the box, whatever the mask says."""
        feature = self.products("density", Cells(unit, self.grid)).sum(-1)
        shift = 0.0 if self.traits.activation == "relu" else self.traits.shift
        return ACTIVATIONS[self.traits.activation](feature + shift).clamp(min=0) * self.traits.scale

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        if len(latent) > POINTS_AT_ONCE:
            pairs = zip(torch.split(latent, POINTS_AT_ONCE), torch.split(directions, POINTS_AT_ONCE), strict=True)
            return torch.cat([self.color(p, d) for p, d in pairs])
        unit = (0.5 * (latent + 1)).clamp(0, 1)
        features = self.basis_mat(self.products("app", Cells(unit, self.grid)))
        return self.renderModule(latent, directions, features)  # type: ignore[no-any-return]

    def products(self, kind: str, cells: Cells) -> Tensor:
        """Components' products (n, c) at points; ``kind``: ``density`` or ``app``."""
        raise NotImplementedError

    def describe(self) -> dict[str, str]:  # noqa: D102
        t, mask = self.traits, self.mask
        network = ", ".join(str(m.out_features) for m in self.renderModule.modules() if isinstance(m, nn.Linear))
        return {
            "network": f"{type(self).__name__} of {' x '.join(map(str, self.grid))} vertices, "
            f"{sum(p.numel() for p in self.parameters())} weights",
            "shading": t.shading + (f", layers of {network}" if network else ""),
            "encoding": f"{t.features} frequencies of features, {t.views} of directions, order {t.order}",
            "density": f"{t.activation}, shift {t.shift:g}, scale {t.scale:g}",
            "occupancy": "no mask" if mask is None else f"{100 * float(mask.vertices.float().mean()):.1f}% of the mask",
        }


class VmSplit(FactorField):
    """Planes and lines of its own for density and for colour (``TensorVMSplit``)."""

    def __init__(self, box: Tensor, traits: Traits, weights: dict[str, Tensor], layers: list[nn.Linear]):
        grid = tuple(weights[f"density_line.{LINES.index(axis)}"].shape[2] for axis in range(3))
        super().__init__(box, grid, traits, layers)  # type: ignore[arg-type]
        for name in ("density_plane", "density_line", "app_plane", "app_line"):
            setattr(self, name, nn.ParameterList(packed(weights[f"{name}.{i}"]) for i in range(3)))
        self.basis_mat = matrix(weights["basis_mat.weight"])

    def products(self, kind: str, cells: Cells) -> Tensor:  # noqa: D102
        planes, lines = getattr(self, f"{kind}_plane"), getattr(self, f"{kind}_line")
        return torch.cat([cells.plane(planes[i], i) * cells.line(lines[i], i) for i in range(3)], -1)


class Vm(FactorField):
    """Planes and lines whose first channels are colour and whose last are density (``TensorVM``)."""

    def __init__(self, box: Tensor, traits: Traits, weights: dict[str, Tensor], layers: list[nn.Linear]):
        side = weights["line_coef"].shape[2]
        super().__init__(box, (side, side, side), traits, layers)
        self.plane_coef = nn.Parameter(weights["plane_coef"])
        self.line_coef = nn.Parameter(weights["line_coef"])
        self.basis_mat = matrix(weights["basis_mat.weight"])

    def products(self, kind: str, cells: Cells) -> Tensor:  # noqa: D102
        colors = self.basis_mat.in_features // 3
        part = slice(None, colors) if kind == "app" else slice(colors, None)
        planes, lines = self.plane_coef[:, None, part], self.line_coef[:, None, part]
        return torch.cat([cells.plane(planes[i], i) * cells.line(lines[i], i) for i in range(3)], -1)


class Cp(FactorField):
    """Three lines a component (``TensorCP``)."""

    def __init__(self, box: Tensor, traits: Traits, weights: dict[str, Tensor], layers: list[nn.Linear]):
        grid = tuple(weights[f"density_line.{LINES.index(axis)}"].shape[2] for axis in range(3))
        super().__init__(box, grid, traits, layers)  # type: ignore[arg-type]
        for name in ("density_line", "app_line"):
            setattr(self, name, nn.ParameterList(packed(weights[f"{name}.{i}"]) for i in range(3)))
        self.basis_mat = matrix(weights["basis_mat.weight"])

    def products(self, kind: str, cells: Cells) -> Tensor:  # noqa: D102
        lines = getattr(self, f"{kind}_line")
        return cells.line(lines[0], 0) * cells.line(lines[1], 1) * cells.line(lines[2], 2)


class Mask(nn.Module):
    """Where a field has density: inside the cells of a grid that touch a vertex which is set.

    ``vertices``: (z, y, x) bool, from the low to the high corner of ``box`` (2, 3).
    """

    vertices: Tensor
    cells: Tensor
    low: Tensor
    size: Tensor

    def __init__(self, vertices: Tensor, box: Tensor):
        super().__init__()
        self.counts = tuple(vertices.shape)
        self.register_buffer("vertices", vertices.bool(), persistent=False)
        padded = F.pad(vertices.to(torch.float32)[None, None], (2,) * 6)  # a cell further out is still half set
        self.register_buffer("cells", F.max_pool3d(padded, 2, 1)[0, 0].bool(), persistent=False)
        self.register_buffer("low", box[0].clone(), persistent=False)
        self.register_buffer("size", box[1] - box[0], persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        """Whether there is density at ``points`` (n, 3) of field space: (n,) bool."""
        index = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        for axis, count in zip((2, 1, 0), self.counts, strict=True):
            place = (points[:, axis] - self.low[axis]) * ((count - 1) / self.size[axis])
            index = index * (count + 3) + (place.floor() + 2).clamp_(0, count + 2).long()
        return self.cells.view(-1)[index]


def packed(weight: Tensor) -> nn.Parameter:
    """A grid (1, c, h, w) as a parameter whose channels lie together in memory."""
    return nn.Parameter(weight.contiguous(memory_format=torch.channels_last))


def matrix(weight: Tensor) -> nn.Linear:
    """A linear layer without bias."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data.copy_(weight)
    return layer

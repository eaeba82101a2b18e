"""Radiance fields of factorised grids: Chen et al., "TensoRF: Tensorial Radiance Fields", ECCV 2022.

Alphabet: a component of VM is a plane ``M`` times a line ``v``, of CP the product of three lines (equations 3 and
4). Plane ``i`` spans the axes ``PLANES[i]`` (columns, rows), line ``i`` runs along ``LINES[i]``. A grid's vertices
lie on the faces of its box: the first one at its low, the last one at its high corner. The parameters are called
and shaped as in apchenstu/TensoRF, so that ``state_dict()`` has that code's layout. In memory the channels are
contiguous, which makes look-ups on a CPU several times faster.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.baking.fields.factor_lookup import LINES, Cells
from duplex.baking.fields.factor_shading import Shading, Traits
from duplex.baking.fields.field import ACTIVATIONS, RadianceField
from duplex.baking.fields.spaces import Space

POINTS_AT_ONCE = 1 << 18


class FactorField(RadianceField):
    """The common part of VM-split, VM and CP. ``box``: (2, 3), low and high corner; the density is 0 outside.

    The latent of :meth:`density` is the position in the box, in [-1, 1], and whether the mask allows density there.
    Colour features are looked up only in :meth:`color`; empty points are black.
    """

    low: Tensor
    size: Tensor
    basis_mat: nn.Linear

    def __init__(self, box: Tensor, grid: tuple[int, int, int], traits: Traits, layers: list[nn.Linear]):
        super().__init__()
        self.grid = grid
        self.traits = traits
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
        return sigma, torch.cat([unit * 2 - 1, inside[:, None]], -1)

    def sigma(self, unit: Tensor) -> Tensor:
        """Density (n,) at ``unit`` (n, 3) in [0, 1] of the box, without the mask."""
        feature = self.products("density", Cells(unit, self.grid)).sum(-1)
        shift = 0.0 if self.traits.activation == "relu" else self.traits.shift
        return ACTIVATIONS[self.traits.activation](feature + shift).clamp(min=0) * self.traits.scale

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        if len(latent) > POINTS_AT_ONCE:
            pairs = zip(torch.split(latent, POINTS_AT_ONCE), torch.split(directions, POINTS_AT_ONCE), strict=True)
            return torch.cat([self.color(p, d) for p, d in pairs])
        where = torch.nonzero(latent[:, 3])[:, 0]
        rgb = self.radiance((0.5 * (latent[where, :3] + 1)).clamp(0, 1), directions[where])
        return rgb.new_zeros(len(latent), 3).index_copy(0, where, rgb)

    def radiance(self, unit: Tensor, directions: Tensor) -> Tensor:
        """Colour (n, 3) at ``unit`` (n, 3) in [0, 1] of the box, seen along unit ``directions`` (n, 3)."""
        features = self.basis_mat(self.products("app", Cells(unit, self.grid)))
        return self.renderModule(unit * 2 - 1, directions, features)  # type: ignore[no-any-return]

    def products(self, kind: str, cells: Cells) -> Tensor:
        """Components' products (n, c) at points; ``kind``: ``density`` or ``app``."""
        raise NotImplementedError

    def cell(self) -> float:  # noqa: D102
        return sum(float(side) / (count - 1) for side, count in zip(self.size, self.grid, strict=True)) / 3

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
    """Separate planes and lines for density and for colour (``TensorVMSplit``)."""

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
    """Shared planes and lines: the first channels are colour, the last ones density (``TensorVM``)."""

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
    """Three lines for each component (``TensorCP``)."""

    def __init__(self, box: Tensor, traits: Traits, weights: dict[str, Tensor], layers: list[nn.Linear]):
        grid = tuple(weights[f"density_line.{LINES.index(axis)}"].shape[2] for axis in range(3))
        super().__init__(box, grid, traits, layers)  # type: ignore[arg-type]
        for name in ("density_line", "app_line"):
            setattr(self, name, nn.ParameterList(packed(weights[f"{name}.{i}"]) for i in range(3)))
        self.basis_mat = matrix(weights["basis_mat.weight"])

    def products(self, kind: str, cells: Cells) -> Tensor:  # noqa: D102
        lines = getattr(self, f"{kind}_line")
        return cells.line(lines[0], 0) * cells.line(lines[1], 1) * cells.line(lines[2], 2)


class FieldUnits(RadianceField):
    """``inner``, whose density is per unit of ``space``, with a density per world unit.

    A grid in a contracted space has cells of any size in the world. A density per cell is empty, thin or opaque alike
    wherever the cell is; the same value per world unit would be fog far away.
    """

    def __init__(self, inner: RadianceField, space: Space):
        super().__init__()
        self.inner = inner
        self.space = space

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        sigma, latent = self.inner.density(points)
        return sigma / self.space.stretch(points), latent

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        return self.inner.color(latent, directions)

    def cell(self) -> float | None:  # noqa: D102
        return self.inner.cell()

    def describe(self) -> dict[str, str]:  # noqa: D102
        return self.inner.describe()


class Mask(nn.Module):
    """Where a field has density: in the grid cells with at least one set vertex.

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
        cells = F.pad(self.vertices, (2,) * 6)  # the border cells have set vertices on one side
        for axis in range(3):
            count = cells.shape[axis] - 1
            cells = cells.narrow(axis, 0, count) | cells.narrow(axis, 1, count)
        self.register_buffer("cells", cells, persistent=False)
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
    """A grid (1, c, h, w) as a parameter with contiguous channels."""
    return nn.Parameter(weight.contiguous(memory_format=torch.channels_last))


def matrix(weight: Tensor) -> nn.Linear:
    """A linear layer without bias."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data.copy_(weight)
    return layer

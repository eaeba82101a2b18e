"""VM-split grids in training: initialisation, resampling, regularisation, export."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints import note
from duplex.baking.fields.factor_lookup import LINES, PLANES
from duplex.baking.fields.factor_shading import Shading, Traits
from duplex.baking.fields.factors import VmSplit, packed
from duplex.baking.fields.field import SceneInfo
from duplex.baking.training.occupancy import Occupancy
from duplex.baking.training.proposals import Proposals
from duplex.baking.training.tensorf_config import TensorfConfig

NAMES = ("density_plane", "density_line", "app_plane", "app_line")
START = 0.1  # standard deviation of the grids' values at the beginning, as in the original code
GridSize = tuple[int, int, int]


def grid_of(box: Tensor, side: float) -> GridSize:
    """Vertices along x, y and z of a grid in ``box`` (2, 3) of cubic cells, as many as in a cube of ``side`` cells."""
    size = [float(s) for s in (box[1] - box[0]).double()]
    cell = math.prod(size) ** (1 / 3) / side
    x, y, z = (max(int(s / cell), 2) for s in size)
    return x, y, z


def new_field(box: Tensor, grid: GridSize, config: TensorfConfig, depth: float) -> VmSplit:
    """A random field whose optical depth along the diagonal of ``box`` (2, 3) is about ``depth``."""
    scale = Traits().scale
    shift = math.log(math.expm1(depth / (scale * float((box[1] - box[0]).norm()))))
    traits = Traits(shift=shift, features=config.feature_frequencies)
    weights: dict[str, Tensor] = {}
    for name, count in (("density", config.density), ("app", config.app)):
        for i, (across, down) in enumerate(PLANES):
            weights[f"{name}_plane.{i}"] = START * torch.randn(1, count, grid[down], grid[across])
            weights[f"{name}_line.{i}"] = START * torch.randn(1, count, grid[LINES[i]], 1)
    weights["basis_mat.weight"] = nn.Linear(3 * config.app, config.features, bias=False).weight.detach()
    widths = (Shading.width(traits, config.features), config.width, config.width, 3)
    layers = [nn.Linear(widths[i], widths[i + 1]) for i in range(3)]
    nn.init.zeros_(layers[-1].bias)
    return VmSplit(box.cpu(), traits, weights, layers).to(box.device)


def parameters(field: VmSplit) -> list[nn.Parameter]:
    """The planes and lines."""
    return [parameter for name in NAMES for parameter in getattr(field, name)]


@torch.no_grad()
def resample(field: VmSplit, grid: GridSize, box: Tensor) -> None:
    """Interpolate the field's grids to other vertices in another ``box`` (2, 3), no larger than its own."""
    ends = (2 * (box - field.low) / field.size - 1).T
    places = [torch.linspace(float(ends[i, 0]), float(ends[i, 1]), grid[i], device=box.device) for i in range(3)]
    for name in NAMES:
        for i, (across, down) in enumerate(PLANES):
            x, y = places[across], places[down]
            if name.endswith("line"):
                x = torch.zeros(1, device=box.device)
                y = places[LINES[i]]
            where = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], -1)[None]
            old = getattr(field, name)[i].detach()
            finer = F.grid_sample(old, where, mode="bilinear", padding_mode="border", align_corners=True)
            getattr(field, name)[i] = packed(finer)
    field.grid = grid
    field.low.copy_(box[0])
    field.size.copy_(box[1] - box[0])


@torch.no_grad()
def add_sparsity(field: VmSplit, weight: float) -> None:
    """Add the gradient of ``weight`` times the mean of the density's absolute values (the paper's L1 norm)."""
    for name in NAMES[:2]:
        for parameter in getattr(field, name):
            if parameter.grad is not None:
                parameter.grad.add_(parameter.sign(), alpha=weight / parameter.numel())


@torch.no_grad()
def add_variation(field: VmSplit, weight: float) -> None:
    """Add the gradient of ``weight`` times the total variation of the planes, as the original code scales it."""
    for name in ("density_plane", "app_plane"):
        for plane in getattr(field, name):
            if plane.grad is None:
                continue
            for axis in (2, 3):
                count = plane.shape[axis] - 1
                slope = plane.narrow(axis, 1, count) - plane.narrow(axis, 0, count)
                factor = 4e-2 * weight / slope.numel()
                plane.grad.narrow(axis, 1, count).add_(slope, alpha=factor)
                plane.grad.narrow(axis, 0, count).sub_(slope, alpha=factor)


def to_bytes(field: VmSplit, occupancy: Occupancy | Proposals, scene: SceneInfo, step_ratio: float) -> bytes:
    """The field as ``TensorBase.save`` of apchenstu/TensoRF writes it, and the note of duplex beside its members."""
    traits = field.traits
    kwargs: dict[str, Any] = {
        "aabb": field.box.cpu(),
        "gridSize": list(field.grid),
        "density_n_comp": [p.shape[1] for p in getattr(field, NAMES[0])],
        "appearance_n_comp": [p.shape[1] for p in getattr(field, NAMES[2])],
        "app_dim": field.basis_mat.out_features,
        "density_shift": traits.shift,
        "alphaMask_thres": 1e-4,
        "distance_scale": traits.scale,
        "rayMarch_weight_thres": 1e-4,
        "fea2denseAct": traits.activation,
        "near_far": [scene.near, scene.far],
        "step_ratio": step_ratio,
        "shadingMode": traits.shading,
        "pos_pe": traits.points,
        "view_pe": traits.views,
        "fea_pe": traits.features,
        "featureC": field.renderModule.mlp[0].out_features,
    }
    low, high = ((float(c[0]), float(c[1]), float(c[2])) for c in kwargs["aabb"])
    volume = occupancy.vertices.cpu().numpy()[None, None]
    content = {
        "kwargs": kwargs,
        "state_dict": {k: v.detach().cpu().contiguous() for k, v in field.state_dict().items()},
        "alphaMask.shape": volume.shape,
        "alphaMask.mask": np.packbits(volume.reshape(-1)),
        "alphaMask.aabb": occupancy.box.cpu(),
        note.MEMBER: note.write(replace(scene, bounds=(low, high))),
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def nothing_there(box: Tensor) -> DuplexError:
    """The error of photos that show nothing inside the box."""
    low, high = (" ".join(f"{x:g}" for x in corner.tolist()) for corner in box)
    return DuplexError(f"the photos show nothing in the box from {low} to {high}: give another one with --bounds")

"""TensoRF's formulas, one point at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from builders.grid.tensorf import BOX, MATRIX_AXES, VECTOR_AXES
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides


def mixed(values: Tensor, place: float) -> Tensor:
    """Linear interpolation along the first axis of ``values`` at ``place`` in [-1, 1], end vertices at the ends."""
    position = (place + 1) / 2 * (len(values) - 1)
    i = min(int(position), len(values) - 2)
    return values[i] * (1 - (position - i)) + values[i + 1] * (position - i)


def factors(state: dict[str, Tensor], kind: str, name: str, point: Tensor) -> list[Tensor]:
    """The components' products of one point in [-1, 1]^3, one list entry a plane (VM), or one alone (CP)."""
    lines, out = [], []
    for i, axis in enumerate(VECTOR_AXES):
        if kind == "vm":
            part = slice(0, 4) if name == "app" else slice(4, 7)
            line, plane = state["line_coef"][i, part, :, 0], state["plane_coef"][i, part]
        else:
            line = state[f"{name}_line.{i}"][0, :, :, 0]
            plane = state[f"{name}_plane.{i}"][0] if kind == "split" else None
        lines.append(mixed(line.T, float(point[axis])))
        if plane is not None:  # (c, rows, columns): rows along the second axis of the pair, columns along the first
            column_axis, row_axis = MATRIX_AXES[i]
            row = mixed(plane.permute(1, 2, 0), float(point[row_axis]))
            out.append(mixed(row, float(point[column_axis])) * lines[-1])
    return out or [lines[0] * lines[1] * lines[2]]


def waves(x: Tensor, frequencies: int) -> Tensor:
    """All sines, then all cosines; the frequencies of one coordinate lie together."""
    angles = [float(value) * 2.0**k for value in x for k in range(frequencies)]
    return torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])


def shade(content: dict[str, Any], point: Tensor, d: Tensor, features: Tensor) -> Tensor:
    kwargs, state = content["kwargs"], content["state_dict"]
    mode = kwargs["shadingMode"]
    if mode == "RGB":
        return features.clamp(0, 1)
    if mode == "SH":
        x, y, z = (float(v) for v in d)
        s = math.sqrt
        basis = [
            0.5 / s(math.pi),
            -s(3 / (4 * math.pi)) * y,
            s(3 / (4 * math.pi)) * z,
            -s(3 / (4 * math.pi)) * x,
            0.5 * s(15 / math.pi) * x * y,
            -0.5 * s(15 / math.pi) * y * z,
            0.25 * s(5 / math.pi) * (2 * z * z - x * x - y * y),
            -0.5 * s(15 / math.pi) * x * z,
            0.25 * s(15 / math.pi) * (x * x - y * y),
        ]
        return (features.view(3, 9) @ torch.tensor(basis) + 0.5).clamp(0, 1)
    parts = [features, d]
    if mode == "MLP_Fea":
        parts.append(waves(features, kwargs["fea_pe"]))
    if mode == "MLP_PE":
        parts.append(waves(point, kwargs["pos_pe"]))
    h = torch.cat([*parts, waves(d, kwargs["view_pe"])])
    for i in (0, 2, 4):
        h = state[f"renderModule.mlp.{i}.weight"] @ h + state[f"renderModule.mlp.{i}.bias"]
        h = torch.relu(h) if i < 4 else torch.sigmoid(h)
    return h


def naive(content: dict[str, Any], kind: str, point: Tensor, d: Tensor) -> tuple[float, Tensor]:
    """Density per world unit and colour of one world point."""
    kwargs, state = content["kwargs"], content["state_dict"]
    place = (point - BOX[0]) * 2 / (BOX[1] - BOX[0]) - 1
    feature = sum(float(part.sum()) for part in factors(state, kind, "density", place))
    raw = math.log1p(math.exp(feature + kwargs["density_shift"]))
    sigma = 25 * (max(feature, 0.0) if kwargs["fea2denseAct"] == "relu" else raw)
    if bool((place.abs() > 1).any()) or not occupied(content, point):
        sigma = 0.0
    place = place.clamp(-1, 1)
    features = state["basis_mat.weight"] @ torch.cat(factors(state, kind, "app", place))
    return sigma, shade(content, place, d, features)


def occupied(content: dict[str, Any], point: Tensor) -> bool:
    if "alphaMask.mask" not in content:
        return True
    shape, box = content["alphaMask.shape"][-3:], content["alphaMask.aabb"]
    volume = np.unpackbits(content["alphaMask.mask"])[: math.prod(shape)].reshape(1, 1, *shape)
    place = (point - box[0]) / (box[1] - box[0]) * 2 - 1
    grid = place.view(1, 1, 1, 1, 3)
    return float(F.grid_sample(torch.from_numpy(volume).float(), grid, align_corners=True)) > 0


def compared(content: dict[str, Any], kind: str, folder: Path, overrides: Overrides | None = None) -> tuple[float, ...]:
    """Largest relative error of density and largest error of colour against the naive field, and how much is solid."""
    torch.save(content, folder / "scene.th")
    teacher = load_teacher(folder / "scene.th", overrides=overrides)
    assert teacher.family == "TensoRF" and teacher.coarse is teacher.fine
    generator = torch.Generator().manual_seed(1)
    points = BOX[0] - 0.2 + (BOX[1] - BOX[0] + 0.4) * torch.rand(150, 3, generator=generator)
    directions = F.normalize(torch.randn(150, 3, generator=generator), dim=-1)
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    expected = [naive(content, kind, p, d) for p, d in zip(points, directions, strict=True)]
    wanted = torch.tensor([s for s, _ in expected])
    solid = wanted > 0
    inside = ((points >= BOX[0]) & (points <= BOX[1])).all(-1)
    colors = torch.stack([c for _, c in expected])
    errors = ((sigma - wanted).abs() / (1 + wanted)).max(), (color - colors)[inside].abs().max()
    return float(errors[0]), float(errors[1]), float(solid.float().mean())

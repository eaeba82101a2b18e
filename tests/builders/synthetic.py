"""A NeRF made by hand: an octahedron that any ReLU network represents exactly, in the layouts of two code bases.

Density ``relu(SHARPNESS * (RADIUS - |x| - |y| - |z|))``; colour ``sigmoid(3 p + d)`` of position ``p`` and
viewing direction ``d``: everything about it is known in closed form.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

RADIUS, SHARPNESS = 0.9, 200.0
POINT_WIDTH, VIEW_WIDTH = 63, 27


def density(points: Tensor) -> Tensor:
    """The octahedron's density (n,) at points (n, 3)."""
    return torch.relu(SHARPNESS * (RADIUS - points.abs().sum(-1)))


def color(points: Tensor, directions: Tensor) -> Tensor:
    """Its colour (n, 3) at points inside the unit cube, seen along directions."""
    return torch.sigmoid(3 * points + directions)


def _signed(columns: int) -> tuple[Tensor, Tensor]:
    """Weight (8, columns) that gives x, y, z, -x, -y, -z, 1, 1 before a ReLU, from an encoding; and its bias."""
    weight, bias = torch.zeros(8, columns), torch.zeros(8)
    for i in range(3):
        weight[i, i], weight[3 + i, i] = 1, -1
    bias[6:] = 1
    return weight, bias


def _heads() -> dict[str, tuple[Tensor, Tensor]]:
    """Alpha, feature, view and colour layers on the trunk's relu(+-x), relu(+-y), relu(+-z), 1, 1."""
    alpha = torch.full((1, 8), -SHARPNESS)
    alpha[0, 6:] = SHARPNESS * RADIUS / 2
    feature = torch.zeros(8, 8)
    for i in range(3):  # p + 2, positive, so that a ReLU behind it changes nothing
        feature[i, i], feature[i, 3 + i], feature[i, 6] = 1, -1, 2
    views = torch.zeros(8, 8 + VIEW_WIDTH)
    view_bias = torch.zeros(8)
    for i in range(3):  # 3 (p + 2) + (d + 2), positive
        views[i, i], views[i, 8 + i], view_bias[i] = 3, 1, 2
    rgb, rgb_bias = torch.zeros(3, 8), torch.full((3,), -8.0)
    for i in range(3):
        rgb[i, i] = 1
    return {
        "alpha": (alpha, torch.zeros(1)),
        "feature": (feature, torch.zeros(8)),
        "views": (views, view_bias),
        "rgb": (rgb, rgb_bias),
    }


def _state(names: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {
        f"{name}.{part}": value
        for name, pair in names.items()
        for part, value in zip(("weight", "bias"), pair, strict=True)
    }


def flexible_state() -> dict[str, Tensor]:
    """The octahedron as krrish94's FlexibleNeRFModel."""
    heads = _heads()
    first, bias = _signed(POINT_WIDTH)
    keep = (torch.eye(8), torch.zeros(8))
    return _state(
        {
            "layer1": (first, bias),
            "layers_xyz.0": keep,
            "layers_xyz.1": keep,
            "fc_alpha": heads["alpha"],
            "fc_feat": heads["feature"],
            "layers_dir.0": heads["views"],
            "fc_rgb": heads["rgb"],
        }
    )


def nerf_pytorch_state() -> dict[str, Tensor]:
    """The octahedron as yenchenlin's NeRF, with a skip that carries the encoded point first."""
    heads = _heads()
    skip = torch.zeros(8, POINT_WIDTH + 8)
    skip[:, POINT_WIDTH:] = torch.eye(8)
    return _state(
        {
            "pts_linears.0": _signed(POINT_WIDTH),
            "pts_linears.1": (torch.eye(8), torch.zeros(8)),
            "pts_linears.2": (skip, torch.zeros(8)),
            "alpha_linear": heads["alpha"],
            "feature_linear": heads["feature"],
            "views_linears.0": heads["views"],
            "rgb_linear": heads["rgb"],
        }
    )


def write_flexible(folder: Path) -> Path:
    """A checkpoint folder of the first kind, with a configuration; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    state = flexible_state()
    torch.save(
        {"iter": 7, "model_coarse_state_dict": state, "model_fine_state_dict": state}, folder / "checkpoint7.ckpt"
    )
    (folder / "config.yml").write_text(
        "dataset: {type: blender, near: 2, far: 6, half_res: true}\n"
        "models: {coarse: {hidden_size: 4096}}\n"
        "nerf: {validation: {num_coarse: 64, num_fine: 64, white_background: true}}\n"
    )
    return folder


def write_nerf_pytorch(file: Path) -> Path:
    """A ``.tar`` checkpoint of the second kind; returns the file."""
    state = nerf_pytorch_state()
    content = {
        "global_step": 7,
        "network_fn_state_dict": state,
        "network_fine_state_dict": state,
        "optimizer_state_dict": {},
    }
    torch.save(content, file)
    return file

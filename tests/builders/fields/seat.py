"""A seat on four thin legs in closed form, its photos on white, and the white matter that training on white leaves.

Every solid is a rounded box or a cylinder with a signed distance; density rises from its surface inwards.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.fields.field import RadianceField, SceneInfo, Teacher
from duplex.baking.fields.rendering import rays_of

DENSITY, SKIN = 400.0, 0.01  # inside, and the depth over which it is reached
LEG, PUDDLE = 0.03, 0.16  # radius of a leg, and of the white matter around its foot
FOOT = -0.8  # height of the floor
CORNER = 0.42  # of the legs, from the middle along x and y
BOX = 1.2  # half side
FOV = 0.7
STEPS, PARTS = 80, 13  # of a ray
LIGHT = torch.nn.functional.normalize(torch.tensor([0.4, 0.3, 0.85]), dim=0)


def _box(p: Tensor, center: tuple[float, float, float], half: tuple[float, float, float]) -> Tensor:
    q = (p - torch.tensor(center)).abs() - torch.tensor(half)
    return q.clamp(min=0).norm(dim=-1) + q.amax(-1).clamp(max=0)


def _post(p: Tensor, x: float, y: float, low: float, high: float, radius: float) -> Tensor:
    """A vertical cylinder."""
    aside = (p[:, :2] - torch.tensor([x, y])).norm(dim=-1) - radius
    return torch.maximum(aside, (p[:, 2] - 0.5 * (low + high)).abs() - 0.5 * (high - low))


def _wood(p: Tensor) -> Tensor:
    folded = torch.cat([p[:, :2].abs(), p[:, 2:]], -1)  # all four legs are one
    leg = _post(folded, CORNER, CORNER, FOOT, 0.1, LEG)
    post = _post(torch.stack([p[:, 0], p[:, 1].abs(), p[:, 2]], -1), -CORNER, CORNER, 0.1, 0.7, LEG)
    rail = _box(p, (-CORNER, 0.0, 0.7), (0.03, 0.45, 0.03))
    return torch.stack([leg, post, rail, _box(p, (0, 0, 0.1), (0.5, 0.5, 0.05))]).amin(0)


def _cup(p: Tensor) -> Tensor:
    return _post(p, 0.15, 0.0, 0.1, 0.45, 0.17)


def _smears(p: Tensor) -> Tensor:
    """What no photo from above contradicts: white matter on the floor, around each foot and between two of them."""
    folded = torch.cat([p[:, :2].abs(), p[:, 2:]], -1)
    puddle = _post(folded, CORNER, CORNER, FOOT - 0.06, FOOT, PUDDLE)
    return torch.minimum(puddle, _box(p, (CORNER, 0.0, FOOT - 0.03), (0.05, 0.42, 0.03)))


class Seat(RadianceField):
    """The seat; ``white``: with a white cup and white stripes on it; ``smears``: density of the matter on the floor."""

    def __init__(self, *, white: bool = False, smears: float = 0.0):
        super().__init__()
        self.white, self.smears = white, smears

    def solid(self, p: Tensor) -> Tensor:
        """Signed distance (n,) of the object."""
        return torch.minimum(_wood(p), _cup(p)) if self.white else _wood(p)

    def distance(self, p: Tensor) -> Tensor:
        """Signed distance (n,) of all that is dense."""
        return torch.minimum(self.solid(p), _smears(p)) if self.smears else self.solid(p)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        sigma = DENSITY * (-self.solid(points) / SKIN).clamp(0, 1)
        if self.smears:
            sigma = torch.maximum(sigma, self.smears * (-_smears(points) / SKIN).clamp(0, 1))
        return sigma, points

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:
        paint = 0.45 + 0.3 * torch.sin(torch.tensor([5.0, 7.0, 9.0]) * latent + torch.tensor([1.0, 0.0, 2.0]))
        if self.white:
            stripes = (latent[:, 1:2] * 10).sin() > 0.6
            paint = torch.where(stripes | (_cup(latent) < _wood(latent))[:, None], 1.0, paint)
        lit = paint * (0.7 + 0.3 * (self._normals(latent) @ LIGHT).clamp(min=0))[:, None]
        if not self.smears:
            return lit
        return torch.where((self.solid(latent) > 0)[:, None], torch.ones_like(lit), lit)

    def _normals(self, p: Tensor) -> Tensor:
        e = 1e-3 * torch.eye(3)
        return torch.nn.functional.normalize(
            torch.stack([self.solid(p + e[i]) - self.solid(p - e[i]) for i in range(3)], -1), dim=-1
        )


def teacher_of(field: RadianceField) -> Teacher:
    """The field as a teacher that was trained on white."""
    corners = ((-BOX, -BOX, -BOX), (BOX, BOX, BOX))
    return Teacher(field, field, SceneInfo(bounds=corners), "made by hand", Path("none"), "")


def truth(field: Seat, camera: Camera) -> Array:
    """Premultiplied colour and opacity (h, w, 4) of the field's picture, integrated by steps of 0.003 near solids."""
    origins, directions = rays_of(camera, torch.device("cpu"))
    directions = torch.nn.functional.normalize(directions, dim=-1)
    edges = torch.linspace(2.4, 5.6, STEPS + 1)
    step = 3.2 / STEPS
    parts = []
    for o, d in zip(origins.split(4096), directions.split(4096), strict=True):
        middles = o[:, None] + 0.5 * (edges[1:] + edges[:-1])[:, None] * d[:, None]
        near = field.distance(middles.view(-1, 3)).view(len(o), STEPS) < 0.5 * step
        ray, k = near.nonzero(as_tuple=True)
        inside = (torch.arange(PARTS) + 0.5) / PARTS * step
        t = edges[k][:, None] + inside
        p = (o[ray][:, None] + t[..., None] * d[ray][:, None]).view(-1, 3)
        of = ray.repeat_interleave(PARTS)
        sigma, latent = field.density(p)
        depth = torch.zeros(len(o), STEPS, PARTS)
        depth[ray, k] = sigma.view(-1, PARTS) * step / PARTS
        depth = depth.view(len(o), -1)
        before = torch.exp(depth - torch.cumsum(depth, -1))
        w = (before * (1 - torch.exp(-depth))).view(len(o), STEPS, PARTS)[ray, k].view(-1)
        seen = w > 1e-4
        rgb = torch.zeros(len(o), 3).index_add_(0, of[seen], w[seen, None] * field.color(latent[seen], d[of[seen]]))
        parts.append(torch.cat([rgb, torch.zeros(len(o)).index_add_(0, of, w)[:, None]], -1))
    return torch.cat(parts).view(camera.height, camera.width, 4).numpy()


def write_photos(folder: Path, field: Seat, count: int, size: int, *, alpha: bool) -> Path:
    """A Blender dataset of photos of the upper half, RGB on white or with alpha."""
    rng = np.random.default_rng(5)
    frames = []
    (folder / "train").mkdir(parents=True)
    for i in range(count):
        direction = rng.normal(size=3)
        direction[2] = abs(direction[2])
        pose = look_at(4 * direction / np.linalg.norm(direction), np.zeros(3), np.array([0.0, 0, 1]))
        rgba = truth(field, Camera.from_fov(pose, size, size, FOV))
        color = rgba[..., :3] / np.maximum(rgba[..., 3:], 1e-6) if alpha else rgba[..., :3] + 1 - rgba[..., 3:]
        picture = np.concatenate([color, rgba[..., 3:]], -1)[..., : 4 if alpha else 3]
        Image.fromarray(np.rint(picture.clip(0, 1) * 255).astype(np.uint8)).save(folder / "train" / f"{i}.png")
        frames.append({"file_path": f"./train/{i}", "transform_matrix": pose.tolist()})
    (folder / "transforms_train.json").write_text(json.dumps({"camera_angle_x": FOV, "frames": frames}))
    return folder

"""A ball before a spherical wall, in any space of a field, and its picture by ray tracing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.baking.fields.field import RadianceField, SceneInfo, Teacher
from duplex.baking.fields.spaces import Ndc, Space

UP = np.array([0, 1.0, 0])
NDC = Ndc(1.6, 2.0)
BALL, RADIUS, FAR_WALL = np.array([0.2, -0.1, -4.0]), 1.0, 12.0


class Scenery(RadianceField):
    """An opaque ball before a wall that is a sphere around the origin, known in the world."""

    def __init__(self, space: Space, ball: Array):
        super().__init__()
        self.space, self.ball = space, torch.from_numpy(ball).float()

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        world = torch.from_numpy(self.space.unwarp(points.numpy())).float()
        inside = RADIUS - (world - self.ball).norm(dim=-1)
        behind = world.norm(dim=-1) - FAR_WALL
        sharpness = 2e4 if isinstance(self.space, Ndc) else 200  # a unit of NDC is long out there
        return sharpness * torch.relu(torch.maximum(5 * inside, behind)).clamp(max=0.2), world

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:
        return 0.5 + 0.4 * torch.sin(0.8 * latent)


def teacher_in(space: Space, ball: Array) -> Teacher:
    field = Scenery(space, ball)
    ndc = isinstance(space, Ndc)
    scene = SceneInfo(
        near=0.0 if ndc else 0.05,
        far=1.0 if ndc else 100.0,
        background=(0.0, 0.0, 0.0),
        coarse_samples=256,
        up=(0.0, 1.0, 0.0),
        hemisphere=False,
        space=space,
        bounds=((-1.5, -1.5, -1.0), (1.5, 1.5, 1.0)) if ndc else None,
    )
    return Teacher(field, field, scene, "made by hand", Path("none"), "")


def traced(camera: Camera, ball: Array) -> Array:
    """The scenery by intersecting rays with its two spheres."""
    d = camera.ray_directions().reshape(-1, 3).astype(np.float64)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    to_ball = camera.position - ball
    b, c = (d * to_ball).sum(1), (to_ball**2).sum() - RADIUS**2
    hit = b * b - c
    b2, c2 = d @ camera.position, (camera.position**2).sum() - (FAR_WALL + 0.05) ** 2
    t = np.where((hit > 0) & (b < 0), -b - np.sqrt(np.maximum(hit, 0)), -b2 + np.sqrt(b2 * b2 - c2))
    points = camera.position + t[:, None] * d
    return (0.5 + 0.4 * np.sin(0.8 * points)).reshape(camera.height, camera.width, 3)
